"""The lists of deployments, as far as an instance has read them."""

from hashlib import sha256

from cachetools import LRUCache

from edge_handler.errors import BrokenListing, StorageUnreachable
from edge_handler.log import log
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.website.bucket import read_part
from edge_handler.website.listing import Head, Page, Site, check_page, decode_head, head_length, list_key

MAX_BYTES = 24 * 1_048_576
"""Of all lists together: some hundred sites, or one of half a million files."""
TYPE_CHECKING = False  # as typing has it; the module itself would cost milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

# The head and 2,500 files. Not more: across an ocean it has to arrive in what is left of a viewer's patience, and what
# has arrived stays, so that the next try needs less.
FIRST_READ_BYTES = 131_072
# What is broken stays so until somebody deploys again.
_BROKEN_SECONDS = 10


class Lists:
    """Heads and pages of lists, bounded by bytes. What a name stands for never changes."""

    def __init__(self, endpoint: str | None, max_bytes: int = MAX_BYTES) -> None:
        """`endpoint` is asked instead of the buckets' own."""
        self._endpoint = endpoint
        self._heads: LRUCache[str, Head] = LRUCache(max_bytes // 2, _size)
        self._pages: LRUCache[bytes, bytes] = LRUCache(max_bytes // 2, len)

    def site(self, origin: DeploymentOrigin, deployment: str, deadline: float) -> Site | None:
        """Return a deployment of the origin's bucket, None where it has no such list.

        Args:
            origin: names the bucket.
            deployment: names the list.
            deadline: of `time.monotonic`, for this and all that is looked up in the site.

        Raises:
            StorageUnreachable: its list cannot be read.
        """
        head = self._heads.get(deployment)
        if head is None:
            head = self._read_head(origin, deployment, deadline)
            if head is None:
                return None

        def read_page(page: Page) -> bytes:
            kept = self._pages.get(page.digest)
            return self._read_page(origin, deployment, page, deadline) if kept is None else kept

        return Site(head, read_page)

    def _read_head(self, origin: DeploymentOrigin, deployment: str, deadline: float) -> Head | None:
        def check(content: bytes) -> tuple[bytes, Head | None]:
            is_whole = head_length(content) <= len(content)
            return content, decode_head(content, deployment) if is_whole else None

        found = self._read(origin, deployment, (0, FIRST_READ_BYTES), deadline, check)
        if found is None:
            return None
        content, head = found
        if head is None:  # there are rules that make it longer
            end = head_length(content)
            head = self._read(origin, deployment, (0, end), deadline, lambda content: decode_head(content, deployment))
            if head is None:
                return None
        self._heads[deployment] = head
        for page in head.pages:
            part = content[page.offset : page.offset + page.length]
            if len(part) == page.length and sha256(part).digest() == page.digest:
                self._pages[page.digest] = part
        return head

    def _read_page(self, origin: DeploymentOrigin, deployment: str, page: Page, deadline: float) -> bytes:
        part = page.offset, page.offset + page.length
        found = self._read(origin, deployment, part, deadline, lambda content: check_page(page, content))
        if found is None:
            raise StorageUnreachable("a part of the site's list is gone", 0)
        self._pages[page.digest] = found
        return found

    def _read(
        self,
        origin: DeploymentOrigin,
        deployment: str,
        part: tuple[int, int],
        deadline: float,
        check: "Callable[[bytes], T]",
    ) -> "T | None":
        found = read_part(origin, f"/{list_key(deployment)}", part, self._endpoint, deadline, check)
        if isinstance(found, BrokenListing):
            log("ERROR", "a deployment's list is broken", deployment=deployment, error=str(found))
            raise StorageUnreachable("the site's list is broken", _BROKEN_SECONDS)
        return found


def _size(head: Head) -> int:
    """Return about what a head takes: parsed, some times its bytes."""
    return 2_000 + 8 * (head.pages[0].offset if head.pages else 0)
