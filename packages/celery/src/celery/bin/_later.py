"""Commands that have their place, and will do their work in a version to come: they say so in a line."""

from __future__ import annotations

import click

from umbel.cli.failure import FAILED, Failure


def later(name: str, instead: str, code: int = FAILED) -> click.Command:
    """The command of that name, whatever it is given."""

    def refuse(**_: object) -> None:
        raise Failure(f"`celery {name}` is not there yet, it comes with a later version of umbel; until then: {instead}", code)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        help=f"Not there yet: it comes with a later version. Until then: {instead}.",
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
