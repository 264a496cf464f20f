"""`celery events`: umbel's, with Celery's options."""

from __future__ import annotations

from typing import Any

import click

from celery.bin.base import CeleryOption, derived
from umbel.cli.events import events as own
from umbel.cli.failure import Failure

_TAKEN = ("detach", "maxrate", "logfile", "pidfile", "uid", "gid", "umask", "executable")


def run(**given: Any) -> Any:
    """Watch, as these options have it."""
    if given.pop("camera"):
        raise Failure("--camera is not offered; take pictures with app.events.Receiver and app.events.State in a program")
    given.pop("loglevel")
    for name in _TAKEN:
        if given.pop(name, None):
            raise Failure(f"--{name} is for cameras in the background, which are not offered")
    given["passive"] = given["passive"] or given["dump"]  # as Celery's, which asks nobody
    return own.callback(**given)  # type: ignore[misc]  # it has one


events = derived(
    own,
    run,
    CeleryOption(["-c", "--camera"], metavar="CLASS", hidden=True),
    CeleryOption(["--detach"], is_flag=True, hidden=True),
    *(CeleryOption([f"--{name}"], hidden=True) for name in ("logfile", "pidfile", "uid", "gid", "umask", "executable")),
    CeleryOption(["-r", "--maxrate"], hidden=True),
    CeleryOption(["-l", "--loglevel"], hidden=True),
    CeleryOption(
        ["-F", "--freq", "--frequency", "frequency"],
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        help="Redraw so often, in s.",
    ),
)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
