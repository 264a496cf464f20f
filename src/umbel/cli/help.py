"""`umbel help`: what `--help` shows, for those who write it so."""

from __future__ import annotations

import click

from umbel.cli.command import command


@command("help")
@click.argument("words", metavar="COMMAND", nargs=-1)
@click.pass_context
def help(context: click.Context, words: tuple[str, ...]) -> None:
    """Show what the program does, or what COMMAND does."""
    here = context.find_root()
    for word in words:
        if not isinstance(here.command, click.Group):
            raise click.UsageError(f"{here.command_path} has no commands", context)
        name, found, _ = here.command.resolve_command(here, [word])
        assert found is not None, "an unknown one is told by resolve_command"
        here = click.Context(found, info_name=name, parent=here)
    click.echo(here.get_help())
