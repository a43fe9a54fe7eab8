"""What can be wrong with a request or a route; each sentence is shown to a person."""


class EdgeError(Exception):
    """Base of everything this package raises on purpose."""


class MalformedHost(EdgeError):
    """The Host header is not a host name."""


class MalformedPath(EdgeError):
    """The path cannot be mapped to a file of a website."""


class BrokenRow(EdgeError):
    """A row of the routing table that cannot be read as a route."""


class BrokenStamp(EdgeError):
    """The `x-route` header did not arrive at origin-request as viewer-request wrote it."""


class TableUnreachable(EdgeError):
    """No replica of the routing table answered.

    `retry_at` is the time (epoch seconds) from which it is worth asking again.
    """

    def __init__(self, message: str, retry_at: float) -> None:
        super().__init__(message)
        self.retry_at = retry_at
