"""`celery report`: what a bug report needs to say."""

from __future__ import annotations

from typing import Any

import click

from celery.bin.base import CeleryCommand


@click.command("report", cls=CeleryCommand)
@click.pass_obj
def report(scope: Any, /) -> None:
    """Show versions and settings, for a bug report; passwords and keys are masked."""
    click.echo(scope.app.bugreport())


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
