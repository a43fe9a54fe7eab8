"""What a status says about asking once more."""

from edge_handler.errors import Refused, Unreadable


def check_status(status: int, content: bytes = b"") -> None:
    """Return where a server did what it was asked.

    Raises:
        Unreadable: it may do it when it is asked once more.
        Refused: it will not.
    """
    if status == 200:
        return
    text = f"status {status}: {content[:200].decode('utf-8', 'replace')}"
    # 408: the server had given up waiting for a question when this one came.
    raise Refused(text) if 400 <= status < 500 and status != 408 else Unreadable(text)
