"""What is remembered of a host: the route that answers for it, or why none does."""

from cachetools import LRUCache

from edge_handler.routes.destination import MAX_FORMER, Destination, Former
from edge_handler.routes.origin import DeploymentOrigin, website_flags
from edge_handler.routes.path_rules import Rule, RuleTable
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.stamp import HEADER, encode_stamp, names_former
from edge_handler.routes.wildcards import is_wildcard

TYPE_CHECKING = False  # as typing has it; see `Destination`
if TYPE_CHECKING:
    from edge_handler.routes.policy import Policy

_ANSWERS_UNDER_WILDCARD = 4
"""So many of a row's rules are kept ready for each name under a wildcard; there may be thousands of names."""
_NETWORKS_OF_A_RULE = 6
NO_ROUTE = -1
"""In place of `Known.website`: what answers is not one route for all paths and everybody. True, so that of an
application one look is enough."""
TIMES = ("expires_at", "fresh_from", "fresh_until", "read_at")


class Known(list[dict[str, str]]):
    """A host that a route answers for. It is itself the value of the request's header: a hit assigns it.

    Shared by all requests: nobody may change it. One object for both, for with 50,000 of them a second one each
    would be megabytes, and work for the garbage collector.
    """

    __slots__ = (*TIMES, "website")

    def __init__(self, host: str, route: Destination, now: float, fresh_until: float, prefix: str = "") -> None:
        """`prefix` is what origins are not told of a path, see `Rule.prefix`."""
        assert not isinstance(route.origin, Redirect)  # such a host is `Ruled`
        former = tuple(one.deployment for one in route.former if now < one.until)
        wildcard = "" if route.domain == host else route.domain
        headers = route.policy.headers if route.policy is not None else ()
        noindex = _is_noindex(route)
        stamp = encode_stamp(host, route.generation, route.origin, former, prefix, wildcard, noindex, headers)
        super().__init__(({"key": HEADER, "value": stamp},))
        self.fresh_from = now
        self.fresh_until = fresh_until
        self.read_at: float | None = None
        """Known when it differs from `fresh_from`: from the first time on that the table did not answer."""
        self.expires_at = route.expires_at
        self.website = website_flags(route.origin)

    def since(self) -> float:
        """Return when its row was read."""
        return self.fresh_from if self.read_at is None else self.read_at

    @property
    def stamp(self) -> str:
        """What is told to origin-request."""
        return self[0]["value"]

    @property
    def lasts(self) -> bool:
        """Whether it stays the same while its row does: a former deployment is named for a while only."""
        return not names_former(self.stamp)


class Ruled:
    """A host whose row answers by path, with a redirect, by viewer, or not to everybody.

    It has the times that `Known` has.
    """

    __slots__ = (
        "_answers",
        "_canary",
        "_default",
        "_host",
        "_table",
        "canary",
        "domain",
        "expires_at",
        "fresh_from",
        "fresh_until",
        "policy",
        "read_at",
        "revision",
    )
    website = NO_ROUTE

    def __init__(self, host: str, route: Destination, now: float, fresh_until: float) -> None:
        self.fresh_from = now
        self.fresh_until = fresh_until
        self.read_at: float | None = None
        self.expires_at = route.expires_at
        self._host = host
        self.domain = route.domain
        """Its row's."""
        self.policy = route.policy
        self.canary = route.canary
        self._canary = _canary_of(host, route, now, fresh_until)
        self.revision = route.revision
        self._table = _table_of(route)
        self._default = route.origin if isinstance(route.origin, Redirect) else Known(host, route, now, fresh_until)
        self._answers: dict[int, Known] = {}

    @property
    def weight(self) -> int:
        """What it takes of memory, in rules: what guards it does, too."""
        guard = self.guard
        guarding = 0 if guard is None else 1 + len(guard.allow) // _NETWORKS_OF_A_RULE
        return len(self._table.rules) + guarding + (self.canary is not None)

    @property
    def noindex(self) -> bool:
        """Whether search engines are told to keep away."""
        return _is_noindex(self)

    @property
    def guard(self) -> "Policy | None":
        """The policy by which not everybody gets an answer, None where there is none."""
        return self.policy if self.policy is not None and self.policy.guards else None

    @property
    def only(self) -> Known | None:
        """What answers for all its paths, None where it depends on them."""
        return None if self._table.rules or isinstance(self._default, Redirect) else self._default

    @property
    def of_canary(self) -> Known:
        """What answers instead of `only`, or of what no rule is for, where the canary is a viewer's side."""
        assert self._canary is not None
        return self._canary

    def find(self, path: str) -> tuple[Known | Redirect, Rule | None]:
        """Return what answers for a path in the form that `comparable_path` returns, and the rule that says so."""
        number = self._table.find(path)
        if number < 0:
            return self._default, None
        rule = self._table.rules[number]
        if isinstance(rule.origin, Redirect):
            return rule.origin, rule
        known = self._answers.get(number)
        if known is None:
            if self.domain != self._host and len(self._answers) >= _ANSWERS_UNDER_WILDCARD:
                del self._answers[next(iter(self._answers))]
            said = Destination(
                self.domain, rule.origin, self.expires_at, self.revision, rule.generation, policy=self.policy
            )
            known = self._answers[number] = Known(self._host, said, self.fresh_from, self.fresh_until, rule.prefix)
        return known, rule

    def since(self) -> float:
        """Return when its row was read."""
        return self.fresh_from if self.read_at is None else self.read_at

    @property
    def lasts(self) -> bool:
        """See `Known.lasts`."""
        return isinstance(self._default, Redirect) or self._default.lasts


class Refusal:
    """A host that no route answers for: the status to say so with, and why."""

    __slots__ = ("fresh_from", "fresh_until", "reason", "retry_after", "status")
    expires_at = None
    lasts = True
    website = NO_ROUTE

    def __init__(
        self, status: int, reason: str, now: float = 0, fresh_until: float = 0, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.fresh_from = now
        self.fresh_until = fresh_until
        self.retry_after = retry_after

    def since(self) -> float:
        """Return when it was found to be so."""
        return self.fresh_from


def remembered_as(host: str, route: Destination, now: float, fresh_until: float) -> Known | Ruled:
    """Return what is remembered of a host that a route answers for."""
    guarded = route.policy is not None and route.policy.guards
    if route.rules or isinstance(route.origin, Redirect) or guarded or route.canary is not None:
        return Ruled(host, route, now, fresh_until)
    return Known(host, route, now, fresh_until)


def _canary_of(host: str, route: Destination, now: float, fresh_until: float) -> Known | None:
    """Return what the canary's side gets: as all will once it is promoted, so that nothing is cached anew then."""
    if route.canary is None:
        return None
    stable, origin = route.origin, route.canary.origin
    former: tuple[Former, ...] = ()
    if isinstance(stable, DeploymentOrigin) and isinstance(origin, DeploymentOrigin):
        # A viewer's pages may still be of the other side: its weight changes.
        others = (Former(stable.deployment, int(now) + 1), *route.former)
        if stable.domain_name == origin.domain_name:
            kept = (one for one in others if now < one.until and one.deployment != origin.deployment)
            former = tuple(kept)[:MAX_FORMER]
    said = route._replace(origin=origin, generation=route.canary.generation, former=former)
    return Known(host, said, now, fresh_until)


def _is_noindex(route: Destination | Ruled) -> bool:
    """Tell what `policy.is_noindex` does, without its module."""
    policy = route.policy
    return route.expires_at is not None if policy is None or policy.noindex is None else policy.noindex


# All names under a wildcard share its rules: there may be thousands of the one, and hundreds of the other.
_tables: LRUCache[tuple[str, int], RuleTable] = LRUCache(50)
_no_rules = RuleTable(())


def _table_of(route: Destination) -> RuleTable:
    if not route.rules:
        return _no_rules
    if not is_wildcard(route.domain):
        return RuleTable(route.rules)
    key = (route.domain, route.revision)
    table = _tables.get(key)
    if table is None or table.rules != route.rules:
        table = _tables[key] = RuleTable(route.rules)
    return table
