"""`umbel completion`: the script that makes a shell complete umbel's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from umbel import guise
from umbel.cli.command import command
from umbel.cli.failure import Failure


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes umbel's commands and options in SHELL.

    \b
    bash   put  eval "$(umbel completion bash)"  into ~/.bashrc
    zsh    put  eval "$(umbel completion zsh)"  into ~/.zshrc
    fish   run  umbel completion fish > ~/.config/fish/completions/umbel.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"click knows no completion for {shell}")
    program = guise.worn().program
    click.echo(kind(context.find_root().command, {}, program, f"_{program.upper()}_COMPLETE").source())
