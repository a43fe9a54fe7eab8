"""What every verb takes, before it or after it, and the table that comes of it."""

import functools
import getpass
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import click
from botocore.config import Config

from table_admin.config import Setting, settings
from table_admin.errors import InvalidInput
from table_admin.routing_table import RoutingTable

# botocore's own would keep a person waiting for half a minute before it says that nobody answers.
PATIENCE = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=20)
_GIVEN = "table_admin.given"
WRITES = "table_admin.writes"
"""In a context's meta: whether its verb writes."""
MAY_BE_EMPTY = ("note",)
"""A commit may have no message; nothing is done otherwise for it."""


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        refuse_empty(context, parameter, value)
        context.meta.setdefault(_GIVEN, {})[parameter.name] = value


def _everywhere(name: str, text: str) -> click.Option:
    return click.Option([name], help=text, expose_value=False, callback=_keep)


EVERYWHERE = (
    _everywhere("--stack", "Whose tables; edge-routing by default."),
    _everywhere("--actor", "Who does this; the user's name by default."),
    _everywhere("--profile", "The AWS profile."),
    _everywhere("--region", "The tables' AWS region."),
    _everywhere("--endpoint-url", "Instead of AWS, e.g. http://127.0.0.1:4566."),
)
"""The innermost counts."""


def prepare(command: click.Command, *, table: Callable[[click.Command], bool]) -> None:
    """Give a verb, or a group's, what all have: EVERYWHERE, no empty values, and the RoutingTable as its object.

    Args:
        command: the verb.
        table: tells whether a verb needs it.
    """
    for parameter in command.params:
        if parameter.callback is None:
            parameter.callback = refuse_empty
    command.params.extend(EVERYWHERE)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            prepare(inner, table=table)
    elif command.callback is not None and table(command):
        command.callback = _with_table(command.callback)


def refuse_empty(_context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Raise BadParameter for an empty value: more often than not a variable that is not set."""
    values = value if isinstance(value, tuple) else (value,)
    if parameter.name not in MAY_BE_EMPTY and any(isinstance(text, str) and not text.strip() for text in values):
        raise click.BadParameter("it is empty; give it a value or leave it out.", param=parameter)
    return value


def setting(name: str) -> Setting:
    """Return what holds for the verb that runs. Raises InvalidInput for a wrong file or variable."""
    return current_settings()[name]


def current_settings() -> dict[str, Setting]:
    """Return all that holds for the verb that runs. Raises InvalidInput for a wrong file or variable."""
    return settings(click.get_current_context().meta.get(_GIVEN, {}))


def _with_table(verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    def called(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        context.meta[WRITES] = "dry_run" in context.params
        context.obj = make_table(current_settings())
        return verb(*arguments, **options)

    return called


def make_table(found: dict[str, Setting]) -> RoutingTable:
    """Return the table that settings name. Raises InvalidInput where they cannot be used."""
    session = boto3.Session(profile_name=found["profile"].value or None, region_name=found["region"].value or None)

    @functools.cache  # a client takes 50 ms of processor, and each its own connections
    def client_in(region: str, service: str) -> Any:
        given = found["endpoint_url"]
        # A variable is botocore's to read: there is one for each service, too, which counts more.
        url = given.value if given.source == "--endpoint-url" else None
        try:
            made: Any = session.client(service, region, endpoint_url=url, config=PATIENCE)  # type: ignore[call-overload]
            _ = urlsplit(made.meta.endpoint_url).port  # raises where it is none; botocore would with the first request
            return made
        except (ValueError, TypeError, OSError) as error:
            raise InvalidInput(f"The region, the endpoint or the environment cannot be used: {error}.") from error

    def client(service: str, region_name: str | None = None) -> Any:
        return client_in(region_name or session.region_name or "us-east-1", service)

    return RoutingTable(found["stack"].value, actor=found["actor"].value or _user(), client=client)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
