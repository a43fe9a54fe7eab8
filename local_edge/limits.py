"""How large a request may be, for all that play a part: CloudFront refuses more, and what is behind it takes that much.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
"""

from typing import TypedDict

MAX_REQUEST_BYTES = 20_480
"""Request line and headers; an origin's response, without its body, may have as many."""
MAX_URL_BYTES = 8_192
# Of a request's body that page knows no limit; the functions ask for none (no Include Body), so it streams through.


class HeadLimits(TypedDict):
    """What aiohttp's servers and clients read of a line and of a header."""

    max_line_size: int
    max_field_size: int


# Servers read more than CloudFront takes: it has to say so, and those behind it get headers of CloudFront's as well.
HEAD_LIMITS = HeadLimits(max_line_size=4 * MAX_REQUEST_BYTES, max_field_size=4 * MAX_REQUEST_BYTES)
