"""What the HTTP API takes and gives, beside the documents that the command prints too."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import AfterValidator, Field

from edge_handler.routes.canary import MAX_WEIGHT
from table_admin.documents import ChangeDocument, RevisionDocument, RouteDocument
from table_admin.policies import FIELDS, ONLY_HEADERS, RETRY_AFTER, said_of

# An HTTP API hands over a path decoded, other ways to a function do not; and many clients encode an asterisk.
Domain = Annotated[
    str,
    Path(description="What viewers ask for, e.g. env-123.example.com; or a wildcard, *.tenant.example.com."),
    AfterValidator(unquote),
]
Name = Annotated[str, Path(description="An environment's name, e.g. env-42.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at the most.")]
Cursor = Annotated[str | None, Query(min_length=1, description="The `cursor` of the page before.")]
DryRun = Annotated[bool, Query(description="Say what would be done, and do nothing.")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="Write only over this revision: the ETag it was read with.")
]
IfMatchAll = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="Write only where all its routes are at the revisions they were read with: the environment's ETag.",
    ),
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="`*`: write only if there is none.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Of your making, new for each write: a retry with the same one gets the first one's answer.",
        max_length=128,
        pattern="^[!-~]+$",
    ),
]
# An empty value is a mistake, more often than not a variable that is not set; a note may be empty.
ExpiresIn = Annotated[str | None, Field(min_length=1, description="A duration as in 7d; makes the route ephemeral.")]
NotEmpty = Annotated[str, Field(min_length=1)]
Permanent = Annotated[bool, Field(description="Takes an expiry away.")]
Why = Annotated[str, Field(description="Why, for people.")]

Bucket = Annotated[str | None, Query(min_length=3, description="Where its files are; the stack's own by default.")]
DeploymentId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="A deployment's id.")]
BucketName = Annotated[str | None, Field(min_length=3, description="Where its files are; the stack's own by default.")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256, in hexadecimal digits.")]
DomainFor = Annotated[
    str | None, Field(min_length=1, description="The domain it is for: what that has now is not sent.")
]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A page in place of a site, for a while: 503."""

    retry_after: Annotated[int | str, Field(description="When to come again: a duration as in 10m, or seconds.")] = (
        RETRY_AFTER
    )
    message: Annotated[str, Field(description="A line for the page.")] = ""


Share = Annotated[int, Field(ge=0, le=MAX_WEIGHT, strict=True, description="Of a hundred viewers, how many.")]


@dataclass(frozen=True, slots=True)
class SaidOfCanary:
    """A second target that some of the viewers get. What is not given stays as it is."""

    target: Annotated[
        str | None,
        Field(min_length=1, description="Before it may stand keep-host:. One begins with target and weight."),
    ] = None
    weight: Share | None = None
    cookie: Annotated[
        str | None,
        Field(
            description="One of the application's, whose value says who a viewer is; empty: address and user agent do."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfPolicy:
    """Who gets an answer and what goes with it. What is not given stays as it is."""

    private: Annotated[
        bool | None,
        Field(description="Only those with a session get an answer: by a signed link, or a name and password."),
    ] = None
    allow: Annotated[
        list[NotEmpty] | None,
        Field(description="Addresses and networks in CIDR notation that get an answer; an empty list: all do."),
    ] = None
    noindex: Annotated[
        bool | Literal["none"] | None,
        Field(description="Whether search engines are told to keep away; none: of what expires they are."),
    ] = None
    headers: Annotated[
        dict[str, str | None] | None,
        Field(
            description="Of the response, value by name: an empty value takes away what the origin sends. null is for "
            "one that is not spoken of any more; those that are not named stay."
        ),
    ] = None
    only_headers: Annotated[bool, Field(description="Headers that are not named are not spoken of any more.")] = False
    maintenance: Annotated[
        Maintenance | Literal["none"] | None,
        Field(description="In place of the site a page that says so, with 503; none ends it."),
    ] = None


@dataclass(frozen=True, slots=True)
class Put(SaidOfPolicy):
    """A route to write. What is not given stays as it is."""

    target: Annotated[
        str,
        Field(
            min_length=1,
            description="s3://bucket/prefix, a load balancer's ARN, https://host[:port][/path], "
            "redirect:[STATUS:]https://host[:port][/path], or redirect:[STATUS:]/path",
        ),
    ]
    environment: Annotated[str | None, Field(min_length=1, description="Defaults to the domain's first label.")] = None
    service: Annotated[str | None, Field(min_length=1, description="Which of its environment's services it is.")] = None
    expires_in: ExpiresIn = None
    permanent: Permanent = False
    keep_host: Annotated[
        bool | None, Field(description="An https target is an ingress that routes by the viewer's host.")
    ] = None
    rules: Annotated[
        dict[str, str | None] | None,
        Field(
            description="For some of its paths: by pattern, which is a path or a path with /* at its end, the target; "
            "before which may stand strip: for an origin that is asked without the prefix, and keep-host:. The longest "
            "pattern wins. null takes a rule away; those that are not named stay."
        ),
    ] = None
    only_rules: Annotated[bool, Field(description="Rules that are not named go.")] = False
    canary: Annotated[
        SaidOfCanary | Literal["none"] | None,
        Field(description="A gradual cut-over to a second target; none ends it: all viewers get the target."),
    ] = None
    standby: Annotated[
        str | None,
        Field(
            min_length=1,
            description="A second target, to which fail-over moves the domain; before it may stand keep-host:. none "
            "takes it away. While the domain is failed over, target is where it leads after fail-back.",
        ),
    ] = None
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Why, for people."""

    note: Why = ""


@dataclass(frozen=True, slots=True)
class StartCanary:
    """A canary to begin: a target, or a domain whose target it is."""

    weight: Share
    target: Annotated[str | None, Field(min_length=1, description="As a route's; no redirect.")] = None
    from_domain: Annotated[
        str | None, Field(min_length=1, description="What this domain leads to, a preview say, is the target.")
    ] = None
    cookie: Annotated[str | None, Field(description="One of the application's, whose value says who a viewer is.")] = (
        None
    )
    keep_host: Annotated[bool, Field(description="An https target gets the viewer's host.")] = False
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Weight:
    """Another share for a canary."""

    weight: Share
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """To which revision; by default to before the last change."""

    to: Annotated[int | None, Field(ge=1)] = None
    further: Annotated[bool, Field(description="Where the last change is a rollback: one step back from there.")] = (
        False
    )
    expires_in: ExpiresIn = None
    permanent: Permanent = False
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Up(SaidOfPolicy):
    """An environment's services."""

    base: Annotated[str, Field(min_length=1, description="The domain its URLs are under, e.g. example.com.")]
    services: Annotated[
        dict[str, NotEmpty], Field(min_length=1, description="Target by service; the name is empty for an only one.")
    ]
    source: Annotated[
        str | None, Field(min_length=1, description="The branch or pull request; refused where it is another's.")
    ] = None
    take_over: Annotated[
        bool, Field(description="Also where another source made it, or one did and `source` is not given.")
    ] = False
    prune: Annotated[bool, Field(description="Remove its services that are not named.")] = False
    force: Annotated[bool, Field(description="Prune also what other domains are served from.")] = False
    expires_in: ExpiresIn = None
    permanent: Permanent = False
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Extend:
    """How long an environment is to live: one of the three."""

    expires_in: ExpiresIn = None
    permanent: Permanent = False
    add: Annotated[
        str | None,
        Field(
            min_length=1,
            description="A duration as in 7d, added to what is left; what is permanent stays so. "
            "With If-Match or an Idempotency-Key not twice.",
        ),
    ] = None
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Promote:
    """Which domains go where an environment's services are."""

    domains: Annotated[
        dict[NotEmpty, str], Field(min_length=1, description="Service by domain; the name is empty for an only one.")
    ]
    note: Why = ""


@dataclass(frozen=True, slots=True)
class RollbackEnvironment:
    """A time to go back to."""

    since: Annotated[str, Field(min_length=1, description="E.g. 2026-12-01T08:00Z, or 10m for how long ago.")]
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a declarative file says, see routes.schema.json."""

    owner: NotEmpty
    routes: dict[str, Any]
    adopt: Annotated[bool, Field(description="Take over rows that nobody or somebody else keeps.")] = False
    plan: Annotated[str | None, Field(min_length=1, description="To apply: only if it is the plan of this id.")] = None
    force: Annotated[bool, Field(description="To apply: also where it changes more than is likely meant.")] = False


def options_of(body: Put | Up) -> dict[str, Any]:
    """Return what a request asks for, its policy in one. Raises InvalidInput."""
    options = dataclasses.asdict(body)
    if isinstance(options.get("canary"), dict):
        options["canary"] = {name: value for name, value in options["canary"].items() if value is not None}
    policy = {name: options.pop(name) for name in (*FIELDS, ONLY_HEADERS)}
    return options | {"policy": said_of(policy) or None}


@dataclass(frozen=True, slots=True)
class RoutesPage:
    """Some of the routes; `cursor` is where the next page begins."""

    routes: list[RouteDocument]
    broken: list[str]
    """Domains whose rows cannot be read, and why."""
    cursor: str | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a domain's revisions, newest first; `cursor` is where the next page begins."""

    revisions: list[RevisionDocument]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """What was written since, the oldest first, each once; a change that took long may come after later ones."""

    changes: list[RevisionDocument]
    reload: bool
    """So much was written that each row was not announced: list the routes again."""
    more: bool
    """Whether there may be more already."""
    cursor: str
    """What to ask with the next time."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What was done, a change per domain."""

    changes: list[ChangeDocument]
    left: list[str] = field(default_factory=list)
    """Domains under the environment's name that stay as they are, and why."""


@dataclass(frozen=True, slots=True)
class EnvironmentDocument:
    """An environment in a listing."""

    name: str
    routes: int
    expires_at: int | None
    updated_at: str
    updated_by: str


@dataclass(frozen=True, slots=True)
class EnvironmentName:
    """What a branch's environment is called."""

    name: str


@dataclass(frozen=True, slots=True)
class Environments:
    """All environments, by name."""

    environments: list[EnvironmentDocument]


@dataclass(frozen=True, slots=True)
class Routes:
    """An environment's routes."""

    routes: list[RouteDocument]


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """What a declaration changes."""

    id: str
    owner: str
    changes: list[ChangeDocument]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What is different between two revisions, by attribute: before and after."""

    differences: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class FindingDocument:
    """What one step of a request's way says."""

    step: str
    status: str
    text: str
    mend: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What each step of a request's way says."""

    findings: list[FindingDocument]


@dataclass(frozen=True, slots=True)
class OrphanDocument:
    """A route whose target is gone."""

    domain: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was tidied, and the routes whose target is gone."""

    changes: list[ChangeDocument]
    orphans: list[OrphanDocument] = field(default_factory=list)
    lost: list[OrphanDocument] = field(default_factory=list)
    """Promoted routes whose target is gone: nobody's leftovers, they need a rollback."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that is going to be sent."""

    sha256: Digest
    size: Annotated[int, Field(ge=2)]
    bucket: BucketName = None


@dataclass(frozen=True, slots=True)
class BeginDeployment:
    """What is deployed."""

    manifest: Digest
    bucket: BucketName = None
    domain: DomainFor = None
    spa: Annotated[bool, Field(description="A single-page application: its page answers what is not there.")] = False
    force: Annotated[bool, Field(description="Also without an index.html at the top.")] = False
    note: Why = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """That all files were sent."""

    epoch: Annotated[int, Field(ge=0, description="As the beginning answered it.")]
    bucket: BucketName = None
    domain: DomainFor = None
    cursor: Annotated[str | None, Field(min_length=1, description="Of the answer before; need not be sent.")] = None


@dataclass(frozen=True, slots=True)
class BegunDocument:
    """A deployment whose files are to be sent, or are all there where it is ready."""

    deployment: str
    target: str
    """For a route or an environment, once it is ready."""
    state: str
    epoch: int
    files: int
    notes: list[str]


@dataclass(frozen=True, slots=True)
class UploadDocument:
    """One PUT, with just these headers; 412 is as good as 200: it is there."""

    sha256: str
    size: int
    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """Some of the files to be sent; `cursor` is where the next page begins."""

    uploads: list[UploadDocument]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ReadyDocument:
    """Ready; or still uploading, where there is a cursor: ask again."""

    state: str
    target: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class DeploymentDocument:
    """A deployment."""

    deployment: str
    bucket: str
    target: str
    state: str
    files: int
    bytes: int
    created_at: str
    created_by: str
    note: str


@dataclass(frozen=True, slots=True)
class DeploymentsDocument:
    """All deployments, by age."""

    deployments: list[DeploymentDocument]


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
