"""The HTTP API's resources of environments and of declarations."""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from table_admin import branches, environments
from table_admin.changes import Change
from table_admin.documents import change_document, route_document
from table_admin.environment_rollback import rollback_environment
from table_admin.errors import InvalidInput, NotFound
from table_admin.manifest import load_manifest
from table_admin.ownership import OnLeft, routes_of, rows_of
from table_admin.plan import Plan, apply_plan, make_plan
from table_admin.promotions import promote
from table_admin.routing_table import RoutingTable
from table_admin.web.models import (
    Changes,
    Declaration,
    DryRun,
    EnvironmentDocument,
    EnvironmentName,
    Environments,
    Extend,
    IfMatchAll,
    Key,
    Name,
    Note,
    PlanDocument,
    Promote,
    RollbackEnvironment,
    Routes,
    Up,
    options_of,
)
from table_admin.web.problems import responses
from table_admin.web.writes import WriteAll, changes_of, keeping


def add(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable], write: WriteAll) -> None:
    """Add the resources to an API."""
    _add_environments(app, table, write)
    _add_moves(app, table, write)
    _add_declarations(app, table)


def _down(table: RoutingTable, name: str, on_left: OnLeft, **options: Any) -> Sequence[Change]:
    left = False

    def keep(domain: str, why: str) -> None:
        nonlocal left
        left = True
        on_left(domain, why)

    changes = environments.down(table, name, on_left=keep, **options)
    if not changes and not left:
        raise NotFound(f"There is no environment {name}.")  # as HTTP's DELETE says it; the command ends with 0
    return changes


def _add_environments(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable], write: WriteAll) -> None:
    @app.get("/environments", summary="List environments", tags=["environments"], responses=responses(200))
    def list_environments() -> Environments:
        found = environments.summaries(table())
        return Environments([EnvironmentDocument(**dataclasses.asdict(one)) for one in found])

    @app.get(
        "/environments/<name>", summary="Show its routes", tags=["environments"], responses=responses(200, 400, 404)
    )
    def get_environment(name: Name) -> Response[Routes]:
        # As they are now, unlike a listing: the ETag is of what is answered.
        rows = rows_of(table(), name)
        found = rows.managed | rows.others
        if not found:
            raise NotFound(f"There is no environment {name}.")
        routes = Routes(list(map(route_document, sorted(routes_of(found.values())))))
        return Response(HTTPStatus.OK, "application/json", routes, {"ETag": f'"{rows.tag()}"'})

    @app.put(
        "/environments/<name>",
        summary="Create it or change it: a URL per service, in one transaction",
        tags=["environments"],
        responses=responses(200, 400, 409),
    )
    def put_environment(name: Name, body: Up, dry_run: DryRun = False, key: Key = None) -> Changes:
        options = options_of(body)

        def make(rows: RoutingTable, left: OnLeft) -> Sequence[Change]:
            return environments.up(rows, name, dry_run=dry_run, on_left=left, **options)

        return write(name, key, make)

    @app.delete(
        "/environments/<name>",
        summary="Remove all routes that it manages",
        tags=["environments"],
        responses=responses(200, 400, 404, 409, 412),
    )
    def delete_environment(
        name: Name,
        note: str = "",
        source: Annotated[str | None, Query(description="Only if it is of this branch or pull request.")] = None,
        force: Annotated[bool, Query(description="Also where other domains are served from its targets.")] = False,
        dry_run: DryRun = False,
        if_match: IfMatchAll = None,
        key: Key = None,
    ) -> Changes:
        options = {"source": source, "force": force, "note": note, "if_tag": _if_tag(if_match), "dry_run": dry_run}

        def make(rows: RoutingTable, left: OnLeft) -> Sequence[Change]:
            return _down(rows, name, left, **options)

        return write(name, key, make)

    @app.get(
        "/environment-name",
        summary="What a branch's environment is called",
        tags=["environments"],
        responses=responses(200, 400),
    )
    def get_name(
        branch: Annotated[str, Query(description="Any branch's name, e.g. feature/ABC_123.")],
    ) -> EnvironmentName:
        return EnvironmentName(branches.name_of(table(), branch))


def _add_moves(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable], write: WriteAll) -> None:
    @app.post(
        "/environments/<name>/extend",
        summary="Give all routes that it manages a new expiry",
        tags=["environments"],
        responses=responses(200, 400, 404, 409, 412),
    )
    def extend_environment(
        name: Name, body: Extend, dry_run: DryRun = False, if_match: IfMatchAll = None, key: Key = None
    ) -> Changes:
        options = {**dataclasses.asdict(body), "if_tag": _if_tag(if_match), "dry_run": dry_run}

        def make(rows: RoutingTable, left: OnLeft) -> Sequence[Change]:
            return environments.extend(rows, name, on_left=left, **options)

        return write(name, key, make)

    @app.post(
        "/environments/<name>/adopt",
        summary="Let it manage all routes that are under its name",
        tags=["environments"],
        responses=responses(200, 400, 404, 409),
    )
    def adopt_environment(name: Name, body: Note, dry_run: DryRun = False, key: Key = None) -> Changes:
        def make(rows: RoutingTable, left: OnLeft) -> Sequence[Change]:
            return environments.adopt(rows, name, note=body.note, dry_run=dry_run, on_left=left)

        return write(name, key, make)

    @app.post(
        "/environments/<name>/promote",
        summary="Send domains to where its services are, in one transaction",
        tags=["environments"],
        responses=responses(200, 400, 404, 409),
    )
    def promote_environment(name: Name, body: Promote, dry_run: DryRun = False) -> Changes:
        # A second run changes nothing, so no key is needed.
        return changes_of(promote(table(), name, body.domains, note=body.note, dry_run=dry_run))

    @app.post(
        "/environments/<name>/rollback",
        summary="Make its domains what they were at a time",
        tags=["history"],
        responses=responses(200, 400, 409),
    )
    def rollback_all(name: Name, body: RollbackEnvironment, dry_run: DryRun = False) -> Changes:
        rows = table()
        since = rows.since(body.since)
        left: list[str] = []
        changes = rollback_environment(rows, name, since, note=body.note, dry_run=dry_run, on_left=keeping(left))
        return changes_of([*changes], left)


def _add_declarations(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable]) -> None:
    @app.post(
        "/plan",
        summary="What a declaration would change",
        tags=["declarations"],
        responses=responses(200, 400),
    )
    def post_plan(body: Declaration) -> PlanDocument:
        return _plan_document(_plan(table(), body))

    @app.post(
        "/apply",
        summary="Make the table as a declaration says",
        tags=["declarations"],
        responses=responses(200, 400, 409),
    )
    def post_apply(body: Declaration) -> PlanDocument:
        rows = table()
        plan = _plan(rows, body)
        changes = [*apply_plan(rows, plan, expected=body.plan, force=body.force)]
        return dataclasses.replace(_plan_document(plan), changes=list(map(change_document, changes)))


def _if_tag(if_match: str | None) -> str | None:
    if if_match is None:
        return None
    tag = re.fullmatch(r'\s*"?([0-9a-f]{16})"?\s*', if_match)
    if not tag:
        raise InvalidInput("If-Match takes one ETag of an environment, as GET answers it.")
    return tag[1]


def _plan(table: RoutingTable, body: Declaration) -> Plan:
    # JSON is YAML, and the checks are the file's own.
    text = json.dumps({"owner": body.owner, "routes": body.routes}, indent=0)
    return make_plan(table, load_manifest("request", text), adopt=body.adopt)


def _plan_document(plan: Plan) -> PlanDocument:
    changes: list[Any] = list(map(change_document, plan.changes))
    return PlanDocument(plan.id, plan.owner, changes, plan.unchanged)
