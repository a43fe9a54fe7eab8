"""ui: the console in a browser."""

import click

COMMANDS: list[click.Command] = []
