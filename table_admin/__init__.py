"""The routing-table manager: a Python API, and the command `table-admin` over it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, S3Origin
    from edge_handler.routes.route import Route
    from table_admin.access import Access, Link, Password, Rotation
    from table_admin.changes import Change, Put, Revision
    from table_admin.deployments.deploy import Deployed, deploy
    from table_admin.edge_answer import EdgeAnswer, ask_edge
    from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError, TargetRefused
    from table_admin.routing_table import RoutingTable

__all__ = [
    "Access",
    "Change",
    "CustomOrigin",
    "Deployed",
    "DeploymentOrigin",
    "EdgeAnswer",
    "InvalidInput",
    "Link",
    "NotFound",
    "Password",
    "Put",
    "Revision",
    "RevisionConflict",
    "Rotation",
    "Route",
    "RoutingTable",
    "S3Origin",
    "TableAdminError",
    "TargetRefused",
    "ask_edge",
    "deploy",
]
_HOMES = {
    "edge_handler.routes.origin": ("CustomOrigin", "DeploymentOrigin", "S3Origin"),
    "edge_handler.routes.route": ("Route",),
    "table_admin.access": ("Access", "Link", "Password", "Rotation"),
    "table_admin.edge_answer": ("EdgeAnswer", "ask_edge"),
    "table_admin.changes": ("Change", "Put", "Revision"),
    "table_admin.deployments.deploy": ("Deployed", "deploy"),
    "table_admin.errors": ("InvalidInput", "NotFound", "RevisionConflict", "TableAdminError", "TargetRefused"),
    "table_admin.routing_table": ("RoutingTable",),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: the command must be able to catch a signal while boto3 is imported."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
