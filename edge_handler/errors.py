"""What can be wrong with a request or a route; each sentence is shown to a person."""


class EdgeError(Exception):
    """Base of everything this package raises on purpose."""


class MalformedHost(EdgeError):
    """The Host header is not a host name."""


class MalformedPath(EdgeError):
    """The path cannot be mapped to a file of a website."""


class BrokenRow(EdgeError):
    """A row of the routing table that cannot be read as a route."""


class UnreadableRow(BrokenRow):
    """What is not even DynamoDB's JSON: whoever sent it, no row of the table is like that."""


class BrokenStamp(EdgeError):
    """The `x-route` header did not arrive at origin-request as viewer-request wrote it."""


class BrokenListing(EdgeError):
    """A deployment's list that cannot be read, or is another one's."""


class Unreadable(EdgeError):
    """A server's answer that says nothing, or answers another question: a new connection may do better."""


class Refused(EdgeError):
    """A server's answer that it will not do what it was asked: asking again at once would change nothing."""


class TableUnreachable(EdgeError):
    """No replica of the routing table gave an answer that can be used.

    `retry_after` is the time (seconds) after which it is worth asking again.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageUnreachable(EdgeError):
    """A bucket gave no answer that can be used. `retry_after` is as `TableUnreachable` has it."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BrokenSnapshot(EdgeError):
    """A snapshot, or something of one, that cannot be read."""
