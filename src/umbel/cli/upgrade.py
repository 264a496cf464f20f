"""`umbel upgrade settings`: rewrite old names of settings in a file."""

from __future__ import annotations

import os
import re

import click

from umbel.cli.command import Command, option
from umbel.cli.failure import Failure
from umbel.cli.scope import Scope, shared_options
from umbel.settings.source import OLD_NAMES


@click.group("upgrade", params=shared_options(again=True), short_help="Rewrite old names of settings in a file.")
def upgrade() -> None:
    """Bring files to how they are written now."""


@upgrade.command("settings", cls=Command)
@click.argument("filename", metavar="FILE")
@option("--django", is_flag=True, help="For Django's settings: the new names in capitals behind CELERY_.")
@option("--compat", is_flag=True, hidden=True)
@option("--no-backup", is_flag=True, help="Keep no copy of the file as it was (FILE.orig).")
@click.pass_obj
def settings(scope: Scope, /, filename: str, django: bool, compat: bool, no_backup: bool) -> None:
    """Rewrite the names of Celery 3's settings in FILE, CELERYD_CONCURRENCY for example, as they are called now.

    Nothing needs it: old names are understood as they are.
    """
    with open(filename, encoding="utf-8", newline="") as file:
        try:
            before = file.read()
        except UnicodeDecodeError as problem:
            raise Failure(f"{filename} is no text in UTF-8") from problem
    after, changed = renamed(before, django=django or compat)
    if not changed:
        click.echo(f"{filename}: nothing to change")
        return
    if not no_backup:
        backup = f"{filename}.orig"
        if os.path.exists(backup):
            raise Failure(f"{backup} is there already: move it away, or give --no-backup")
        with open(backup, "x", encoding="utf-8", newline="") as file:
            file.write(before)
        if not scope.quiet:
            click.echo(f"{filename} as it was is in {backup}")
    with open(filename, "w", encoding="utf-8", newline="") as file:
        file.write(after)
    for old, new in changed.items():
        click.echo(f"{old} -> {new}")


def renamed(text: str, *, django: bool = False) -> tuple[str, dict[str, str]]:
    """The text with old names replaced, and what has become of each."""
    changed: dict[str, str] = {}

    def replace(found: re.Match[str]) -> str:
        old = found[0]
        setting = OLD_NAMES.get(old)
        if setting is None:
            return old
        new = f"CELERY_{setting.name.upper()}" if django else setting.name
        if new != old:
            changed[old] = new
        return new

    return re.sub(r"\b[A-Z][A-Z0-9_]+\b", replace, text), changed
