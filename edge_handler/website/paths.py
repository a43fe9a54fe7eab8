"""Paths of a website: decoded once, and none that leads out of it."""

import re
from urllib.parse import quote, unquote

from edge_handler.errors import MalformedPath
from edge_handler.website.listing import BLOBS, CONDEMNED, LISTS

INDEX = "index.html"
_DOT_SEGMENT = re.compile(r"[/\\]\.\.?(?:[/\\;]|\Z)")
# The longest name of an object, in S3 and in Google's storage; more could grow past what CloudFront takes as a uri.
MAX_KEY_BYTES = 1024


def is_ours(key: str) -> bool:
    """Tell whether an object is of the deployments in a bucket, and so of no site whose prefix is the whole bucket."""
    return key.partition("/")[0] in (BLOBS, LISTS, CONDEMNED)


def object_uri(path: str) -> str:
    """Return a decoded path percent-encoded as S3 signs it."""
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
