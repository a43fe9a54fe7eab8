"""The HTTP API: the verbs of the command line as resources. Errors are problem details (RFC 9457).

`python -m table_admin.web.api` prints its OpenAPI document, which is kept as docs/openapi.json.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from table_admin.changes import Change
from table_admin.documents import (
    ChangeDocument,
    ExplanationDocument,
    RouteDocument,
    explanation_document,
    revision_document,
    route_document,
)
from table_admin.errors import InvalidInput, RevisionConflict
from table_admin.explain import explain
from table_admin.feed import Feed
from table_admin.history import diff
from table_admin.rollback import rollback
from table_admin.routing_table import RoutingTable
from table_admin.viewers import parse_viewer
from table_admin.web import deployments_api, environments_api, second_targets_api, upkeep_api
from table_admin.web.idempotency import request_of
from table_admin.web.models import (
    ChangesPage,
    Cursor,
    Difference,
    Domain,
    DryRun,
    HistoryPage,
    IfMatch,
    IfNoneMatch,
    Key,
    Limit,
    Note,
    Put,
    Rollback,
    RoutesPage,
    options_of,
)
from table_admin.web.problems import add_problems, responses
from table_admin.web.writes import Write, domain_writer, environment_writer, if_revision, tagged, write_options

MakeTable = Callable[[str, str], RoutingTable]
"""Returns the table to work on, given who asks and what is kept of the request."""


def make_api(make_table: MakeTable) -> APIGatewayHttpResolver:
    """Return the API, as a resolver of API Gateway's events (HTTP API, payload 2.0)."""
    app = APIGatewayHttpResolver(enable_validation=True)
    add_problems(app)

    def table(request: str = "") -> RoutingTable:
        return make_table(_caller(app.current_event.raw_event), request)

    def asked(key: str | None) -> str:
        event = app.current_event
        query = json.dumps(event.query_string_parameters or {}, sort_keys=True)
        return request_of(key, event.http_method, event.path, query, event.body or "")

    _add_reads(app, table)
    write, write_all = domain_writer(table, asked), environment_writer(table, asked)
    _add_writes(app, write)
    second_targets_api.add(app, write, write_all)
    environments_api.add(app, table, write_all)
    deployments_api.add(app, table)
    upkeep_api.add(app, table)
    return app


def _add_reads(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable]) -> None:
    @app.get("/routes", summary="List routes", tags=["routes"], responses=responses(200, 400))
    def list_routes(
        environment: Annotated[str | None, Query(min_length=1, description="Only this environment's.")] = None,
        name: Annotated[
            str | None, Query(min_length=1, description="Only domains with this in them, or of this pattern.")
        ] = None,
        target: Annotated[
            str | None, Query(min_length=1, description="Only targets with this in them, or of this pattern.")
        ] = None,
        expires_before: Annotated[
            str | None,
            Query(min_length=1, description="Only what expires before this time, or within this duration, e.g. 2d."),
        ] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> RoutesPage:
        broken: list[str] = []
        rows = table()
        page = rows.page(
            environment,
            where=rows.selection(name, target, expires_before),
            limit=limit,
            cursor=cursor,
            on_broken=lambda domain, why: broken.append(f"{domain}: {why}"),
        )
        return RoutesPage(list(map(route_document, page.items)), broken, page.cursor)

    @app.get("/routes/<domain>", summary="Show a route", tags=["routes"], responses=responses(200, 400, 404))
    def get_route(domain: Domain) -> Response[RouteDocument]:
        route = table().get(domain)
        return tagged(HTTPStatus.OK, route_document(route), route.revision)

    @app.get(
        "/routes/<domain>/history",
        summary="Who did what to a domain, newest first",
        tags=["history"],
        responses=responses(200, 400, 404),
    )
    def get_history(domain: Domain, limit: Limit = 100, cursor: Cursor = None) -> HistoryPage:
        page = table().history_page(domain, limit=limit, cursor=cursor)
        return HistoryPage(list(map(revision_document, page.items)), page.cursor)

    @app.get(
        "/routes/<domain>/diff",
        summary="What is different between two revisions, the last two by default",
        tags=["history"],
        responses=responses(200, 400, 404),
    )
    def get_diff(
        domain: Domain,
        old: Annotated[int | None, Query(ge=0, alias="from")] = None,
        new: Annotated[int | None, Query(ge=1, alias="to")] = None,
    ) -> Difference:
        found = diff(table(), domain, old, new)
        return Difference({name: (_plain(before), _plain(after)) for name, (before, after) in found.items()})

    @app.get("/changes", summary="What was written since", tags=["history"], responses=responses(200, 400, 409))
    def list_changes(
        since: Annotated[
            str | None,
            Query(min_length=1, description="From this time on, or from this long ago, e.g. 10m; by default from now."),
        ] = None,
        limit: Limit = 100,
        cursor: Annotated[
            str | None, Query(min_length=1, description="What the last answer gave, to be asked with again in seconds.")
        ] = None,
    ) -> ChangesPage:
        rows = table()
        if since is not None and cursor is not None:
            raise InvalidInput("since goes without cursor.")
        feed = Feed.at(rows, cursor) if cursor else Feed(rows, rows.since(since) if since is not None else None)
        news = feed.poll(limit)
        return ChangesPage(list(map(revision_document, news.revisions)), bool(news.reload), news.more, feed.cursor)

    @app.get("/explain", summary="What the edge does with a URL", tags=["routes"], responses=responses(200, 400))
    def get_explanation(
        url: Annotated[str, Query(min_length=1, description="What a browser would be given.")],
        cookie: Annotated[
            str | None, Query(min_length=1, description="Of the viewer who asks: NAME=VALUE, several with ; between.")
        ] = None,
        address: Annotated[str | None, Query(min_length=1, description="The viewer's.")] = None,
        user_agent: Annotated[str | None, Query(min_length=1, description="The viewer's.")] = None,
    ) -> ExplanationDocument:
        return explanation_document(
            explain(table(), url, parse_viewer([cookie] if cookie else [], address, user_agent))
        )


def _add_writes(app: APIGatewayHttpResolver, write: Write) -> None:
    @app.put(
        "/routes/<domain>",
        summary="Create or update a route",
        tags=["routes"],
        responses=responses(200, 201, 400, 409, 412),
    )
    def put_route(
        domain: Domain,
        body: Put,
        dry_run: DryRun = False,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
        key: Key = None,
    ) -> Response[ChangeDocument]:
        options = {**options_of(body), "if_revision": if_revision(if_match, if_none_match), "dry_run": dry_run}

        def make(rows: RoutingTable) -> Sequence[Change]:
            change = rows.put(domain, **options)
            if if_none_match is not None and change.action == "unchanged":
                # RFC 9110: 13.1.1 lets If-Match pass where the change is made already, 13.1.2 does not.
                raise RevisionConflict(change.domain, change.revision, given=True)
            return [change]

        return write(domain, key, make)

    @app.delete(
        "/routes/<domain>", summary="Remove a route", tags=["routes"], responses=responses(200, 400, 404, 409, 412)
    )
    def delete_route(
        domain: Domain,
        note: Annotated[str, Query(description="Why, for people.")] = "",
        dry_run: DryRun = False,
        if_match: IfMatch = None,
        key: Key = None,
    ) -> Response[ChangeDocument]:
        options = write_options(note, if_match, dry_run)
        return write(domain, key, lambda rows: [rows.delete(domain, must_exist=True, **options)])

    @app.post(
        "/routes/<domain>/touch",
        summary="Empty the CDN of what it cached for a domain",
        tags=["routes"],
        responses=responses(200, 400, 404, 409, 412),
    )
    def touch_route(
        domain: Domain, body: Note, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        return write(domain, key, lambda rows: [rows.touch(domain, **options)])

    @app.post(
        "/routes/<domain>/rollback",
        summary="Make a domain what it was",
        tags=["history"],
        responses=responses(200, 201, 400, 404, 409, 412),
    )
    def rollback_route(
        domain: Domain,
        body: Rollback,
        dry_run: DryRun = False,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
        key: Key = None,
    ) -> Response[ChangeDocument]:
        options = {**dataclasses.asdict(body), "if_revision": if_revision(if_match, if_none_match), "dry_run": dry_run}
        return write(domain, key, lambda rows: rollback(rows, [domain], **options))


def openapi() -> str:
    """Return the OpenAPI document, as it is kept in docs/openapi.json."""

    def none(_caller: str, _request: str) -> RoutingTable:
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


def _plain(value: Any) -> Any:
    return value._asdict() if hasattr(value, "_asdict") else value


if __name__ == "__main__":
    print(openapi(), end="")  # noqa: T201
