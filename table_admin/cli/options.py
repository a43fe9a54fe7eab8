"""What several verbs take."""

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
NOTE = click.option("--note", default="", help="Why, for people; goes into the history.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
IF_REVISION = click.option("--if-revision", type=click.IntRange(0), help="Write only over this revision; 0: only new.")
EXPIRES_IN = click.option("--expires-in", help="Make it ephemeral, e.g. 12h or 7d.")
PERMANENT = click.option("--permanent", is_flag=True, help="Take its expiry away.")


def warn(domain: str, why: str) -> None:
    """Say beside a listing which row is not in it."""
    click.echo(f"table-admin: the row of {domain} is left out: {why}", err=True)


def pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Return NAME=VALUE options as a mapping; one without a name has the name "". Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        # A target may hold a = of its own; a name holds neither : nor /.
        if not equals or ":" in name or "/" in name:
            name, value = "", text
        if name in found:
            raise click.UsageError(f"{option} {name or value} is given twice.")
        found[name] = value
    return found
