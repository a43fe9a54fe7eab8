"""The shapes of what is printed as JSON and answered by the HTTP API: the same for both."""

from dataclasses import dataclass
from typing import Any, Literal

from edge_handler.routes.origin import DeploymentOrigin, S3Origin
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import Route
from table_admin.changes import Change, Revision, is_managed
from table_admin.deployments.deploy import Deployed
from table_admin.explain import Explanation, Way
from table_admin.policies import policy_document
from table_admin.second_targets import second_targets_document
from table_admin.tables import Action


@dataclass(frozen=True, slots=True)
class S3OriginDocument:
    """A prefix of a bucket, read through S3's REST endpoint."""

    domain_name: str
    region: str
    prefix: str
    kind: Literal["s3"] = "s3"


@dataclass(frozen=True, slots=True)
class DeploymentOriginDocument:
    """A deployment: a list of files over blobs of a bucket that are named by their content."""

    domain_name: str
    region: str
    deployment: str
    query: Literal["files", "pages", "all"]
    cors: str
    kind: Literal["deployment"] = "deployment"


@dataclass(frozen=True, slots=True)
class CustomOriginDocument:
    """Anything else that speaks HTTP: a load balancer, an ingress, a storage service."""

    domain_name: str
    protocol: Literal["http", "https"]
    port: int
    path: str
    host_header: Literal["viewer", "origin"]
    website: bool
    kind: Literal["custom"] = "custom"


@dataclass(frozen=True, slots=True)
class RedirectDocument:
    """Another address: viewers are sent there."""

    location: str
    """`https://host[:port][/path]`, or `/path` on the same host."""
    status: Literal[301, 302, 307, 308]
    kind: Literal["redirect"] = "redirect"


OriginDocument = S3OriginDocument | DeploymentOriginDocument | CustomOriginDocument | RedirectDocument


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """What answers for some paths of a domain."""

    pattern: str
    """A path, or a path with `/*` at its end."""
    target: str
    """As it was written, with `strip:` and `keep-host:`."""
    origin: OriginDocument
    strip_prefix: bool
    generation: int


@dataclass(frozen=True, slots=True)
class FormerDocument:
    """A deployment that a domain had before, and whose files it still answers with."""

    deployment: str
    until: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class MaintenanceDocument:
    """A page in place of a site, for a while."""

    retry_after: int
    """Seconds."""
    message: str


@dataclass(frozen=True, slots=True)
class CanaryDocument:
    """A second target that some of a domain's viewers get: a gradual cut-over."""

    target: str
    weight: int
    """Of a hundred viewers, how many."""
    cookie: str
    """One whose value says who a viewer is; empty, or not there: address and user agent do."""


@dataclass(frozen=True, slots=True)
class RouteDocument:
    """One row: which origin answers for a domain, and what people want to know about it."""

    domain: str
    target: str
    origin: OriginDocument
    environment: str
    service: str
    owner: str
    lifetime: Literal["permanent", "ephemeral"]
    expires_at: int | None
    revision: int
    generation: int
    updated_at: str
    updated_by: str
    note: str
    managed: bool
    """Whether its environment changes and removes it."""
    source: str
    """What made it: a branch, a pull request, the environment it was promoted from."""
    former: list[FormerDocument]
    """Deployments it had before, for pages that are still open."""
    rules: list[RuleDocument]
    """For some of its paths, by pattern."""
    private: bool
    """Whether only those with a session get an answer: by a signed link, or name and password."""
    allow: list[str]
    """Networks in CIDR notation whose addresses get an answer; none: all do."""
    noindex: bool | None
    """Whether search engines are told to keep away; null: of what expires they are."""
    headers: dict[str, str]
    """Of the response; an empty value takes one away."""
    maintenance: MaintenanceDocument | None
    """Answered with a page that says so, and 503."""
    canary: CanaryDocument | None
    """What some of the viewers get."""
    standby: str | None
    """A second target, where `fail-over` leads; while the domain is failed over, what is stood in for."""
    failed_over: bool
    """Whether `target` stands in for `standby`."""


@dataclass(frozen=True, slots=True)
class ChangeDocument:
    """What a write did."""

    action: Literal["created", "updated", "unchanged", "deleted"]
    domain: str
    revision: int
    before: RouteDocument | None
    after: RouteDocument | None
    message: str
    """What people should know of it, e.g. what a rollback undoes; mostly empty."""


@dataclass(frozen=True, slots=True)
class DeployedDocument:
    """What a directory is now that it is a site, and what that took."""

    url: str
    deployment: str
    target: str
    files: int
    bytes: int
    sent_files: int
    """Files that were not there before; those with the same bytes are one."""
    sent_bytes: int
    notes: list[str]
    """What whoever deploys should know."""
    change: ChangeDocument


@dataclass(frozen=True, slots=True)
class RevisionDocument:
    """One row of the history."""

    domain: str
    revision: int
    action: Action
    route: RouteDocument | None
    updated_at: str
    updated_by: str
    note: str
    restores: int | None
    """The revision that a rollback went back to; 0 for before the first."""


@dataclass(frozen=True, slots=True)
class WayDocument:
    """What both handlers do."""

    viewer_request: dict[str, Any]
    origin_request: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ExplanationDocument:
    """What a GET of a URL meets at the edge."""

    url: str
    domain: str
    row: RouteDocument | None
    reason: str
    viewer_request: dict[str, Any]
    origin_request: dict[str, Any] | None
    missing: str
    """Why nothing could be served from the row's target, empty where something could."""
    known: str
    """What the edge knows of the row without asking, and of when; empty where it has to ask, or nobody can tell."""
    rule: str
    """The pattern of the row's rule for the path; empty where the row's own target answers."""
    rule_reason: str
    """Why this rule, or why none; empty for a row without rules."""
    policy: dict[str, str]
    """In words, what is not as with a row that says nothing: who, maintenance, noindex, headers, canary, standby."""
    let_in: WayDocument | None
    """What those get whom the row lets in, where it refuses others: these are what is above."""
    of_canary: WayDocument | None
    """What those get who are on the side of the row's canary, where no viewer is named: what is above is for others."""


def route_document(route: Route) -> RouteDocument:
    """Return a route as it is shown."""
    shown = {"origin": _origin_document(route.origin), "managed": is_managed(route), **policy_document(route.policy)}
    if shown["maintenance"] is not None:
        shown["maintenance"] = MaintenanceDocument(**shown["maintenance"])
    shown |= second_targets_document(route)
    if shown["canary"] is not None:
        shown["canary"] = CanaryDocument(**shown["canary"])
    former = [FormerDocument(*one) for one in route.former]
    rules = [
        RuleDocument(rule.pattern, rule.target, _origin_document(rule.origin), rule.strip_prefix, rule.generation)
        for rule in route.rules
    ]
    values = {name: value for name, value in route._asdict().items() if name != "policy"}
    return RouteDocument(**{**values, **shown, "former": former, "rules": rules})


def change_document(change: Change) -> ChangeDocument:
    """Return what a write did as it is shown."""
    before, after = (route_document(route) if route else None for route in (change.before, change.after))
    return ChangeDocument(change.action, change.domain, change.revision, before, after, change.message)


def deployed_document(done: Deployed, url: str) -> DeployedDocument:
    """Return a deployment as it is shown to who made it; `url` is where its site is."""
    return DeployedDocument(
        url,
        done.deployment,
        done.target,
        done.files,
        done.size,
        done.sent_files,
        done.sent_size,
        [*done.notes],
        change_document(done.change),
    )


def revision_document(entry: Revision) -> RevisionDocument:
    """Return a row of the history as it is shown."""
    route = route_document(entry.route) if entry.route else None
    return RevisionDocument(
        entry.domain,
        entry.revision,
        entry.action,
        route,
        entry.updated_at,
        entry.updated_by,
        entry.note,
        entry.restores,
    )


def explanation_document(found: Explanation) -> ExplanationDocument:
    """Return an explanation as it is shown."""
    row = route_document(found.row) if found.row else None
    return ExplanationDocument(
        found.url,
        found.domain,
        row,
        found.reason,
        found.viewer_request,
        found.origin_request,
        found.missing,
        found.known,
        found.rule,
        found.rule_reason,
        dict(found.policy),
        _way_document(found.let_in),
        _way_document(found.of_canary),
    )


def _way_document(way: Way | None) -> WayDocument | None:
    return WayDocument(way.viewer_request, way.origin_request) if way is not None else None


def _origin_document(origin: Answering) -> OriginDocument:
    if isinstance(origin, S3Origin):
        return S3OriginDocument(*origin)
    if isinstance(origin, DeploymentOrigin):
        return DeploymentOriginDocument(*origin)
    if isinstance(origin, Redirect):
        return RedirectDocument(origin.location, origin.status)  # type: ignore[arg-type]  # the codec checks it
    return CustomOriginDocument(*origin)
