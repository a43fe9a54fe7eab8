"""Where the edge's stack keeps its snapshots."""

from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable
from table_admin.snapshots.places import Bucket, parse_buckets
from table_admin.stack import stack_output


def stack_buckets(table: RoutingTable) -> list[Bucket]:
    """Return the buckets that the edge's stack made for snapshots. Raises TableAdminError where there is none."""
    found, why = stack_output(table, "SnapshotBuckets")
    if not found:
        raise TableAdminError(f"Which bucket the snapshot goes to is not known: {why}. Say it: --bucket NAME@REGION.")
    return parse_buckets(found)
