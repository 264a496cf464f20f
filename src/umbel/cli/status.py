"""`umbel status`: which workers there are, and how they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from umbel import clock
from umbel.cli.asking import ask, merged, with_timeout
from umbel.cli.command import command, option, some_names
from umbel.cli.scope import Scope
from umbel.cli.screen import age, count, print_json, table
from umbel.errors import UmbelError

if TYPE_CHECKING:
    from umbel.client.app import Umbel


@command("status")
@with_timeout
@option("-d", "--destination", type=some_names, metavar="WORKERS", help="Only these, with commas between.")
@option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def status(scope: Scope, /, timeout: float, destination: Sequence[str] | None, as_json: bool) -> None:
    """Show which workers are alive and how much they do, and which beat sends.

    Exit code 69: none has answered.
    """
    alive = merged(ask(scope, "ping", {}, timeout=timeout, destination=destination))
    figures = merged(ask(scope, "stats", {}, timeout=timeout, destination=destination, needed=False))
    running = merged(ask(scope, "active", {"safe": True}, timeout=timeout, destination=destination, needed=False))
    rows = [_row(name, figures.get(name), running.get(name)) for name in alive]
    silent = [name for name in alive if name not in figures and name not in running]
    if as_json:
        print_json({row["worker"]: {key: value for key, value in row.items() if key != "worker"} for row in rows})
        return
    shown = [
        (row["worker"], *(_cell(row[key]) for key in ("running", "slots", "run")), age(row["uptime"]), _cell(row["pid"]))
        for row in rows
        if row["worker"] not in silent
    ]
    table(("worker", "runs", "at once", "has run", "up", "pid"), shown, right=5, color=scope.color)
    if not scope.quiet:
        click.echo(f"{count(len(shown), 'worker')} online")
        for name in silent:  # a beat that may be asked, or a worker that hangs
            click.echo(f"{name} answers ping, and nothing else")
        if beat := _beat(scope.app_to_ask):
            click.echo(beat)


def _beat(app: Umbel) -> str | None:
    """Which beat leads, and when its schedule last fired; None if none does, or if the store of the schedule does not tell."""
    try:
        leader = app.schedule_store.leader()
        if leader is None:
            return None
        fired = max((row.fired for row in app.schedule_store.changes().rows if row.fired is not None), default=None)
    except UmbelError:
        return None
    told = "and has fired nothing yet" if fired is None else f"and has fired last {age(max(clock.now() - fired, 0.0))} ago"
    return f"beat {leader.owner} leads, {told}"


def _row(name: str, stats: Any, running: Any) -> dict[str, Any]:
    stats = stats if isinstance(stats, dict) else {}
    pool, total, uptime = stats.get("pool"), stats.get("total"), stats.get("uptime")
    return {
        "worker": name,
        "running": len(running) if isinstance(running, list) else None,
        "slots": pool.get("max-concurrency") if isinstance(pool, dict) else None,
        "run": sum(each for each in total.values() if isinstance(each, int)) if isinstance(total, dict) else None,
        "uptime": uptime if isinstance(uptime, int | float) else None,
        "pid": stats.get("pid"),
    }


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) and value > 99_999 else str(value)
