"""The HTTP API's resources of deployments: for who has a directory and no credentials but this API's.

No file comes through here. A manifest says what there is; each file is put into the bucket with a URL that is signed
for its bytes alone; a target comes of it, for a route or an environment.
"""

import os
from collections.abc import Callable, Sequence
from typing import Annotated

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Query

from table_admin.changes import decode
from table_admin.deployments.deploy import stack_bucket
from table_admin.deployments.elsewhere import Elsewhere, begin, upload_page, verify
from table_admin.deployments.items import Deployment, Deployments
from table_admin.deployments.keys import deployments_of
from table_admin.deployments.lists import Sites
from table_admin.deployments.manifests import MOST_BYTES, MOST_FILES, check_digest, manifest_key
from table_admin.deployments.uploads import Upload, presigned
from table_admin.errors import InvalidInput
from table_admin.inputs import parse_host
from table_admin.routing_table import RoutingTable
from table_admin.web.models import (
    BeginDeployment,
    BegunDocument,
    Bucket,
    Cursor,
    DeploymentDocument,
    DeploymentId,
    DeploymentsDocument,
    Manifest,
    Ready,
    ReadyDocument,
    UploadDocument,
    UploadsPage,
)
from table_admin.web.problems import responses

SECONDS = 3600
"""A URL's life. A function's own credentials may end sooner; then the page is asked for again."""
_MANIFEST = (
    'It is JSON: {"files": {"index.html": {"sha256": "...", "size": 12}}, "_redirects": "...", "_headers": "..."}.'
    " The last two are what is in the files of these names, where there are any."
    f" It has {MOST_FILES:,} files at most; for more there is the command, table-admin deploy."
)
_For = Annotated[str | None, Query(alias="for", description="The domain it is for: what that has now is not sent.")]


def add(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable]) -> None:
    """Add the resources to an API."""
    _add_reads(app, table)
    _add_steps(app, table)


def _add_reads(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable]) -> None:
    @app.get("/deployments", summary="List deployments", tags=["deployments"], responses=responses(200))
    def list_deployments() -> DeploymentsDocument:
        return DeploymentsDocument(sorted(map(_document, Deployments(table()).list()), key=lambda one: one.created_at))

    @app.get(
        "/deployments/<deployment>",
        summary="Show a deployment",
        tags=["deployments"],
        responses=responses(200, 400, 404),
    )
    def get_deployment(deployment: DeploymentId, bucket: Bucket = None) -> DeploymentDocument:
        rows = table()
        return _document(Deployments(rows).get(_bucket(rows, bucket), deployment))


def _add_steps(app: APIGatewayHttpResolver, table: Callable[..., RoutingTable]) -> None:
    @app.post(
        "/manifests",
        summary="Where to send a manifest, the first step",
        description=_MANIFEST,
        tags=["deployments"],
        responses=responses(200, 400),
    )
    def post_manifest(body: Manifest) -> UploadDocument:
        if body.size > MOST_BYTES:
            raise InvalidInput(f"A manifest has at most {MOST_BYTES // 2**20} MiB.")
        place = _elsewhere(table(), body.bucket, None)
        upload = Upload(manifest_key(check_digest(body.sha256)), body.sha256, body.size, b"", True)
        return _signed(place, upload)

    @app.post(
        "/deployments",
        summary="Begin a deployment of what a manifest describes, the second step",
        tags=["deployments"],
        responses=responses(200, 400, 404),
    )
    def post_deployment(body: BeginDeployment) -> BegunDocument:
        place = _elsewhere(table(), body.bucket, body.domain)
        begun = begin(place, body.manifest, spa=body.spa, force=body.force, note=body.note)
        return BegunDocument(begun.deployment, begun.target, begun.state, begun.epoch, begun.files, [*begun.notes])

    @app.get(
        "/deployments/<deployment>/uploads",
        summary="Where to send its files, the third step: a page of those that are not known to be there",
        tags=["deployments"],
        responses=responses(200, 400, 404, 409),
    )
    def get_uploads(
        deployment: DeploymentId, bucket: Bucket = None, domain: _For = None, cursor: Cursor = None
    ) -> UploadsPage:
        place = _elsewhere(table(), bucket, domain)
        uploads, more = upload_page(place, deployment, cursor)
        return UploadsPage([_signed(place, upload) for upload in uploads], more)

    @app.post(
        "/deployments/<deployment>/ready",
        summary="Say that its files are there, the last step but the route; they are looked for",
        tags=["deployments"],
        responses=responses(200, 400, 404, 409),
    )
    def post_ready(deployment: DeploymentId, body: Ready) -> ReadyDocument:
        place = _elsewhere(table(), body.bucket, body.domain)
        more = verify(place, deployment, body.epoch, body.cursor)
        return ReadyDocument("ready" if more is None else "uploading", place.target(deployment), more)


def _elsewhere(table: RoutingTable, bucket: str | None, domain: str | None) -> Elsewhere:
    name = _bucket(table, bucket)
    region = table.targets.region(name)
    sites = Sites(table.client("s3", region_name=region), name)
    return Elsewhere(table, sites, region, _former(table, name, domain))


def _bucket(table: RoutingTable, given: str | None) -> str:
    return given or os.environ.get("TABLE_ADMIN_BUCKET") or stack_bucket(table)


def _former(table: RoutingTable, bucket: str, domain: str | None) -> Sequence[str]:
    if domain is None:
        return []
    name = parse_host(domain)
    return deployments_of(decode(table.tables.read([name]).get(name)), bucket)


def _signed(place: Elsewhere, upload: Upload) -> UploadDocument:
    url, headers = presigned(place.sites.s3, place.sites.bucket, upload, SECONDS)
    return UploadDocument(upload.sha256, upload.size, url, headers)


def _document(found: Deployment) -> DeploymentDocument:
    return DeploymentDocument(
        found.id,
        found.bucket,
        found.target,
        found.state,
        found.files,
        found.size,
        found.created_at,
        found.created_by,
        found.note,
    )
