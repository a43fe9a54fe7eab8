"""The HTTP API's resources of second targets: a canary that is begun, weighed, promoted, aborted; failover."""

from collections.abc import Callable, Sequence

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from table_admin import canary
from table_admin.changes import Change
from table_admin.documents import ChangeDocument
from table_admin.failover import fail_back, fail_over
from table_admin.ownership import OnLeft
from table_admin.routing_table import RoutingTable
from table_admin.web.models import Changes, Domain, DryRun, IfMatch, Key, Name, Note, StartCanary, Weight
from table_admin.web.problems import responses
from table_admin.web.writes import Write, WriteAll, write_options

_RESPONSES = responses(200, 400, 404, 409, 412)


def add(app: APIGatewayHttpResolver, write: Write, write_all: WriteAll) -> None:
    """Add the resources to an API."""
    _add_canary(app, write)
    _add_failover(app, write)
    _add_failover_of_all(app, write_all)


def _add_canary(app: APIGatewayHttpResolver, write: Write) -> None:
    @app.post(
        "/routes/<domain>/canary",
        summary="Begin a canary: give a share of a domain's viewers a second target",
        tags=["second targets"],
        responses=_RESPONSES,
    )
    def start_canary(
        domain: Domain, body: StartCanary, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        options |= {"weight": body.weight, "cookie": body.cookie, "keep_host": body.keep_host}
        target, of = body.target or "", body.from_domain or ""
        return write(domain, key, lambda rows: [canary.start(rows, domain, target, of=of, **options)])

    @app.post(
        "/routes/<domain>/canary/weight",
        summary="Give a domain's canary another share",
        tags=["second targets"],
        responses=_RESPONSES,
    )
    def weigh_canary(
        domain: Domain, body: Weight, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        return write(domain, key, lambda rows: [canary.weigh(rows, domain, body.weight, **options)])

    @app.post(
        "/routes/<domain>/canary/promote",
        summary="Give all viewers what the canary's get",
        tags=["second targets"],
        responses=_RESPONSES,
    )
    def promote_canary(
        domain: Domain, body: Note, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        return write(domain, key, lambda rows: [canary.promote(rows, domain, **options)])

    @app.post(
        "/routes/<domain>/canary/abort",
        summary="Give all viewers the domain's own target again",
        tags=["second targets"],
        responses=_RESPONSES,
    )
    def abort_canary(
        domain: Domain, body: Note, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        return write(domain, key, lambda rows: [canary.abort(rows, domain, **options)])


def _add_failover(app: APIGatewayHttpResolver, write: Write) -> None:
    @app.post(
        "/routes/<domain>/fail-over",
        summary="Move a domain to its standby",
        tags=["second targets"],
        responses=_RESPONSES,
    )
    def fail_over_route(
        domain: Domain, body: Note, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        return write(domain, key, lambda rows: fail_over(rows, [domain], **options))

    @app.post(
        "/routes/<domain>/fail-back",
        summary="Move a domain back from its standby",
        tags=["second targets"],
        responses=_RESPONSES,
    )
    def fail_back_route(
        domain: Domain, body: Note, dry_run: DryRun = False, if_match: IfMatch = None, key: Key = None
    ) -> Response[ChangeDocument]:
        options = write_options(body.note, if_match, dry_run)
        return write(domain, key, lambda rows: fail_back(rows, [domain], **options))


def _add_failover_of_all(app: APIGatewayHttpResolver, write: WriteAll) -> None:
    @app.post(
        "/environments/<name>/fail-over",
        summary="Move all that it manages and that have one to their standbys",
        tags=["second targets"],
        responses=responses(200, 400, 404, 409),
    )
    def fail_over_environment(name: Name, body: Note, dry_run: DryRun = False, key: Key = None) -> Changes:
        return moved(fail_over, name, body, dry_run, key)

    @app.post(
        "/environments/<name>/fail-back",
        summary="Move all that it manages back from their standbys",
        tags=["second targets"],
        responses=responses(200, 400, 404, 409),
    )
    def fail_back_environment(name: Name, body: Note, dry_run: DryRun = False, key: Key = None) -> Changes:
        return moved(fail_back, name, body, dry_run, key)

    def moved(move: Callable[..., list[Change]], name: str, body: Note, dry_run: bool, key: str | None) -> Changes:
        def make(rows: RoutingTable, left: OnLeft) -> Sequence[Change]:
            return move(rows, environment=name, note=body.note, dry_run=dry_run, on_left=left)

        return write(name, key, make)
