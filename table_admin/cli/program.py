"""The tree of verbs, and what their failures are called."""

import contextlib
import errno
import os
import sys
import traceback

import click
from botocore.exceptions import BotoCoreError
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from table_admin.cli import (
    access,
    bulk,
    checks,
    configuration,
    console,
    deploy,
    deployments,
    discard,
    environments,
    maintenance,
    plans,
    routes,
    say,
    second_targets,
    snapshot,
    watch,
)
from table_admin.cli.session import EVERYWHERE, WRITES, prepare, setting
from table_admin.errors import InvalidInput, TableAdminError

_COMPLETE = "_TABLE_ADMIN_COMPLETE"
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_OF_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EBADF)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="edge-routing")
@click.pass_context
def cli(context: click.Context) -> None:
    """Manage which URL goes where. Changes are seen at the edge within seconds."""
    # Callables: --help does not read a file.
    context.default_map = {"env": {"up": {"base": lambda: setting("base").value or None}}}


@click.command()
@click.argument("shell", type=click.Choice([*_SHELLS]))
def completion(shell: str) -> None:
    """Print what a shell completes table-admin with: eval "$(table-admin completion bash)"."""
    click.echo(_SHELLS[shell](cli, {}, "table-admin", _COMPLETE).source())


_WITHOUT_TABLE = (completion, plans.schema, configuration.config)
cli.params.extend(EVERYWHERE)
_MODULES = (
    *(
        routes,
        watch,
        environments,
        second_targets,
        access,
        maintenance,
        deploy,
        deployments,
        plans,
        bulk,
        checks,
        snapshot,
        console,
    ),
    configuration,
)
for _module in _MODULES:
    for _command in _module.COMMANDS:
        cli.add_command(_command)
cli.add_command(completion)
for _command in cli.commands.values():
    prepare(_command, table=lambda command: command not in _WITHOUT_TABLE)


def run(arguments: list[str]) -> int:
    """Run a command line and return its status, after one line that says why where it is not 0."""
    context = None
    try:
        if os.environ.get(_COMPLETE):
            _complete(arguments)
        with cli.make_context("table-admin", list(arguments)) as context:
            status = cli.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as done:
        status = done.exit_code
    except BrokenPipeError:
        # The reader, say `head`, has seen enough. What was to be written may not have been.
        discard(sys.stdout)
        return int(bool(context and context.meta.get(WRITES)))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the last to catch anything
        message, status = _told(error)
        if isinstance(error, OSError) and error.filename is None and context and context.meta.get(WRITES):
            message += " What was written in the table is written: see table-admin history."
        if isinstance(error, OSError):
            discard(sys.stdout)
        if isinstance(error, click.Abort):  # at a prompt: what is said next has a line of its own
            with contextlib.suppress(OSError):
                click.echo(err=True)
        say(message)
    return status if isinstance(status, int) else 0


def _complete(arguments: list[str]) -> None:
    """Print what a shell asks for, and end."""
    try:
        cli.main(arguments, prog_name="table-admin", complete_var=_COMPLETE)
    except (KeyError, ValueError) as error:
        raise InvalidInput(
            f"{_COMPLETE} is for shells, see table-admin completion; not understood: {error}."
        ) from error


def _told(error: BaseException) -> tuple[str, int]:
    """Return one line that says what is wrong and what to do, and the status."""
    status = 1
    match error:
        case click.ClickException():
            message, status = error.format_message(), error.exit_code
        case click.Abort() | KeyboardInterrupt():
            message = "interrupted."
        case TableAdminError():
            message, status = str(error), 2 if isinstance(error, InvalidInput) else 1
        case BotoCoreError():
            message = f"AWS cannot be asked: {error}"
        case UnicodeEncodeError():
            message, status = f"{error.object[error.start : error.end]!r} cannot be used or shown here.", 2
        case OSError():
            what = error.filename or ("the output" if error.errno in _OF_OUTPUT else "a file or a connection")
            message = f"{what} cannot be used: {error.strerror or error}."
        case _:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
            message = f"a mistake of table-admin's own, please report it: {type(error).__name__}: {error} ({where})"
    return message, status
