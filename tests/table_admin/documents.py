"""A domain in files that are exported and imported, and in a declaration that is applied."""

import csv
import io
import json
from typing import Any

from table_admin import RoutingTable
from table_admin.bulk import export_routes, import_routes
from table_admin.files import FIELDS, Format
from table_admin.manifest import Manifest, load_manifest
from table_admin.plan import apply_plan, make_plan

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST = "www.example.com"


def exported(table: RoutingTable, form: Format) -> str:
    out = io.StringIO()
    export_routes(table.list(), out, form)
    return out.getvalue()


def imported(table: RoutingTable, text: str, form: Format) -> tuple[int, int, int, int]:
    """Return how many rows were created, updated, unchanged and rejected."""
    done = import_routes(table, io.StringIO(text, newline=""), form)
    return done.created, done.updated, done.unchanged, done.rejected


def cells(**values: str) -> str:
    """Return a CSV file with a line for HOST."""
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS)
    writer.writeheader()
    writer.writerow({"domain": HOST, "target": A, **values})
    return out.getvalue()


def manifest(body: Any) -> Manifest:
    """Return a declaration of HOST."""
    return load_manifest("routes.json", json.dumps({"owner": "shop", "routes": {HOST: body}}))


def applied(table: RoutingTable, body: Any) -> int:
    """Apply a declaration of HOST; return how many changes it made."""
    return len([*apply_plan(table, make_plan(table, manifest(body)))])
