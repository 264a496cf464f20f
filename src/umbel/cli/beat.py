"""`umbel beat`: send periodic work, in the terminal or in the background."""

from __future__ import annotations

import signal
from functools import partial
from typing import Any

import click

from umbel import guise, log
from umbel.beat import Beat, find_scheduler
from umbel.cli import complete, daemon
from umbel.cli.command import command, option
from umbel.cli.failure import note
from umbel.cli.scope import Scope
from umbel.cli.service import level, octal, seconds, settle_down, show, take_schedule
from umbel.client.logbook import set_up
from umbel.wire.node import fill_path, node_name

WITHOUT_EFFECT = {
    "executable": "it runs with the Python that umbel was started with",
}
"""What Celery's options would change, and why nothing needs to: each is told, and the beat starts all the same."""


@command("beat")
@option("-s", "--schedule", metavar="URL", help="Store of the schedule, in place of the setting beat_store.")
@option("-S", "--scheduler", metavar="CLASS", help="A scheduler of your own: module:Class, or an entry point's name.")
@option("--max-interval", type=seconds, metavar="SECONDS", help="Longest sleep of that scheduler.")
@option("-n", "--hostname", metavar="NAME", help="Its name, in paths and for `inspect ping`: beat@%h.")
@option(
    "-l",
    "--loglevel",
    type=level,
    default="WARNING",
    shell_complete=complete.levels,
    metavar="LEVEL",
    help="DEBUG, INFO, WARNING, ERROR or CRITICAL.",
)
@option("-f", "--logfile", shell_complete=complete.files, metavar="FILE", help="Log there.")
@option("-D", "--detach", is_flag=True, help="Run in the background.")
@option(
    "--pidfile",
    shell_complete=complete.files,
    metavar="FILE",
    help="Keep its pid there; while it lives, no other beat starts with this file.",
)
@option("--uid", metavar="USER", help="Run as this user (root only).")
@option("--gid", metavar="GROUP", help="Run as this group (root only).")
@option("--umask", type=octal, metavar="OCTAL", help="Rights that files it makes do not get.")
@option(
    "--enable-remote-control/--no-enable-remote-control",
    default=None,
    help="Answer `inspect ping`, for health checks; by the setting beat_enable_remote_control.",
)
@option("--executable", hidden=True)
@click.pass_obj
def beat(scope: Scope, /, **given: Any) -> int:
    """Send periodic work when it is due, until told to stop.

    Start as many as you like, on any machines that reach the store: one of them leads and sends, the others wait for its place.
    Ctrl-C (or SIGTERM) stops at once. `umbel schedule` shows and changes what is sent.

    \b
    umbel -A proj beat -l INFO
    umbel -A proj beat -D --pidfile /run/umbel/beat.pid -f /var/log/umbel/beat.log
    umbel -A proj worker -B       a worker that sends, too
    """
    node = node_name(given["hostname"] or guise.worn().beat)
    birth = daemon.detach("beat", quiet=scope.quiet) if given["detach"] else None
    daemon.become(given["uid"], given["gid"])
    scope.is_for_worker = True
    app = scope.required_app("beat")
    scope.take_user_options(given)
    settle_down(app, given, node, what="beat", quiet=scope.quiet)
    take_schedule(app, given["schedule"])
    for name, reason in WITHOUT_EFFECT.items():
        if given[name] and not scope.quiet:
            note(f"--{name.replace('_', '-')} has no effect: {reason}")
    if app.broker_url.startswith("memory:") and not scope.quiet:
        program = guise.worn().program
        note(f"memory:// is in this process alone, so nobody gets what it sends; `{program} worker -B` sends and works")
    kind = find_scheduler(given["scheduler"] or app.conf.beat_scheduler)
    asked = given["enable_remote_control"]
    answers = app.conf.beat_enable_remote_control if asked is None else asked
    made = Beat(app, max_interval=given["max_interval"], scheduler=kind, answers_as=node if answers else None)
    logfile = fill_path(given["logfile"], node) if given["logfile"] else None
    if not birth and not scope.quiet:
        sends = "umbel" if kind is None else f"{kind.__module__}.{kind.__qualname__}"
        show(
            scope,
            partial(scope.show_beat, app, sends, answers_as=made.answers_as),
            "Ctrl-C stops; another beat, if there is one, leads then.",
        )
    set_up(app, given["loglevel"], logfile, colorize=scope.color)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: made.stop())
    if birth:
        birth.ready(log.file_for(logfile) if logfile else None)
    try:
        made.run()
    finally:
        log.restore()
        app.close()
    return 0
