"""Which headers of a response somebody may set or remove, and why not the others."""

from edge_handler.routes.header_names import CLOUDFRONTS, CLOUDFRONTS_BEGINNINGS, COOKIES, OF_THE_ANSWER, is_name
from table_admin.deployments.rule_lines import WrongLine, short

_REASONS = {
    **dict.fromkeys(COOKIES, "the answer is kept and given to everybody, the cookie with it"),
    "basic-auth": "there is no protection by a password here, and a page that looks protected would not be",
}


def header_name(written: str) -> str:
    """Return a header's name in lower case. Raises WrongLine where it is none, or not one to be said here."""
    name = written.lower()
    if not is_name(name):
        raise WrongLine(f"{short(written)!r} is no header's name.")
    if name in _REASONS:
        raise WrongLine(f"{written} cannot be used: {_REASONS[name]}.")
    if name in CLOUDFRONTS or name.startswith(CLOUDFRONTS_BEGINNINGS):
        raise WrongLine(f"{short(written)} is CloudFront's; an answer with it would be refused.")
    if name in OF_THE_ANSWER:
        raise WrongLine(f"{short(written)} is said by who answers, and cannot be set or removed.")
    return name
