"""Keys of a website's files."""

from urllib.parse import quote

from edge_handler.website.listing import BLOBS, CONDEMNED, LISTS

INDEX = "index.html"
# The longest name of an object, in S3 and in Google's storage; more could grow past what CloudFront takes as a uri.
MAX_KEY_BYTES = 1024


def is_ours(key: str) -> bool:
    """Tell whether an object is of the deployments in a bucket, and so of no site whose prefix is the whole bucket."""
    return key.partition("/")[0] in (BLOBS, LISTS, CONDEMNED)


def object_uri(path: str) -> str:
    """Return a decoded path percent-encoded as S3 signs it."""
    return quote(path, safe="/-_.~")
