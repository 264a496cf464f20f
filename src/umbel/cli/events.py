"""`umbel events`: watch workers and tasks, live on a terminal, or as lines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from umbel import clock
from umbel.cli.command import Seconds, command, option
from umbel.cli.failure import USAGE, Failure
from umbel.cli.scope import Scope
from umbel.cli.screen import age, drawn, plain
from umbel.client.app import Umbel
from umbel.errors import UmbelError
from umbel.events.dump import Dump
from umbel.events.event import Event
from umbel.events.receiver import Receiver
from umbel.events.state import State

if TYPE_CHECKING:  # as in `screen`
    from rich.console import RenderableType

WORKERS = ("worker", "state", "runs", "has run", "load")
TASKS = ("task", "id", "state", "worker", "for", "what")
ASK_AGAIN = 5.0
"""Seconds after which workers are asked again to tell of their tasks: some may have been started meanwhile."""
PAUSE = 0.2
"""Seconds for which events are waited for between two looks at whether to stop."""


@command("events")
@option("-d", "--dump", is_flag=True, help="Print a line for each event, until Ctrl-C.")
@option("-j", "--json", "as_json", is_flag=True, help="Print each event as a line of JSON, for programs.")
@option("-F", "--frequency", type=Seconds(), default=1.0, metavar="SECONDS", help="Redraw so often.")
@option("--limit", type=click.IntRange(1), metavar="N", help="With --dump or --json: stop after N events.")
@option("--passive", is_flag=True, help="Do not ask workers to tell of tasks; those started with -E do so anyway.")
@click.pass_obj
def events(scope: Scope, /, dump: bool, as_json: bool, frequency: float, limit: int | None, passive: bool) -> None:
    """Watch what workers and tasks do, until Ctrl-C.

    On a terminal it draws all workers, and the tasks that were last told of. It asks workers to tell of their tasks, which they
    then do until `umbel control disable_events`; --passive only listens. What happened before is not known here: see
    `umbel result` and `umbel queues`.
    """
    if not (dump or as_json) and not sys.stdout.isatty():
        raise Failure("there is no terminal to draw on; use --dump for lines, --json for programs", USAGE)
    app = scope.app
    wish = None if passive else _Wish(app)
    with suppress(KeyboardInterrupt):
        if dump or as_json:
            say = _json_line if as_json else Dump(lambda line: click.echo(plain(line))).on_event
            _print(app.events.listener(None), say, limit, wish)
        else:
            _draw(scope, app, frequency, wish)


class _Wish:
    """Asks workers to tell of their tasks, now and again and again."""

    def __init__(self, app: Umbel):
        self._app = app
        self._due = 0.0

    def renew(self) -> None:
        if clock.monotonic() < self._due:
            return
        self._due = clock.monotonic() + ASK_AGAIN
        with suppress(UmbelError):  # the store is away: listening tells
            self._app.events.ask_workers("enable_events")


def _print(receiver: Receiver, say: Callable[[Event], object], limit: int | None, wish: _Wish | None) -> None:
    for event in _heard(receiver, wish):
        if event is not None:
            say(event)
            if limit is not None and (limit := limit - 1) == 0:
                return


def _heard(receiver: Receiver, wish: _Wish | None, stop: threading.Event | None = None) -> Any:
    """Events as they come, and None now and then."""
    with receiver:
        receiver.wake_workers()
        while not (stop and stop.is_set()):
            if wish is not None:
                wish.renew()
            yield from receiver.receive(PAUSE)
            yield None


def _json_line(event: Event) -> None:
    click.echo(json.dumps(event, default=str))


def _draw(scope: Scope, app: Umbel, frequency: float, wish: _Wish | None) -> None:
    from rich.console import Console
    from rich.live import Live

    state = State()
    receiver = app.events.listener(None)
    console = Console(no_color=scope.color is False)
    due = 0.0
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for event in _heard(receiver, wish):
            if event is not None:
                state.event(event)
            elif clock.monotonic() >= due:
                due = clock.monotonic() + frequency
                live.update(picture(state, console.size.height, lost=receiver.lost), refresh=True)


def picture(state: State, height: int, *, lost: int = 0) -> RenderableType:
    """What is to be seen of it on so many lines."""
    from rich.console import Group
    from rich.text import Text

    workers = sorted(state.workers.values(), key=lambda worker: worker.hostname or "")
    rows = [
        (
            worker.hostname or "?",
            worker.status_string.lower(),
            _number(worker.active),
            _number(worker.processed),
            str(worker.loadavg[0]) if isinstance(worker.loadavg, (list, tuple)) and worker.loadavg else "-",
        )
        for worker in workers[: max(3, height // 3)]
    ]
    left = max(5, height - len(rows) - 8)
    told = f"{sum(worker.alive for worker in workers)} of {len(workers)} workers online, {state.task_count:,} tasks received"
    if lost:
        told += f", {lost:,} messages lost: this screen is too slow, or the store was away"
    return Group(
        drawn(WORKERS, rows, right=3),
        drawn(TASKS, [_task_row(task) for _, task in state.tasks_by_time(left)]),
        Text(told, style="dim"),
    )


def _task_row(task: Any) -> tuple[str, ...]:
    what = task.exception or task.result or task.args or ""
    since = age(max(0.0, clock.now() - task.timestamp)) if task.timestamp else "-"
    worker = "" if task.worker is None else task.worker.hostname
    return task.name or "?", task.uuid, task.state.lower(), worker, since, str(what)[:60]


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"
