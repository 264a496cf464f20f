"""What programs that keep running share: their rights, their pidfile, where they log, and what they say when they start."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from umbel import log
from umbel.cli import daemon, early
from umbel.cli.failure import note
from umbel.cli.scope import Scope
from umbel.client.app import Umbel
from umbel.client.modules import faults_of_project
from umbel.wire.node import fill_path


def level(text: str) -> int:
    """The number of a log level."""
    try:
        return log.level_of(text)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from problem


def octal(text: str) -> int:
    """File rights as octal digits."""
    try:
        mask = int(text, 8)
    except ValueError:
        mask = -1
    if not 0 <= mask <= 0o777:
        raise click.BadParameter(f"{text!r} is no octal number such as 022")
    return mask


def seconds(text: str) -> float:
    """A time to sleep, which has an end."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise click.BadParameter(f"{text!r} is no number of seconds, more than 0")
    return found


def _columns() -> int:
    import shutil  # brings all kinds of compression

    return shutil.get_terminal_size().columns


def show(scope: Scope, banner: Callable[..., str], hint: str) -> None:
    """Print a banner as this terminal can show it; who sits there also gets the hint."""
    is_tty = sys.stdout.isatty()
    with early.Undisturbed():  # what its stores are made of is loaded now, to be named
        text = banner(
            app_name=scope.app_name or "",
            width=_columns() if is_tty else 100,
            color=log.has_color(sys.stdout, scope.color),
            picture=sys.stdout.encoding if is_tty else "",
        )
    click.echo(text)
    if is_tty:
        click.echo(f"  {hint}\n")


def settle_down(app: Umbel, given: dict[str, Any], node: str, *, what: str, quiet: bool) -> daemon.Pidfile | None:
    """User, umask, log file and pidfile: from the settings (`what`_uid …) where the command line does not tell them.

    Gives the pidfile, which is dropped at the end of the program. Of a Django project, tells what its checks find wrong.
    """
    if not quiet:
        for fault in faults_of_project():
            note(f"Django's checks say: {fault}")
    conf = {part: app.conf[f"{what}_{part}"] for part in ("uid", "gid", "umask", "logfile", "pidfile")}
    if given["uid"] is None and given["gid"] is None:
        uid, gid = conf["uid"], conf["gid"]
        daemon.become(None if uid is None else str(uid), None if gid is None else str(gid))
    mask = conf["umask"] if given["umask"] is None else given["umask"]
    if mask is not None:
        os.umask(octal(mask) if isinstance(mask, str) else mask)
    given["logfile"] = given["logfile"] or conf["logfile"]
    if given["detach"] and not given["logfile"] and not quiet:
        note(f"in the background without --logfile: what this {what} says is lost")
    if pattern := given["pidfile"] or conf["pidfile"]:
        pidfile = daemon.Pidfile(fill_path(pattern, node))
        pidfile.take()
        atexit.register(pidfile.drop)
        return pidfile
    return None


def set_up_log(scope: Scope, level: int, logfile: str | None, hostname: str) -> None:
    """As the settings say, unless a receiver of `setup_logging` does it all."""
    setup = scope.app.log.setup
    handled = setup(level, logfile, redirect_stdouts=False, colorize=scope.colorize, hostname=hostname)
    scope.logs_elsewhere = bool(handled)


def log_prints(scope: Scope) -> None:
    """What is printed from now on goes to the log, unless the settings say otherwise, or others have set it up."""
    conf = scope.app.conf
    if conf.worker_redirect_stdouts and not scope.logs_elsewhere:
        scope.app.log.redirect_stdouts(conf.worker_redirect_stdouts_level)


def take_schedule(app: Umbel, place: str | None) -> None:
    """What -s means: the URL of the schedule's store. Celery's file is not needed, which is told."""
    if place and "://" in place:
        app.conf.from_command_line({"beat_store": place})
    elif place:
        note(f"--schedule {place} has no effect: the schedule is kept in {app.schedule_store.url}")
