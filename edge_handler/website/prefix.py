"""A prefix of a bucket that somebody copied a site to: what a path gets is found out by asking S3.

The order is that of deployments, as far as questions get. What cannot be known in time is left to S3, whose own answer
for what it does not have becomes our page in origin-response.
"""

import time
from urllib.parse import unquote

from cachetools import TTLCache

from edge_handler.errors import StorageUnreachable
from edge_handler.paths import decode_path
from edge_handler.routes.origin import S3Origin
from edge_handler.website.bucket import SECONDS, exists
from edge_handler.website.listing import File, Options
from edge_handler.website.paths import MAX_KEY_BYTES, object_uri
from edge_handler.website.resolution import Missing, Moved, Serve, resolve

# Of one page: a path of many segments must not become many questions.
MAX_QUESTIONS = 12
# What is there is not asked about again for a while: if it goes, S3 says so itself. What is not there may come. Not for
# longer: on a kept connection it may have been the answer to another question.
_REMEMBERED_SECONDS = 5
_there: TTLCache[tuple[str, str], bool] = TTLCache(10_000, _REMEMBERED_SECONDS)
# S3 has the type and the rest.
_A_FILE = File("", "", False, 0)
_NOTHING_SAID = Options()


class _Questions:
    """What S3 says about the objects of a prefix while one page waits."""

    def __init__(self, origin: S3Origin, endpoint: str | None, seconds: float) -> None:
        self._origin = origin
        self._endpoint = endpoint
        self._prefix = unquote(origin.prefix[1:])
        self._deadline = time.monotonic() + seconds
        self.answers: dict[str, bool] = {}

    def find(self, path: str) -> File | None:
        """Tell whether there is a file. Raises StorageUnreachable."""
        if len((self._prefix + path).encode()) > MAX_KEY_BYTES:
            return None  # no object has so long a name
        found = self.answers.get(path)
        if found is None:
            found = self.answers[path] = self._ask(path, certain=False)
        return _A_FILE if found else None

    def hold(self, path: str) -> bool:
        """Tell whether the answer about `path` is the same on a connection of its own. Raises StorageUnreachable."""
        return self._ask(path, certain=True) == self.answers[path]

    def _ask(self, path: str, *, certain: bool) -> bool:
        if len(self.answers) > MAX_QUESTIONS:
            raise StorageUnreachable("that would be too many questions", 0)
        key = (self._origin.domain_name, self._origin.prefix + object_uri(path))
        if not certain and key in _there:
            return True
        found = exists(self._origin, key[1], self._endpoint, self._deadline, certain=certain)
        if found:
            _there[key] = True
        return found


def look_up(
    origin: S3Origin, uri: str, query: str, endpoint: str | None, seconds: float
) -> Serve | Moved | Missing | None:
    """Return what a path gets, within some seconds; None where only S3 can say.

    Raises:
        MalformedPath: see `resolve`.
    """
    if _is_of_another_form(decode_path(uri)):
        return None
    questions = _Questions(origin, endpoint, min(seconds, SECONDS))
    try:
        found = resolve(uri, query, questions.find, _NOTHING_SAID, lambda _: None)
        if isinstance(found, Serve) and found.status == 200:
            return found  # if that is wrong, S3 says so
        # What everybody will be told for a while rests on more than an answer that may be another question's.
        there = isinstance(found, Moved)
        decisive = next((path for path, answer in questions.answers.items() if answer is there), None)
        if decisive is not None and not questions.hold(decisive):
            return None
    except StorageUnreachable:
        return None
    return found


def _is_of_another_form(path: str) -> bool:
    """Tell whether a path is not in Unicode's form C: whoever copied the files chose the form of their names."""
    if path.isascii():
        return False
    from unicodedata import is_normalized  # noqa: PLC0415 - few paths need it

    return not is_normalized("NFC", path)
