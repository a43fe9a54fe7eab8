"""The routing-table manager: a Python API, and the command `table-admin` over it."""

from edge_handler.routes.route import CustomOrigin, Route, S3Origin
from table_admin.changes import Change, Put, Revision
from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError, TargetRefused
from table_admin.routing_table import RoutingTable

__all__ = [
    "Change",
    "CustomOrigin",
    "InvalidInput",
    "NotFound",
    "Put",
    "Revision",
    "RevisionConflict",
    "Route",
    "RoutingTable",
    "S3Origin",
    "TableAdminError",
    "TargetRefused",
]
