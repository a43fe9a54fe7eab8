"""What makes a bucket answer like a web server: index documents, directories, paths that stay inside."""

import re
from urllib.parse import quote, unquote

from edge_handler.errors import MalformedPath

INDEX = "index.html"
_DOT_SEGMENT = re.compile(r"[/\\]\.\.?(?:[/\\;]|\Z)")
# The longest name of an object, in S3 and in Google's storage; more could grow past what CloudFront takes as a uri.
MAX_KEY_BYTES = 1024


def object_path(uri: str) -> str:
    """Return the path of the object that a web server would serve for `uri`, percent-encoded as S3 signs it.

    Raises:
        MalformedPath: see `decode_path`; or no object can have so long a name.
    """
    path = decode_path(uri)
    if len(path.encode()) > MAX_KEY_BYTES:
        raise MalformedPath(f"the path is longer than {MAX_KEY_BYTES} bytes")
    if path.endswith("/"):
        path += INDEX
    return quote(path, safe="/-_.~")


def decode_path(uri: str) -> str:
    """Return `uri` without percent-encoding.

    Raises:
        MalformedPath: it is not UTF-8, or has `.` or `..` segments. Browsers resolve those before they
            ask; one that arrives would leave the prefix that the environment is kept under. Some servers take a
            backslash for a slash, or cut a segment at its semicolon before they look.
    """
    try:
        path = unquote(uri, errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedPath("the path is not UTF-8") from error
    if _DOT_SEGMENT.search(path):
        raise MalformedPath("the path has . or .. segments")
    return path


def may_be_directory(uri: str) -> bool:
    """Tell whether `uri` could name a directory: its last segment does not look like a file's name."""
    last = uri.rpartition("/")[2]
    extension = last.rpartition(".")[2]
    return last != "" and (extension == last or not extension[:1].isalpha())


def directory_location(uri: str) -> str:
    """Return where a directory asked for without its slash is: relative, so that no host is claimed."""
    return f"./{uri.rpartition('/')[2]}/"
