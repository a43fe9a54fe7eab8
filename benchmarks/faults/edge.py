"""An instance of viewer-request, made as Lambda makes it but for where its replicas are."""

from collections.abc import Sequence

from benchmarks.faults.tables import TABLE
from benchmarks.faults.viewer import Viewer
from edge_handler import viewer_request
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import load_settings
from edge_handler.table.reader import RoutesTable


def make_viewer(replicas: Sequence[str], scheme: str) -> Viewer:
    """Return a viewer of a new instance, whose `replicas` are at these hosts and ports."""
    settings = load_settings({})._replace(table=TABLE, regions=tuple(replicas), endpoint=f"{scheme}://{{region}}")
    return Viewer(viewer_request.make_handler(Resolver(RoutesTable.from_settings(settings), settings)))
