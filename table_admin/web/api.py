"""The HTTP API: the verbs of the command line as resources. Errors are problem details (RFC 9457).

`python -m table_admin.api` prints its OpenAPI document, which is kept as docs/openapi.json.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import Field

from table_admin.documents import (
    ChangeDocument,
    ExplanationDocument,
    RevisionDocument,
    RouteDocument,
    change_document,
    explanation_document,
    revision_document,
    route_document,
)
from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError, TargetRefused
from table_admin.explain import explain
from table_admin.routing_table import Change, RoutingTable

MakeTable = Callable[[str], RoutingTable]
"""Returns the table to work on, given who asks."""
PROBLEM = "application/problem+json"
_STATUS: dict[type[TableAdminError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    RevisionConflict: HTTPStatus.CONFLICT,
    TargetRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
}

Domain = Annotated[str, Path(description="What viewers ask for, e.g. env-123.example.com.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at the most.")]
Cursor = Annotated[str | None, Query(description="The `cursor` of the page before.")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="Write only over this revision: the ETag it was read with.")
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="`*`: write only if there is none.")]


@dataclass(frozen=True, slots=True)
class Put:
    """A route to write. What is not given stays as it is."""

    target: Annotated[
        str, Field(description="s3://bucket/prefix, a load balancer's ARN, or https://host[:port][/path]")
    ]
    environment: Annotated[str | None, Field(description="Defaults to the domain's first label.")] = None
    expires_in: Annotated[str | None, Field(description="A duration as in 7d; makes the route ephemeral.")] = None
    permanent: Annotated[bool, Field(description="Takes an expiry away.")] = False
    keep_host: Annotated[bool, Field(description="An https target is an ingress that routes by the viewer's host.")] = (
        False
    )
    note: Annotated[str, Field(description="Why, for people.")] = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Why, for people."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class RoutesPage:
    """Some of the routes; `cursor` is where the next page begins."""

    routes: list[RouteDocument]
    broken: list[str]
    """Domains whose rows cannot be read."""
    cursor: str | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a domain's revisions, newest first; `cursor` is where the next page begins."""

    revisions: list[RevisionDocument]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


def make_api(make_table: MakeTable) -> APIGatewayHttpResolver:
    """Return the API, as a resolver of API Gateway's events (HTTP API, payload 2.0)."""
    app = APIGatewayHttpResolver(enable_validation=True)
    _add_errors(app)

    def table() -> RoutingTable:
        return make_table(_caller(app.current_event.raw_event))

    @app.get("/routes", summary="List routes", tags=["routes"], responses=_responses(200, 400))
    def list_routes(
        environment: Annotated[str | None, Query(description="Only this environment's.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> RoutesPage:
        broken: list[str] = []
        page = table().page(
            environment, limit=limit, cursor=cursor, on_broken=lambda domain, why: broken.append(f"{domain}: {why}")
        )
        return RoutesPage(list(map(route_document, page.items)), broken, page.cursor)

    @app.get("/routes/<domain>", summary="Show a route", tags=["routes"], responses=_responses(200, 400, 404))
    def get_route(domain: Domain) -> Response[RouteDocument]:
        route = table().get(domain)
        return _tagged(HTTPStatus.OK, route_document(route), route.revision)

    @app.put(
        "/routes/<domain>",
        summary="Create or update a route",
        tags=["routes"],
        responses=_responses(200, 201, 400, 409, 412, 422),
    )
    def put_route(
        domain: Domain, body: Put, if_match: IfMatch = None, if_none_match: IfNoneMatch = None
    ) -> Response[ChangeDocument]:
        condition = _if_revision(if_match, if_none_match)
        return _changed(table().put(domain, **asdict(body), if_revision=condition))

    @app.delete(
        "/routes/<domain>", summary="Remove a route", tags=["routes"], responses=_responses(200, 400, 404, 409, 412)
    )
    def delete_route(
        domain: Domain, note: Annotated[str, Query(description="Why, for people.")] = "", if_match: IfMatch = None
    ) -> Response[ChangeDocument]:
        return _changed(table().delete(domain, note=note, if_revision=_if_revision(if_match, None)))

    @app.post(
        "/routes/<domain>/touch",
        summary="Empty the CDN of what it cached for a domain",
        tags=["routes"],
        responses=_responses(200, 400, 404, 409, 412),
    )
    def touch_route(domain: Domain, body: Note, if_match: IfMatch = None) -> Response[ChangeDocument]:
        return _changed(table().touch(domain, note=body.note, if_revision=_if_revision(if_match, None)))

    @app.get(
        "/routes/<domain>/history",
        summary="Who did what to a domain, newest first",
        tags=["history"],
        responses=_responses(200, 400),
    )
    def get_history(domain: Domain, limit: Limit = 100, cursor: Cursor = None) -> HistoryPage:
        page = table().history_page(domain, limit=limit, cursor=cursor)
        return HistoryPage(list(map(revision_document, page.items)), page.cursor)

    @app.get("/explain", summary="What the edge does with a URL", tags=["explain"], responses=_responses(200, 400))
    def get_explanation(
        url: Annotated[str, Query(description="What a browser would be given.")],
    ) -> ExplanationDocument:
        return explanation_document(explain(table(), url))

    return app


def openapi() -> str:
    """Return the OpenAPI document, as it is kept in docs/openapi.json."""

    def none(_: str) -> RoutingTable:
        raise NotImplementedError

    document = json.loads(
        make_api(none).get_openapi_json_schema(
            title="table-admin",
            version="1",
            description="The routing table of an edge-routing stack. Requests are signed with IAM credentials (SigV4).",
        )
    )
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _caller(event: dict[str, Any]) -> str:
    """Return who asks, as IAM knows it: the role's session or the user."""
    iam = event.get("requestContext", {}).get("authorizer", {}).get("iam", {})
    return str(iam.get("userArn", "unknown")).rpartition(":")[2]


def _if_revision(if_match: str | None, if_none_match: str | None) -> int | None:
    if if_none_match is not None:
        if if_none_match.strip() != "*" or if_match is not None:
            raise InvalidInput("If-None-Match takes * only, and goes without If-Match.")
        return 0
    if if_match is None:
        return None
    revision = re.fullmatch(r'\s*(?:W/)?"?(\d{1,15})"?\s*', if_match)
    if not revision:
        raise InvalidInput('If-Match takes one ETag of a route, which is its revision, e.g. "3".')
    return int(revision[1])


def _tagged(status: HTTPStatus, document: Any, revision: int, headers: dict[str, str] | None = None) -> Response[Any]:
    return Response(status, "application/json", document, {"ETag": f'"{revision}"', **(headers or {})})


def _changed(change: Change) -> Response[ChangeDocument]:
    if change.action == "created":
        location = {"Location": f"/routes/{change.domain}"}
        return _tagged(HTTPStatus.CREATED, change_document(change), change.revision, location)
    return _tagged(HTTPStatus.OK, change_document(change), change.revision)


def _responses(*statuses: int) -> Any:
    """Return what OpenAPI says of a resource: the result where it succeeds, else a problem."""
    found: dict[int, Any] = {}
    for status in (*statuses, 500):
        found[status] = {"description": HTTPStatus(status).phrase}
        if status >= 400:
            found[status]["content"] = {PROBLEM: {"model": Problem}}
    found.setdefault(422, {"description": "Not what this operation takes", "content": {PROBLEM: {"model": Problem}}})
    return found


def _problem(status: int, kind: str, detail: str, **more: Any) -> Response[str]:
    body = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(status, PROBLEM, json.dumps(body))


def _add_errors(app: APIGatewayHttpResolver) -> None:
    def invalid(error: RequestValidationError) -> Response[str]:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return _problem(422, "urn:table-admin:invalid-request", f"{where}: {first['msg']}.")

    def refused(error: TableAdminError) -> Response[str]:
        status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        more: dict[str, Any] = {}
        if isinstance(error, RevisionConflict):
            more["revision"] = error.revision
            if {"if-match", "if-none-match"} & {name.lower() for name in app.current_event.headers}:
                status = HTTPStatus.PRECONDITION_FAILED
        kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
        return _problem(status, f"urn:table-admin:{kind}", str(error), **more)

    def service(error: ServiceError) -> Response[str]:
        return _problem(error.status_code, "about:blank", str(error.msg))

    app.exception_handler(RequestValidationError)(invalid)
    app.exception_handler(TableAdminError)(refused)
    app.exception_handler(ServiceError)(service)


if __name__ == "__main__":
    print(openapi(), end="")  # noqa: T201
