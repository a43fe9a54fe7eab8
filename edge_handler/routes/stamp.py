"""The stamp: what viewer-request tells origin-request, in a header that is part of the CDN's cache key.

Self-contained (origin-request asks nobody) and unambiguous: a different host, generation or origin
is a different stamp, so a cached object can never be filed under another route's key.
"""

from functools import lru_cache
from typing import NamedTuple

from edge_handler.errors import BrokenRow, BrokenStamp, MalformedHost
from edge_handler.routes.destination import MAX_FORMER
from edge_handler.routes.host import normalise_host
from edge_handler.routes.origin import (
    CustomOrigin,
    DeploymentOrigin,
    Origin,
    S3Origin,
    decode_origin,
    is_deployment,
    is_origin_path,
)
from edge_handler.routes.wildcards import is_under, is_wildcard

# Not x-edge-route: CloudFront disallows names that begin with x-edge-.
HEADER = "x-route"
# The second has the wildcard that answers, and what a rule takes off the path before the origin is asked; the third
# has headers of the response, too.
_VERSIONS = ("1", "2", "3")
_NOINDEX = "n"
"""After the version, where search engines are told to keep away: no more than a letter, for each ephemeral route."""
# All that is printable but what separates: `;` fields, `&` headers; a name has no `=`.
_SAFE = " !\"#$'()*+,-./:<=>?@[\\]^_`{|}~"
_FIELDS = {
    "s3": S3Origin._fields,
    "deployment": (*DeploymentOrigin._fields, "former"),
    "custom": CustomOrigin._fields,
}


class Stamp(NamedTuple):
    """What viewer-request knows of a request's route."""

    host: str
    generation: int
    origin: Origin
    former: tuple[str, ...] = ()
    """Deployments that pages which are still open may be of, see `Route.former`."""
    prefix: str = ""
    """What the origin's paths are without, see `Rule.prefix`."""
    wildcard: str = ""
    """Whose row this is, where it is not the host's: each row counts its generations by itself."""
    noindex: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    """See `Policy.headers`."""

    @property
    def response_headers(self) -> list[tuple[str, str]]:
        """What every answer of its origin gets, by lower-case name; one with an empty value is taken away."""
        if not self.noindex or any(name == "x-robots-tag" for name, _ in self.headers):
            return [*self.headers]
        return [*self.headers, ("x-robots-tag", "noindex")]


def encode_stamp(
    host: str,
    generation: int,
    origin: Origin,
    former: tuple[str, ...] = (),
    prefix: str = "",
    wildcard: str = "",
    noindex: bool = False,  # as `Stamp` has them
    headers: tuple[tuple[str, str], ...] = (),
) -> str:
    """Return the header's value. `;` separates the fields: none of them can hold one."""
    mark = _NOINDEX if noindex else ""
    fields = [_VERSIONS[0] + mark, host, str(generation)]
    if headers:
        fields = [_VERSIONS[2] + mark, host, str(generation), wildcard, prefix, _encode_headers(headers)]
    elif prefix or wildcard:
        fields = [_VERSIONS[1] + mark, host, str(generation), wildcard, prefix]
    if isinstance(origin, S3Origin):
        fields += ["s3", *origin]
    elif isinstance(origin, DeploymentOrigin):
        fields += ["deployment", *origin, ",".join(former)]
    else:
        website = "website" if origin.website else "application"
        fields += ["custom", *map(str, origin[:-1]), website]
    return ";".join(fields)


def names_former(value: str) -> bool:
    """Tell whether a stamp names former deployments, which it does for a while only."""
    return ";deployment;" in value and not value.endswith(";")


@lru_cache(maxsize=1_000)  # a host's misses all come with the same
def decode_stamp(value: str) -> Stamp:
    """Return what a stamp says.

    Raises:
        BrokenStamp: the value is not one that `encode_stamp` wrote.
    """
    try:
        mark, host, number, *rest = value.split(";")
        version = mark.removesuffix(_NOINDEX)
        if version not in _VERSIONS:
            raise BrokenStamp(f"the stamp has version {version[:20]!r}, this reader knows {_VERSIONS[-1]}")
        wildcard, prefix, *rest = rest if version != _VERSIONS[0] else ("", "", *rest)
        said, kind, *rest = rest if version == _VERSIONS[2] else ("", *rest)
        if kind not in _FIELDS:
            raise BrokenStamp(f"the stamp is about {kind[:20]!r}")
        fields = dict(zip(_FIELDS[kind], rest, strict=True))
        former = tuple(filter(None, fields.pop("former", "").split(",")))
        origin, headers = _decode_origin(kind, fields), _decode_headers(said)
        stamp = Stamp(host, int(number), origin, former, prefix, wildcard, mark != version, headers)
        if len(former) > MAX_FORMER or not all(map(is_deployment, former)):
            raise BrokenStamp("the stamp's former deployments cannot be read")
        if wildcard and not (is_wildcard(wildcard) and is_under(host, wildcard)):
            raise BrokenStamp(f"the stamp is of {wildcard[:80]!r}")
        if not is_origin_path(prefix):
            raise BrokenStamp(f"the stamp takes {prefix[:80]!r} off the path")
        if normalise_host(host) != host or stamp.generation < 1 or encode_stamp(*stamp) != value:
            raise BrokenStamp("the stamp is not as it would be written")
    except (ValueError, BrokenRow, MalformedHost) as error:
        raise BrokenStamp(f"the stamp cannot be read: {error}") from error
    return stamp


def _encode_headers(headers: tuple[tuple[str, str], ...]) -> str:
    from urllib.parse import quote  # noqa: PLC0415  # what has no headers starts without it

    return "&".join(f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}" for name, value in headers)


def _decode_headers(text: str) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    from urllib.parse import unquote  # noqa: PLC0415  # likewise

    from edge_handler.routes.policy import are_headers  # noqa: PLC0415

    pairs = (one.partition("=") for one in text.split("&"))
    headers = tuple((unquote(name), unquote(value)) for name, _, value in pairs)
    if not are_headers(headers):
        raise BrokenStamp("the stamp's headers cannot be read")
    return headers


def _decode_origin(kind: str, fields: dict[str, str]) -> Origin:
    """Check with the row's own codec: what it refuses in a row, it refuses here."""
    website = fields.pop("website", "website")
    if website not in ("website", "application"):
        raise BrokenStamp(f"the stamp says {website[:20]!r}")
    item: dict[str, dict[str, object]] = {
        name: {"N" if name == "port" else "S": value} for name, value in fields.items()
    }
    return decode_origin({**item, "kind": {"S": kind}, "website": {"BOOL": website == "website"}})
