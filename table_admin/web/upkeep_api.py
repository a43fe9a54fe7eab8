"""The HTTP API's resources of checks and upkeep."""

import dataclasses
from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from table_admin import upkeep
from table_admin.changes import Change
from table_admin.doctor import doctor
from table_admin.documents import change_document
from table_admin.routing_table import RoutingTable
from table_admin.upkeep import Lost, Orphan
from table_admin.web.models import Domain, DryRun, FindingDocument, Findings, OrphanDocument, Upkeep
from table_admin.web.problems import responses


def add(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable]) -> None:
    """Add the resources to an API."""

    @app.get(
        "/routes/<domain>/doctor",
        summary="What is wrong on a request's way, and how to mend it",
        tags=["upkeep"],
        responses=responses(200, 400),
    )
    def get_findings(domain: Domain) -> Findings:
        return Findings([FindingDocument(**dataclasses.asdict(finding)) for finding in doctor(table(), domain)])

    @app.post("/sweep", summary="Remove expired rows, and report orphans", tags=["upkeep"], responses=responses(200))
    def post_sweep(dry_run: DryRun = False) -> Upkeep:
        rows = table()
        return _shown([*upkeep.sweep(rows, dry_run=dry_run), *upkeep.gone(rows)])

    @app.post("/refresh", summary="Resolve load balancers again", tags=["upkeep"], responses=responses(200))
    def post_refresh(dry_run: DryRun = False) -> Upkeep:
        return _shown([*upkeep.refresh(table(), dry_run=dry_run)])


def _shown(outcomes: list[Change | Orphan | Lost]) -> Upkeep:
    return Upkeep(
        [change_document(outcome) for outcome in outcomes if isinstance(outcome, Change)],
        [OrphanDocument(**dataclasses.asdict(outcome)) for outcome in outcomes if isinstance(outcome, Orphan)],
        [OrphanDocument(**dataclasses.asdict(outcome)) for outcome in outcomes if isinstance(outcome, Lost)],
    )
