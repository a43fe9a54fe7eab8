"""Errors as problem details, RFC 9457."""

import json
import re
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from table_admin.deployments.elsewhere import Missing
from table_admin.deployments.items import NotReady
from table_admin.errors import (
    InvalidInput,
    NoFeed,
    NotFound,
    Overtaken,
    RevisionConflict,
    TableAdminError,
    TargetRefused,
)
from table_admin.ownership import EnvironmentMoved, Taken
from table_admin.plan import PlanMoved, Unsafe
from table_admin.promotions import StillServed
from table_admin.web.models import Problem

PROBLEM = "application/problem+json"
_STATUS: dict[type[TableAdminError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    RevisionConflict: HTTPStatus.CONFLICT,
    PlanMoved: HTTPStatus.CONFLICT,
    EnvironmentMoved: HTTPStatus.PRECONDITION_FAILED,
    Taken: HTTPStatus.CONFLICT,
    Missing: HTTPStatus.CONFLICT,
    NotReady: HTTPStatus.CONFLICT,
    NoFeed: HTTPStatus.CONFLICT,
    Overtaken: HTTPStatus.CONFLICT,
    StillServed: HTTPStatus.CONFLICT,
    Unsafe: HTTPStatus.UNPROCESSABLE_ENTITY,
    TargetRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class KeyReused(TableAdminError):
    """The idempotency key was used for another request."""


_STATUS[KeyReused] = HTTPStatus.UNPROCESSABLE_ENTITY


def responses(*statuses: int) -> Any:
    """Return what OpenAPI says of a resource: the result where it succeeds, else a problem."""
    found: dict[int, Any] = {}
    for status in (*statuses, 422, 500):
        found[status] = {"description": _phrase(status)}
        if status >= 400:
            found[status]["content"] = {PROBLEM: {"model": Problem}}
    return found


def add_problems(app: APIGatewayHttpResolver) -> None:
    """Answer whatever goes wrong on purpose with a problem."""

    def invalid(error: RequestValidationError) -> Response[str]:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return _problem(422, "urn:table-admin:invalid-request", f"{where}: {first['msg']}.")

    def refused(error: TableAdminError) -> Response[str]:
        status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        more: dict[str, Any] = {}
        if isinstance(error, RevisionConflict):
            more["revision"] = error.revision
            if {"if-match", "if-none-match"} & {name.lower() for name in app.current_event.headers}:
                status = HTTPStatus.PRECONDITION_FAILED
        kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
        return _problem(status, f"urn:table-admin:{kind}", str(error), **more)

    def unreadable(error: RecursionError | ValueError) -> Response[str]:
        # What json says of a body that is too deep, or of a number that is too long; of anything else it is a mistake.
        if isinstance(error, RecursionError) or "integer string conversion" in str(error):
            return _problem(
                400,
                "urn:table-admin:invalid-request",
                "The body cannot be read: it nests too deeply, or has a number of thousands of digits.",
            )
        raise error

    def service(error: ServiceError) -> Response[str]:
        return _problem(error.status_code, "about:blank", str(error.msg))

    app.exception_handler(RequestValidationError)(invalid)
    app.exception_handler(TableAdminError)(refused)
    app.exception_handler(ServiceError)(service)
    app.exception_handler([RecursionError, ValueError])(unreadable)


def _problem(status: int, kind: str, detail: str, **more: Any) -> Response[str]:
    body = {"type": kind, "title": _phrase(status), "status": status, "detail": detail, **more}
    return Response(status, PROBLEM, json.dumps(body))


def _phrase(status: int) -> str:
    """Return a status's name as RFC 9110 has it; Python renamed this one in 3.13."""
    return "Unprocessable Content" if status == HTTPStatus.UNPROCESSABLE_ENTITY else HTTPStatus(status).phrase
