"""What origin-response must know of a route, in a header of its own: it sees the request as it went to the origin.

Origins may see it, and nothing secret is in it. A viewer's goes in origin-request.
"""

HEADER = "x-route-kind"
WEBSITE = "website"
"""Files in a bucket. An application's requests have no such header."""
