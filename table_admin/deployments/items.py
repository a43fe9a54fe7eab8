"""What is known of each deployment: an item of the deployments table, in one of four states.

`uploading`, with a lease -> `ready` -> `condemned` -> `gone`; and from the last two back to `uploading`. A row names
what is ready only: its write checks that in the same transaction. What is uploading or ready is never taken away.

Who deploys keeps this order, for `retention` removes files while others deploy:

1. `begin`. From here on the list's files are kept, as far as they are there and not condemned.
2. Put the list, as a new version whatever is there: the one that is there may be about to be removed.
3. Only then look what there is: `condemned_blobs`, and which deployments are `ready` now, whose files need not be sent.
   Send what is condemned as a new version, and the rest where it is missing (`If-None-Match: *`).
4. `ready`, with the epoch that `begin` gave; then the row.

Whatever is refused on the way (NotReady, TargetRefused) begins again at 1.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

from botocore.exceptions import ClientError

from edge_handler.routes.origin import DeploymentOrigin
from table_admin.contention import pause
from table_admin.deployments.condemned import condemned_blobs
from table_admin.deployments.keys import bucket_of, deployment_key, list_target, split_key
from table_admin.deployments.lists import NoList, read_head
from table_admin.errors import NotFound, TableAdminError
from table_admin.inputs import iso, parse_note
from table_admin.routing_table import RoutingTable
from table_admin.tables import plain_errors

State = Literal["uploading", "ready", "condemned", "gone"]
SWEEP = "_sweep"
"""The key of an item that is no deployment: who sweeps."""
LEASE_SECONDS = 6 * 3600
"""After so long without a word an upload is thought to have been given up."""
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.02
_MOST_SECONDS = 0.5
_CONFLICTS = ("ConditionalCheckFailedException", "TransactionConflictException")


class NotReady(TableAdminError):
    """The deployment was condemned since it was begun: begin again, and look again what there is."""


class NoDeployments(TableAdminError):
    """The stack has no table of deployments."""


class Begun(NamedTuple):
    """What a deployment was when it was begun."""

    state: State | None
    """None where it is new. What is `ready` needs nothing but its row."""
    epoch: int
    """For `extend_lease` and `ready`: how often it was condemned."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. Times are epoch seconds, 0 for never."""

    bucket: str
    id: str
    """Of its list: 32 hexadecimal digits."""
    region: str
    """The bucket's."""
    state: State
    created_at: str
    """ISO 8601, UTC."""
    created_by: str
    files: int
    size: int
    """Bytes of all files."""
    note: str = ""
    epoch: int = 0
    """Counts up when it is condemned: what was found before counts no more."""
    version: int = 0
    """Counts up with every write: the optimistic lock."""
    lease_until: int = 0
    unneeded_since: int = 0
    """When it was first seen that no row needs it."""
    condemned_at: int = 0
    published_at: int = 0
    """When `list_versions` and its blobs' were written down to be removed."""
    list_versions: tuple[str, ...] = ()
    verified: str = ""
    """All its blobs up to this digest were found, in `verified_epoch`."""
    verified_epoch: int = 0

    @property
    def progress(self) -> str:
        """The digest up to which its blobs were found since it was begun; empty before the first."""
        return self.verified if self.verified_epoch == self.epoch else ""

    @property
    def key(self) -> str:
        """The item's key."""
        return deployment_key(self.bucket, self.id)

    @property
    def target(self) -> str:
        """What a row names it by."""
        return list_target(self.bucket, self.id)

    @property
    def is_kept(self) -> bool:
        """Tell whether its files must not be taken away."""
        return self.state in ("uploading", "ready")


class Deployments:
    """The deployments of one stack."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._name = table.tables.deployments
        self._dynamodb = table.tables.dynamodb

    def begin(self, bucket: str, region: str, deployment: str, files: int, size: int, note: str = "") -> Begun:
        """Say that a deployment is being uploaded, or is going to be named by a row; return what it was.

        What is ready stays ready, and is kept from now on as if somebody had just needed it.
        """
        seen: list[Deployment | None] = []
        lease_until = self._now() + LEASE_SECONDS

        def begun(before: Deployment | None) -> Deployment:
            seen.append(before)
            if before is not None and before.state == "ready":
                return replace(before, unneeded_since=0)
            if before is not None and before.state == "uploading":
                return replace(before, lease_until=max(before.lease_until, lease_until))
            made = Deployment(
                bucket,
                deployment,
                region,
                "uploading",
                iso(self._table.clock()),
                self._table.actor,
                files,
                size,
                parse_note(note),
                lease_until=lease_until,
            )
            return made if before is None else replace(made, epoch=before.epoch, version=before.version)

        after = self.change(bucket, deployment, begun)
        return Begun(seen[-1].state if seen[-1] is not None else None, after.epoch)

    def extend_lease(self, bucket: str, deployment: str, epoch: int, verified: str = "") -> str:
        """Say that the upload goes on, and how far its blobs were found; return how far they are known to be there.

        Raises:
            NotReady: it was condemned meanwhile.
        """
        lease_until = self._now() + LEASE_SECONDS

        def extended(before: Deployment | None) -> Deployment:
            going_on = _of_epoch(before, epoch)
            return replace(
                going_on,
                lease_until=max(going_on.lease_until, lease_until),
                verified=max(going_on.progress, verified),
                verified_epoch=epoch,
            )

        return self.change(bucket, deployment, extended).progress

    def ready(self, bucket: str, deployment: str, epoch: int) -> None:
        """Say that the list and all files are there. Raises NotReady where it was condemned meanwhile."""

        def made_ready(before: Deployment | None) -> Deployment:
            return replace(_of_epoch(before, epoch), state="ready", lease_until=0, unneeded_since=0)

        self.change(bucket, deployment, made_ready)

    def condemned_blobs(self, bucket: str, region: str) -> frozenset[str]:
        """Return the blobs, by digest, that are there and do not count: their versions are about to be removed."""
        return condemned_blobs(self._table.client("s3", region_name=region), bucket)

    def find(self, bucket: str, deployment: str) -> Deployment | None:
        """Return a deployment as it is now, None where it never was."""
        key = {"deployment": {"S": deployment_key(bucket, deployment)}}
        with self._errors():
            answer = self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return _decode(answer["Item"]) if "Item" in answer else None

    def get(self, bucket: str, deployment: str) -> Deployment:
        """Return a deployment. Raises NotFound."""
        found = self.find(bucket, deployment)
        if found is None:
            raise NotFound(f"There is no deployment {list_target(bucket, deployment)}.")
        return found

    def list(self) -> Iterator[Deployment]:
        """Yield all deployments as they are now, in no order."""
        more: dict[str, Any] = {}
        while True:
            with self._errors():
                answer = self._dynamodb.scan(TableName=self._name, ConsistentRead=True, **more)
            yield from (_decode(item) for item in answer["Items"] if item["deployment"]["S"] != SWEEP)
            if not answer.get("LastEvaluatedKey"):
                return
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def change(self, bucket: str, deployment: str, how: Callable[[Deployment | None], Deployment]) -> Deployment:
        """Write what `how` makes of a deployment as it is now, over just that. Raises what `how` raises."""
        for attempt in range(_ATTEMPTS):
            before = self.find(bucket, deployment)
            after = how(before)
            if after == before:
                return after
            written = self.change_seen(before, after)
            if written is not None:
                return written
            time.sleep(pause(_PAUSE_SECONDS, attempt, _MOST_SECONDS))
        raise TableAdminError(f"The deployment {deployment} is being changed by many at once; try again.")

    def change_seen(self, seen: Deployment | None, after: Deployment) -> Deployment | None:
        """Write over what was seen; return what was written, None where it is not what was seen any more."""
        after = replace(after, version=after.version + 1)
        return after if self._put(seen, after) else None

    def _put(self, before: Deployment | None, after: Deployment) -> bool:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(deployment)"}
        if before is not None:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
            }
        try:
            self._dynamodb.put_item(TableName=self._name, Item=_encode(after), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CONFLICTS:
                return False
            with self._errors():
                raise
        return True

    def _now(self) -> int:
        return int(self._table.clock())

    def _errors(self) -> "_errors":
        return _errors(self._table.stack)


def _of_epoch(found: Deployment | None, epoch: int) -> Deployment:
    if found is None or not found.is_kept or found.epoch != epoch:
        raise NotReady("The deployment was given up meanwhile, and its files may be gone; deploy again.")
    return found


_TEXTS = ("region", "state", "created_at", "created_by", "note", "verified")
_NUMBERS = {
    name: "bytes" if name == "size" else name
    for name in (
        "files",
        "size",
        "epoch",
        "version",
        "lease_until",
        "unneeded_since",
        "condemned_at",
        "published_at",
        "verified_epoch",
    )
}
_ADDED: dict[str, dict[str, str]] = {"verified": {"S": ""}, "verified_epoch": {"N": "0"}}
"""What items that were written before do not have."""


def _encode(found: Deployment) -> dict[str, Any]:
    item: dict[str, Any] = {"deployment": {"S": found.key}}
    item |= {name: {"S": getattr(found, name)} for name in _TEXTS}
    item |= {attribute: {"N": str(getattr(found, name))} for name, attribute in _NUMBERS.items()}
    return item | {"list_versions": {"L": [{"S": version} for version in found.list_versions]}}


def _decode(item: Mapping[str, Mapping[str, Any]]) -> Deployment:
    try:
        item = {**_ADDED, **item}
        bucket, name = split_key(item["deployment"]["S"])
        texts = {name: str(item[name]["S"]) for name in _TEXTS}
        numbers = {name: int(item[attribute]["N"]) for name, attribute in _NUMBERS.items()}
        versions = tuple(str(version["S"]) for version in item["list_versions"]["L"])
        if texts["state"] not in get_args(State):
            raise ValueError(texts["state"])
        return Deployment(bucket, name, list_versions=versions, **texts, **numbers)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise TableAdminError(
            f"The deployments table's item {str(item.get('deployment'))[:120]} cannot be read: {error}."
        ) from error


class _errors(plain_errors):  # noqa: N801  # reads as the statement it is
    """`plain_errors`, and a sentence for a stack that is older than deployments."""

    def __init__(self, stack: str) -> None:
        self._stack = stack

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise NoDeployments(no_table(self._stack)) from error
        super().__exit__(kind, error, traceback)


def why_not_served(table: RoutingTable, origin: DeploymentOrigin) -> str:
    """Return why a deployment cannot be served, empty where it can. Raises TableAdminError where nobody knows."""
    bucket = bucket_of(origin.domain_name)
    found = Deployments(table).find(bucket, origin.deployment)
    if found is None:
        return "Nothing is known of this deployment."
    if found.state != "ready":
        return f"The deployment is {found.state}, not ready."
    try:
        read_head(table.client("s3", region_name=origin.region), bucket, origin.deployment)
    except NoList as error:
        return str(error)
    return ""


def no_table(stack: str) -> str:
    """Return what is said where a stack is older than deployments."""
    return f"The stack {stack} has no table of deployments here; check --stack and the region, or update the stack."
