"""Who gets in where not everybody does: links, passwords, and their end.

A link is signed, and kept nowhere: it is good for a row's domain, for one time of its being private, and until it
expires. Of a password the hash is kept, in the table of `table_admin.access_table`; nothing of either is in a row.
"""

import contextlib
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from edge_handler.access.keys import MAX_KEYS, hash_password
from edge_handler.access.pages import LINK, PASSWORD
from edge_handler.access.session import Kind, encode_token
from edge_handler.routes.policy import NEW
from edge_handler.routes.route import Route, encode_route
from edge_handler.routes.wildcards import candidates, is_wildcard
from table_admin.access_table import AccessTable, SigningKey, new_key
from table_admin.changes import Change, is_live, refuse_another
from table_admin.contention import replanned, settled
from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError
from table_admin.inputs import iso, parse_domain, parse_duration
from table_admin.routing_table import RoutingTable

EXPIRES_IN = "7d"
NAME = "preview"
"""Of who gets in by a password, where nobody says another."""
FEWEST_CHARACTERS, MOST_CHARACTERS = 8, 128
MOST_OF_NAME = 64
_SALT_BYTES = 16
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what people take for one another."""
_GROUPS, _GROUP = 4, 5
_REVOKED = "links, sessions and password revoked"


@dataclass(frozen=True, slots=True)
class Link:
    """What lets somebody in until it expires."""

    domain: str
    """The row's: of a wildcard, the link opens all names."""
    host: str
    kind: Kind
    url: str = field(repr=False)
    expires_at: int
    """Epoch seconds; a session ends then, too."""


@dataclass(frozen=True, slots=True)
class Password:
    """A name and a password that let somebody in."""

    domain: str
    host: str
    name: str
    password: str = field(repr=False)
    url: str
    """Where it is asked for."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What tokens are signed and verified with; nothing of it is secret."""

    key: str
    """The id of the one that signs from now on."""
    verifying: tuple[str, ...]
    """Those before it whose links and sessions go on; the newest first."""
    dropped: tuple[str, ...]
    """Those whose links and sessions are good for nothing any more."""


class Access:
    """Who gets in to the private domains of one stack."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._secrets = AccessTable(table.stack, table.tables.dynamodb)

    def check(self) -> None:
        """Raise TableAdminError where links cannot be signed: NoAccessTable where the stack is too old for them."""
        self._secrets.keys()

    def link(
        self, domain: str, *, expires_in: str = EXPIRES_IN, to: str = "/", bypass: bool = False, edge: str | None = None
    ) -> Link:
        """Sign a link. Nothing is written, but for the stack's first key.

        Args:
            domain: whose; a host under a wildcard is one of its names, and the link opens the others, too.
            expires_in: a duration as in `7d`; a session that it begins ends then, too.
            to: the path it leads to.
            bypass: past maintenance, for those who mend it; what is private is open to them, too.
            edge: where the site is, if not at https://HOST, with {domain} in place of the host.

        Raises:
            NotFound: there is no route.
            InvalidInput: it is no host, path or duration; or the domain is not private (in maintenance).
            TableAdminError: the row or the keys cannot be read.
        """
        expires_at = int(self._table.clock()) + parse_duration(expires_in)
        path = _path(to)
        host, route = self._answering(domain)
        if is_wildcard(host):
            raise InvalidInput(f"{host} is a wildcard; name one of its hosts: a link for it opens the others, too.")
        return self._signed(route, host, expires_at, path, bypass, edge)

    def link_to(self, route: Route, *, expires_in: str = EXPIRES_IN, edge: str | None = None) -> Link:
        """Sign a link for a route that was just read or written; see `link`."""
        expires_at = int(self._table.clock()) + parse_duration(expires_in)
        return self._signed(route, route.domain, expires_at, "/", False, edge)

    def password(
        self, domain: str, *, name: str = NAME, password: str | None = None, edge: str | None = None
    ) -> Password:
        """Let in who knows a password, in place of the one before; a generated one where none is given.

        Sessions go on; `revoke` ends them. Nothing is written of a password but its hash, and the stack's first key.
        See `link` for the rest.
        """
        _check_name(name)
        if password is None:
            password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
        _check_password(password)
        host, route = self._answering(domain)
        since = _since(route, "view", host)
        self._signing()  # the edge signs the session that it begins
        salt = secrets.token_bytes(_SALT_BYTES)
        self._secrets.put_password(
            route.domain,
            {
                "name": {"S": name},
                "salt": {"B": salt},
                "hash": {"B": hash_password(password, salt)},
                "since": {"N": str(since)},
                "updated_at": {"S": iso(self._table.clock())},
                "updated_by": {"S": self._table.actor},
            },
        )
        return Password(route.domain, host, name, password, f"{_at(edge, host)}{PASSWORD}")

    def revoke(self, domain: str, *, note: str = "", if_revision: int | None = None, dry_run: bool = False) -> Change:
        """Make all links, sessions and the password of a domain void, those past its maintenance, too.

        A write of the row, so that its history has it; viewers get what they got. A second one does it once more, for
        nobody knows who got in meanwhile.

        Raises:
            NotFound, InvalidInput, TableAdminError: see `link`.
            RevisionConflict: it is another revision than `if_revision`; nothing was written.
        """
        change = _revoke(self._table, parse_domain(domain), note or _REVOKED, if_revision, dry_run)
        if not dry_run:
            # It is void already; that the hash goes is tidiness, and who may write rows need not be able to.
            with contextlib.suppress(TableAdminError):
                self._secrets.forget_password(change.domain, change.revision)
        return change

    def rotate(self, *, now: bool = False) -> Rotation:
        """Sign with a new key. What former ones signed goes on until they are the fourth; `now`: ends.

        Of all domains: to end what is of one, `revoke` it. Passwords go on; sessions that were begun by one do not.
        """
        made: list[Rotation] = []

        def changed(before: Sequence[SigningKey]) -> Sequence[SigningKey]:
            key = self._new(before)
            kept = [] if now else before[: MAX_KEYS - 1]
            ids = [one.key.id for one in before]
            made[:] = [Rotation(key.key.id, tuple(ids[: len(kept)]), tuple(ids[len(kept) :]))]
            return [key, *kept]

        try:
            settled(lambda: self._secrets.change_keys(changed, repair=now))
        except RevisionConflict as error:
            raise TableAdminError("Others are changing the signing keys; nothing was written. Try again.") from error
        return made[0]

    def _answering(self, domain: str) -> tuple[str, Route]:
        """Return the host and the row that answers for it."""
        host = parse_domain(domain)
        domains = (host,) if is_wildcard(host) else candidates(host)
        items = self._table.tables.read(domains)
        found = next((one for one in domains if one in items), host)
        route = self._table.existing(found, items.get(found))
        if not is_live(route, self._table.clock()):
            raise NotFound(f"{found} has expired; nobody is let in to what is not there.")
        return host, route

    def _signed(self, route: Route, host: str, expires_at: int, path: str, bypass: bool, edge: str | None) -> Link:
        kind: Kind = "bypass" if bypass else "view"
        since = _since(route, kind, host)
        token = encode_token("link", kind, route.domain, since, expires_at, self._signing().key)
        to = f"&to={path}" if path != "/" else ""
        return Link(route.domain, host, kind, f"{_at(edge, host)}{LINK}#{token}{to}", expires_at)

    def _signing(self) -> SigningKey:
        """Return the key that signs; the first one is made when it is needed."""
        found = self._secrets.keys().keys
        if not found:
            with contextlib.suppress(RevisionConflict):  # somebody else made it
                self._secrets.change_keys(lambda before: before or [self._new(before)], repair=False)
            found = self._secrets.keys().keys
        if not found:
            raise TableAdminError("There is no signing key; make one: table-admin access rotate")
        return found[0]

    def _new(self, before: Sequence[SigningKey]) -> SigningKey:
        ids = {one.key.id for one in before}
        while (made := new_key(iso(self._table.clock()))).key.id in ids:
            pass
        return made


@replanned
def _revoke(table: RoutingTable, domain: str, note: str, if_revision: int | None, dry_run: bool) -> Change:
    item = table.tables.read([domain]).get(domain)
    refuse_another(domain, item, if_revision)
    route = table.existing(domain, item)
    policy = route.policy
    if policy is None or not (policy.private or policy.maintenance):
        raise InvalidInput(_not("private", route, domain))
    # Both: a session past the maintenance opens what is private, too.
    policy = policy._replace(
        private=NEW if policy.private else 0,
        maintenance=policy.maintenance and policy.maintenance._replace(since=NEW),
    )
    row = encode_route(table.stamped(route._replace(policy=policy), note))
    return table.commit([table.write("put", domain, item, row, False)], dry_run=dry_run)[0]


def _since(route: Route, kind: Kind, host: str) -> int:
    """Return what is signed for. Raises InvalidInput where everybody gets in."""
    policy = route.policy
    if kind == "bypass":
        if policy is None or policy.maintenance is None:
            raise InvalidInput(f"{host} is not in maintenance; see: table-admin maintenance on --help")
        return policy.maintenance.since
    if policy is None or not policy.private:
        raise InvalidInput(_not("private", route, host))
    return policy.private


def _not(what: str, route: Route, host: str) -> str:
    put = f"table-admin put {shlex.quote(route.domain)} {shlex.quote(route.target)} --private"
    return f"{host} is not {what}, so everybody gets in; to change that: {put}"


def _at(edge: str | None, host: str) -> str:
    return (edge or "https://{domain}").replace("{domain}", host).rstrip("/")


def _path(text: str) -> str:
    """Return a path of a link's own host, as a URL has it. Raises InvalidInput."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        raise InvalidInput(f"{text[:80]!r} is no path on the link's own host; write for example /docs/.")
    return quote(text, safe="/?=&%!$'()*+,;:@~#")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MOST_OF_NAME or ":" in name or not (name.isascii() and name.isprintable()):
        raise InvalidInput(f"{name[:80]!r} is no name to sign in with: ASCII, no colon, {MOST_OF_NAME} at most.")


def _check_password(password: str) -> None:
    # Not shown, nor how long it is. Of other characters browsers send different bytes.
    if not (password.isascii() and password.isprintable()):
        raise InvalidInput("A password is one line of ASCII text: browsers do not agree on how to send others.")
    if not FEWEST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise InvalidInput(f"A password has {FEWEST_CHARACTERS} to {MOST_CHARACTERS} characters.")
