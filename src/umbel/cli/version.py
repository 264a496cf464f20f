"""`umbel version`: what `--version` shows."""

from __future__ import annotations

import click

from umbel import guise
from umbel.cli.command import command


@command("version")
def version() -> None:
    """Show the version."""
    worn = guise.worn()
    click.echo(f"{worn.program} {worn.version}")
