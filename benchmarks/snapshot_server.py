"""What an instance starts from, on this machine: a bucket with a snapshot, and a feed that says nothing new."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.followed import EPOCH, TABLE
from benchmarks.rows import row
from edge_handler.feed.page import ALL_ROUTES, FEED
from edge_handler.snapshot.pointer import POINTER_KEY, Pointer, digest_of, encode_pointer
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, encode_block, encode_part, encode_row

BUCKET = "snapshot@us-east-1"


@dataclass(slots=True)
class Objects:
    """What the bucket holds."""

    content: dict[str, bytes] = field(default_factory=dict)
    taken_at: str = ""

    def put(self, taken_at: str, rows: int, generation: int) -> None:
        """Put a snapshot of so many routes; those of before go, but for the pointer's."""
        count = BLOCKS_OF_PART
        while count * 16 < rows:
            count *= 2
        # encode_row takes minutes for a million: this is what it makes, with other numbers.
        text = encode_row(row("env-NAME.example.com", 7_777_777)).decode().replace("7777777", str(generation))
        before, _, rest = text.partition("env-NAME")
        chance = random.Random(1)
        blocks: list[list[tuple[str, bytes]]] = [[] for _ in range(count)]
        for number in range(rows):
            domain = f"env-{number}.example.com"
            # As a deployment's name, or a commit's: half of what a row takes is what nobody can compress.
            line = f"{before}env-{number}-{chance.getrandbits(64):016x}{rest}"
            blocks[block_of(domain, count)].append((domain, line.encode()))
        dictionary = b"".join(text for block in blocks[:12] for _, text in block[:1])
        content = {}
        digests = []
        for at in range(0, count, BLOCKS_OF_PART):
            part = encode_part([encode_block(block, dictionary) for block in blocks[at : at + BLOCKS_OF_PART]])
            digests.append(digest_of(part))
            content[f"parts/{EPOCH}/{digests[-1]}"] = part
        content[POINTER_KEY] = encode_pointer(Pointer(TABLE, EPOCH, taken_at, dictionary, tuple(digests)))
        self.content, self.taken_at = content, taken_at

    def feed(self) -> bytes:
        """Return what the feed says: whose it is."""
        said = json.dumps({"table": TABLE, "epoch": EPOCH, "taken_at": self.taken_at})
        item = {
            "feed": {"S": FEED},
            "domain": {"S": ALL_ROUTES},
            "revision": {"N": "0"},
            "announced_at": {"S": self.taken_at},
            "action": {"S": "snapshot"},
            "edge": {"S": said},
        }
        return json.dumps({"Items": [item]}).encode()


@contextmanager
def serving(objects: Objects) -> Iterator[str]:
    """Serve them; yield the endpoint of both services."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536

        def do_GET(self) -> None:
            self._answer(objects.content.get(self.path[1:]))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._answer(objects.feed())

        def _answer(self, content: bytes | None) -> None:
            self.send_response(404 if content is None else 200)
            self.send_header("content-length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        log_message: Callable[..., None] = lambda *_: None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
