"""The command `table-admin`: thin over the Python API, every verb one of its functions."""

import contextlib
import getpass
import os
import sys
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from table_admin.cli import bulk, checks, console, environments, plans, routes
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.routing_table import RoutingTable

# botocore's own would keep a person waiting for half a minute before it says that nobody answers.
_PATIENCE = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=20)
_COMPLETE = "_TABLE_ADMIN_COMPLETE"
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--stack", default="edge-routing", envvar="TABLE_ADMIN_STACK", show_default=True, help="Whose tables.")
@click.option("--actor", default=None, envvar="TABLE_ADMIN_ACTOR", help="Who does this; the user's name by default.")
@click.option("--profile", default=None, help="The AWS profile.")
@click.option("--region", default=None, help="The tables' AWS region.")
@click.option("--endpoint-url", default=None, help="Instead of AWS, e.g. http://127.0.0.1:4566.")
@click.version_option(package_name="edge-routing")
@click.pass_context
def cli(
    context: click.Context,
    stack: str,
    actor: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> None:
    """Manage which URL goes where. Changes are seen at the edge within seconds."""
    if context.resilient_parsing or context.invoked_subcommand == "completion":
        return
    session = boto3.Session(profile_name=profile, region_name=region)

    def client(service: str, **options: Any) -> Any:
        options.setdefault("region_name", session.region_name or "us-east-1")
        try:
            return session.client(service, endpoint_url=endpoint_url, config=_PATIENCE, **options)  # type: ignore[call-overload]
        except ValueError as error:
            raise InvalidInput(f"The region or the endpoint cannot be used: {error}.") from error

    context.obj = RoutingTable(stack, actor=actor or _user(), client=client)


@cli.command()
@click.argument("shell", type=click.Choice([*_SHELLS]))
def completion(shell: str) -> None:
    """Print what a shell completes table-admin with: eval "$(table-admin completion bash)"."""
    click.echo(_SHELLS[shell](cli, {}, "table-admin", _COMPLETE).source())


for module in (routes, environments, plans, bulk, checks, console):
    for command in module.COMMANDS:
        cli.add_command(command)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def main(arguments: list[str] | None = None) -> None:
    """Run the command: exit status 0, 1 for a failure or 2 for wrong usage, with one line that says why."""
    if _COMPLETE in os.environ:
        cli.main(prog_name="table-admin", complete_var=_COMPLETE)
    try:
        sys.exit(cli.main(arguments, prog_name="table-admin", standalone_mode=False) or 0)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted.", 130)
    except InvalidInput as error:
        _fail(str(error), 2)
    except TableAdminError as error:
        _fail(str(error), 1)
    except BotoCoreError as error:
        _fail(f"AWS cannot be asked: {error}", 1)
    except UnicodeEncodeError as error:
        _fail(f"{error.object[error.start : error.end]!r} cannot be used or shown here.", 2)
    except BrokenPipeError:
        # The reader, say `head`, has seen enough. Python would complain once more when it flushes.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(message: str, status: int) -> None:
    line = " ".join(message.split()).encode("utf-8", "replace").decode()
    click.echo(f"table-admin: {line}", err=True)
    sys.exit(status)
