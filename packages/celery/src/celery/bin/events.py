"""`celery events`: umbel's, with Celery's options, and with cameras."""

from __future__ import annotations

import signal
import sys
from typing import Any, NoReturn

import click

from celery.bin.base import EX_UNAVAILABLE, LOG_LEVEL, CeleryOption, derived
from umbel import log as logs
from umbel.cli import daemon
from umbel.cli.command import Seconds
from umbel.cli.events import events as own
from umbel.cli.failure import Failure, note
from umbel.cli.scope import Scope
from umbel.cli.service import octal, set_up_log, settle_down
from umbel.wire.node import fill_path, node_name

NODE = "celeryev"
"""The name in its paths."""
_OF_CAMERAS = ("detach", "maxrate", "loglevel", "logfile", "pidfile", "uid", "gid", "umask", "executable")


def run(**given: Any) -> Any:
    """Watch, as these options have it."""
    scope: Scope = click.get_current_context().obj
    camera, wishes = given.pop("camera"), {name: given.pop(name) for name in _OF_CAMERAS}
    if camera:
        take_pictures(scope, camera, given["frequency"], wishes)
        return 0
    for name in _OF_CAMERAS:
        if wishes[name] and name != "loglevel":
            raise Failure(f"--{name} is for cameras: give it with --camera")
    given["passive"] = given["passive"] or given["dump"]  # as Celery's, which asks nobody
    return own.callback(**given)  # type: ignore[misc]  # it has one


def take_pictures(scope: Scope, camera: str, every: float, wishes: dict[str, Any]) -> None:
    """Let a camera take pictures until interrupted, in the terminal or in the background."""
    from celery.events.snapshot import watch
    from celery.utils.imports import symbol_by_name
    from celery.utils.time import rate

    try:
        rate(wishes["maxrate"])
    except (KeyError, ValueError) as problem:
        raise Failure(f"--maxrate {wishes['maxrate']!r} is no rate such as 10/m", click.UsageError.exit_code) from problem
    birth = daemon.detach("events", quiet=scope.quiet) if wishes["detach"] else None
    daemon.become(wishes["uid"], wishes["gid"])
    app, node = scope.app, node_name(NODE)
    try:
        kind = symbol_by_name(camera)
    except (ImportError, AttributeError, ValueError) as problem:
        raise Failure(f"--camera {camera!r} cannot be imported: {problem}", EX_UNAVAILABLE) from problem
    settle_down(app, wishes, node, what="events", quiet=scope.quiet)
    if wishes["executable"] and not scope.quiet:
        note("--executable has no effect: it runs with the Python that celery was started with")
    logfile = fill_path(wishes["logfile"], node) if wishes["logfile"] else None
    if not birth and not scope.quiet:
        click.echo(f"-> evcam: Taking snapshots with {camera} (every {every} secs.)")
    set_up_log(scope, wishes["loglevel"], logfile, node)
    signal.signal(signal.SIGTERM, _leave)
    if birth:
        birth.ready(logs.file_for(logfile) if logfile else None)
    try:
        watch(app, kind, freq=every, maxrate=wishes["maxrate"])
    finally:
        logs.restore()


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


events = derived(
    own,
    run,
    CeleryOption(["-c", "--camera"], metavar="CLASS", help="Let a camera (module:Class) take pictures, until Ctrl-C."),
    CeleryOption(["--detach"], is_flag=True, help="Let it do so in the background."),
    CeleryOption(["-r", "--maxrate"], metavar="RATE", help="So many pictures at most: 10/m."),
    CeleryOption(["-l", "--loglevel"], type=LOG_LEVEL, default="WARNING", help="What a camera logs."),
    CeleryOption(["-f", "--logfile"], metavar="FILE", help="Where it logs."),
    CeleryOption(["--pidfile"], metavar="FILE", help="Its pid is kept there."),
    CeleryOption(["--uid"], metavar="USER", help="It runs as this user (root only)."),
    CeleryOption(["--gid"], metavar="GROUP", help="It runs as this group (root only)."),
    CeleryOption(["--umask"], type=octal, metavar="OCTAL", help="Rights that files it makes do not get."),
    CeleryOption(["--executable"], hidden=True),
    CeleryOption(
        ["-F", "--freq", "--frequency", "frequency"],
        type=Seconds(),
        default=1.0,
        help="Redraw, or take a picture, so often, in s.",
    ),
)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
