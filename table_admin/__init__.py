"""The routing-table manager: a Python API, and the command `table-admin` over it."""

from edge_handler.route import CustomOrigin, Route, S3Origin
from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError, TargetRefused
from table_admin.routing_table import Change, Revision, RoutingTable

__all__ = [
    "Change",
    "CustomOrigin",
    "InvalidInput",
    "NotFound",
    "Revision",
    "RevisionConflict",
    "Route",
    "RoutingTable",
    "S3Origin",
    "TableAdminError",
    "TargetRefused",
]
