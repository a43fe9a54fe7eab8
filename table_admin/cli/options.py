"""What several verbs take, and what they say beside their result."""

import contextlib
from collections.abc import Iterable

import click

from table_admin import targets
from table_admin.changes import Change
from table_admin.cli.session import setting
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.inputs import parse_duration
from table_admin.origin_secret import verdicts
from table_admin.path_rules import answering
from table_admin.presence import why_nothing
from table_admin.routing_table import RoutingTable
from table_admin.rule_targets import parse_rule_target, targets_of
from table_admin.second_targets import parse_second_target
from table_admin.terminal import echo

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
NOTE = click.option("--note", default="", help="Why, for people; goes into the history.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
_MOST = 10**9
NUMBER = click.IntRange(1, _MOST)
"""Of lines, rows or a revision."""
NUMBER_OR_ZERO = click.IntRange(0, _MOST)
IF_REVISION = click.option("--if-revision", type=NUMBER_OR_ZERO, help="Write only over this revision; 0: only new.")
EXPIRES_IN = click.option("--expires-in", help="Make it ephemeral, e.g. 12h or 7d.")
PERMANENT = click.option("--permanent", is_flag=True, help="Take its expiry away.")
DOMAINS = click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
ENVIRONMENT = click.option("--environment", "-e", help="All domains that an environment manages.")


def check_one_of(domains: tuple[str, ...], environment: str | None) -> None:
    """Raise UsageError where DOMAINS and ENVIRONMENT are both given, or neither."""
    if bool(domains) == bool(environment):
        raise click.UsageError("Name domains, or an environment with --environment E.")


def warn(domain: str, why: str) -> None:
    """Say beside a listing which row is not in it."""
    echo(f"table-admin: the row of {domain} is left out: {why}", err=True)


def pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Return [NAME=]TARGET options as a mapping; one without a name has the name "". Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        # A target may hold a = of its own; a name holds neither : nor /.
        if not equals or ":" in name or "/" in name:
            name, value = "", text
        elif not name or not value:
            raise click.UsageError(f"{option} {text} is empty on one side of its =.")
        if name in found:
            raise click.UsageError(f"{option} {name or value} is given twice.")
        found[name] = full_target(value)
    return found


def rules(given: tuple[str, ...], gone: tuple[str, ...], *, all_gone: bool) -> dict[str, str | None] | None:
    """Return PATTERN=TARGET options, and patterns whose rules shall go, as a mapping; None where nothing is said.

    Raises UsageError, and InvalidInput for a target that is none.
    """
    found: dict[str, str | None] = {}
    for text in given:
        pattern, equals, target = text.partition("=")
        if not equals or not pattern.strip() or not target.strip():
            raise click.UsageError(f"--rule {text} is not PATTERN=TARGET, as /api/*=https://api.example.com is.")
        _add_rule(found, pattern, str(parse_rule_target(target, setting("bucket").value)))
    for pattern in gone:
        if "=" in pattern:
            raise click.UsageError(f"--no-rule {pattern}: a pattern alone says which rule shall go.")
        _add_rule(found, pattern, None)
    if all_gone and gone:
        raise click.UsageError("--no-rules takes all rules that are not given; --no-rule goes without it.")
    return found if found or all_gone else None


def _add_rule(found: dict[str, str | None], pattern: str, target: str | None) -> None:
    if pattern in found:
        raise click.UsageError(f"The rule for {pattern} is given twice.")
    found[pattern] = target


def full_target(text: str) -> str:
    """Return a target; /prefix is one of the configured bucket. Raises InvalidInput where none is."""
    return targets.full_target(text, setting("bucket").value) if text.startswith("/") else text


def full_second_target(text: str) -> str:
    """Return a canary's or a standby's target as rows have it, see `full_target`. Raises InvalidInput."""
    return parse_second_target(text, setting("bucket").value) if text else ""


def default_expiry() -> str | None:
    """Return how long something lives that is not said of it, as configured. Raises InvalidInput for no duration."""
    found = setting("expires_in")
    if not found.value:
        return None
    try:
        parse_duration(found.value)
    except InvalidInput as error:
        raise InvalidInput(f"{found.source}: {error}") from error
    return found.value


def tell_left(domain: str, why: str) -> None:
    """Say that a domain stays as it is."""
    echo(f"table-admin: {domain} stays as it is: {why}", err=True)


def tell_missing(table: RoutingTable, changes: Iterable[Change]) -> None:
    """Say of which targets nothing could be served: viewers get 404 until somebody puts files there."""
    routes = [change.after for change in changes if change.after]
    found = {
        target: origin for route in routes for target, origin in zip(targets_of(route), answering(route), strict=True)
    }
    for target, origin in found.items():
        with contextlib.suppress(TableAdminError):  # who may not list the bucket can write the row
            if why := why_nothing(table, origin):
                echo(f"table-admin: {target}: {why}", err=True)


def tell_secret(table: RoutingTable, changes: Iterable[Change]) -> None:
    """Say which of the origins that were written are not told the origin's secret, or that it cannot be known."""
    for found in verdicts(table, [origin for change in changes if change.after for origin in answering(change.after)]):
        if not found.told:
            echo(f"table-admin: {found.text}. {found.mend}", err=True)
