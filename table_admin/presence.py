"""Whether there is anything behind an origin that could be served."""

from edge_handler.routes.origin import DeploymentOrigin, S3Origin
from edge_handler.routes.redirect import Answering
from table_admin.deployments.items import why_not_served
from table_admin.routing_table import RoutingTable
from table_admin.targets import objects_under


def why_nothing(table: RoutingTable, origin: Answering) -> str:
    """Return why no file could be served from a bucket, empty where one could, and for an origin that is none.

    Raises TableAdminError where that cannot be found out.
    """
    if isinstance(origin, S3Origin) and not objects_under(table.client, origin):
        return "Nothing is under the prefix."
    return why_not_served(table, origin) if isinstance(origin, DeploymentOrigin) else ""
