"""`umbel schedule`: what is sent when, who sends it, and all that can be changed there."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from umbel import clock, guise
from umbel.cli import complete
from umbel.cli.call import arguments, moment, named_arguments, sensible
from umbel.cli.command import Seconds, command, option
from umbel.cli.scope import Scope, shared_options
from umbel.cli.screen import plain, print_json, table
from umbel.client.app import Umbel
from umbel.client.periodic.entry import Entry
from umbel.client.periodic.timetable import Line, iso
from umbel.schedules import Schedule, clocked, crontab
from umbel.schedules import schedule as interval

COLUMNS = ("name", "task", "when", "last", "next", "sent")
FEW = 5
"""Names that are listed in a sentence."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> float:
    """Seconds, or a number with s, m, h or d behind it."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        seconds = float(number) * UNITS[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise click.BadParameter(f"{text!r} is no duration; write it as 30, 90s, 15m, 2h or 1d")
    return seconds


def catch_up(text: str) -> int | str:
    """`once`, `skip`, or a number."""
    if text in ("once", "skip"):
        return text
    if not text.isdigit():
        raise click.BadParameter(f"{text!r} is neither once, nor skip, nor a number")
    return int(text)


def _entries(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    try:
        names = [line.name for line in context.ensure_object(Scope).app.schedule]
    except Exception:  # as in `complete`
        return []
    return [CompletionItem(name) for name in names if name.startswith(begun)]


@click.group("schedule", invoke_without_command=True, params=shared_options(again=True))
@option("--next", "upcoming", type=(click.IntRange(1), str), metavar="N NAME", help="Show the next N firings of one entry.")
@option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_context
def schedule(context: click.Context, /, upcoming: tuple[int, str] | None, as_json: bool) -> None:
    """Show what is sent when: all entries, when they fired last and fire next, and which beat sends them.

    Last and next are by this machine's clock; a crontab goes by the zone in brackets.
    What is changed here is heeded by running beats within a second.

    \b
    umbel -A proj schedule
    umbel -A proj schedule --next 10 report
    umbel -A proj schedule add report proj.report --cron '30 4 * * mon'
    """
    if context.invoked_subcommand is not None:
        return
    scope: Scope = context.obj
    with _app(scope) as app:
        if upcoming is not None:
            _show_upcoming(app, *upcoming, as_json=as_json)
        elif as_json:
            print_json(app.schedule.as_dict())
        else:
            _show(scope, app)


@command("add")
@click.argument("name")
@click.argument("task", shell_complete=complete.tasks)
@option("--cron", metavar="LINE", help="When, as five fields: minute hour day month weekday; or @daily and its like.")
@option("--every", type=duration, metavar="TIME", help="How often: 30, 90s, 15m, 2h, 1d.")
@option("--at", type=moment, metavar="TIME", help="Once, at 2030-01-31T12:00:00+01:00; without a zone it is UTC.")
@option("--zone", metavar="ZONE", help="The zone of --cron, such as Europe/Paris. [default: the app's]")
@option("--catch-up", type=catch_up, default="once", metavar="HOW", help="After a pause: once (the default), skip, or how many.")
@option("-a", "--args", type=arguments, metavar="JSON", default="[]", help="Positional arguments: '[2, 3]'.")
@option("-k", "--kwargs", type=named_arguments, metavar="JSON", default="{}", help="Named arguments.")
@option("--queue", metavar="NAME", help="Send it to this queue.")
@option("--priority", type=click.IntRange(0, 9), metavar="0-9", help="With this priority; 9 is most urgent.")
@option("--expires", type=Seconds(positive=False), metavar="SECONDS", help="A run that has not begun so long after is of no use.")
@option("--disabled", is_flag=True, help="Do not send it yet.")
@click.pass_obj
def add(scope: Scope, /, name: str, task: str, **given: Any) -> None:
    """Send the task TASK again and again, as the entry NAME."""
    when = _when(given)
    options = {key: given[key] for key in ("queue", "priority", "expires") if given[key] is not None}
    with _app(scope) as app:
        told = {"timezone": given["zone"], "catch_up": given["catch_up"], "enabled": not given["disabled"]}
        with sensible():
            app.schedule.add(name, task, when, given["args"], given["kwargs"], **told, **options)
        line = app.schedule[name]
    first = f"first at {_time(line.next)}" if line.next is not None else "disabled"
    _say(scope, f"added {name}: {when}, {first}")


@command("list")
@option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def list_(scope: Scope, /, as_json: bool) -> None:
    """Show all entries, as `schedule` alone does."""
    with _app(scope) as app:
        if as_json:
            print_json(app.schedule.as_dict())
        else:
            _show(scope, app)


@command("show")
@click.argument("name", shell_complete=_entries)
@click.pass_obj
def show(scope: Scope, /, name: str) -> None:
    """Show one entry in full, and when it fires next, as JSON."""
    with _app(scope) as app:
        line = app.schedule[name]
        upcoming = [iso(each) for each in app.schedule.upcoming(name, FEW)] if line.entry is not None else []
        print_json({**line.as_dict(), "zone": _zone_of(app, line.entry), "upcoming": upcoming})


@command("change")
@click.argument("name", shell_complete=_entries)
@option("--task", metavar="TASK", shell_complete=complete.tasks, help="Another task.")
@option("--cron", metavar="LINE", help="When, as five fields: minute hour day month weekday; or @daily and its like.")
@option("--every", type=duration, metavar="TIME", help="How often: 30, 90s, 15m, 2h, 1d.")
@option("--at", type=moment, metavar="TIME", help="Once, at 2030-01-31T12:00:00+01:00; without a zone it is UTC.")
@option("--zone", metavar="ZONE", help="The zone of --cron, such as Europe/Paris.")
@option("--catch-up", type=catch_up, metavar="HOW", help="After a pause: once, skip, or how many.")
@option("-a", "--args", type=arguments, metavar="JSON", help="Positional arguments: '[2, 3]'.")
@option("-k", "--kwargs", type=named_arguments, metavar="JSON", help="Named arguments.")
@option("--queue", metavar="NAME", shell_complete=complete.queues, help="Send it to this queue.")
@option("--priority", type=click.IntRange(0, 9), metavar="0-9", help="With this priority; 9 is most urgent.")
@option("--expires", type=Seconds(positive=False), metavar="SECONDS", help="A run that has not begun so long after is of no use.")
@click.pass_obj
def change(scope: Scope, /, name: str, **given: Any) -> None:
    """Give an entry other values; what is not named stays. If it is due at other times, only those from now on count."""
    changes = {key: given[key] for key in ("task", "catch_up", "kwargs") if given[key] is not None}
    if given["args"] is not None:
        changes["args"] = tuple(given["args"])
    if given["zone"] is not None:
        changes["timezone"] = given["zone"]
    if any(given[key] is not None for key in ("cron", "every", "at")):
        changes["schedule"] = _when(given)
    options = {key: given[key] for key in ("queue", "priority", "expires") if given[key] is not None}
    if not changes and not options:
        raise click.UsageError("say what is to change: --cron, --args …", click.get_current_context())
    with _app(scope) as app:
        before = app.schedule[name].entry
        if options and before is not None:
            changes["options"] = {**before.options, **options}
        with sensible():
            app.schedule.change(name, **changes)
        line = app.schedule[name]
        when = "?" if line.entry is None else _said(app, line.entry)
    _say(scope, f"changed {name}: {when}, next {_time(line.next) if line.enabled else 'never, as it is disabled'}")


@command("enable")
@click.argument("names", nargs=-1, required=True, shell_complete=_entries)
@click.pass_obj
def enable(scope: Scope, /, names: tuple[str, ...]) -> None:
    """Let entries fire again, from now on."""
    with _app(scope) as app:
        app.schedule.enable(*names)
    _say(scope, f"enabled {', '.join(names)}")


@command("disable")
@click.argument("names", nargs=-1, required=True, shell_complete=_entries)
@click.pass_obj
def disable(scope: Scope, /, names: tuple[str, ...]) -> None:
    """Let entries fire no more until they are enabled."""
    with _app(scope) as app:
        app.schedule.disable(*names)
    _say(scope, f"disabled {', '.join(names)}")


@command("remove")
@click.argument("names", nargs=-1, required=True, shell_complete=_entries)
@click.pass_obj
def remove(scope: Scope, /, names: tuple[str, ...]) -> None:
    """Forget entries that were added here or by a program; those of the code are removed there."""
    with _app(scope) as app:
        app.schedule.remove(*names)
    _say(scope, f"removed {', '.join(names)}")


@command("run")
@click.argument("name", shell_complete=_entries)
@click.pass_obj
def run(scope: Scope, /, name: str) -> None:
    """Send an entry's task once, now, and print the task's id; its times stay as they are."""
    with _app(scope) as app, sensible():
        click.echo(app.schedule.run_now(name).id)


for each in (list_, show, add, change, enable, disable, remove, run):
    schedule.add_command(each)


@contextmanager
def _app(scope: Scope) -> Iterator[Umbel]:
    app = scope.required_app("schedule")
    try:
        yield app
    finally:
        app.close()


def _say(scope: Scope, text: str) -> None:
    if not scope.quiet:
        click.echo(text)


def _when(given: dict[str, Any]) -> Schedule:
    chosen = [key for key in ("cron", "every", "at") if given[key] is not None]
    if len(chosen) != 1:
        raise click.UsageError("say when: one of --cron, --every and --at", click.get_current_context())
    if given["cron"] is not None:
        return crontab.from_string(given["cron"])
    return interval(given["every"]) if given["every"] is not None else clocked(given["at"])


# Showing


def _show(scope: Scope, app: Umbel) -> None:
    lines, named = list(app.schedule), app.schedule.named()
    if lines:
        table(COLUMNS, [_row(app, line) for line in lines], right=1, color=scope.color)
    else:
        click.echo(f"nothing is scheduled at {app.schedule_store.url}")
    if unsaved := sorted(named.definitions.keys() - {line.name for line in lines}):
        click.echo(f"named in the code and not saved yet: {_list(unsaved)}; a beat does that when it leads")
    for name, problem in named.wrong.items():
        click.echo(f"not sent: {plain(str(name))}: {problem}")
    for line in lines:
        if line.problem is not None:
            click.echo(f"cannot be read here: {plain(line.name)}: {line.problem}")
    click.echo(_leader(scope, app))


def _list(names: list[str]) -> str:
    """The first of them, and how many more."""
    more = len(names) - FEW
    return ", ".join(map(plain, names[:FEW])) + (f" and {more:,} more" if more > 0 else "")


def _leader(scope: Scope, app: Umbel) -> str:
    leader = app.schedule.leader()
    if leader is not None:
        here = f"last and next by this machine's clock ({clock.utc().astimezone():%Z})"
        return f"sent by {leader.owner}; zone {app.timezone} where an entry has none of its own; {here}"
    return f"no beat runs, so nothing is sent: {guise.worn().program} -A {scope.app_name or 'proj'} beat"


def _zone_of(app: Umbel, entry: Entry | None) -> str:
    """The zone whose wall clock an entry goes by."""
    if entry is None:
        return str(app.timezone)
    return entry.timezone or str(entry.schedule.timezone or app.timezone)


def _said(app: Umbel, entry: Entry) -> str:
    """When it is sent, and by which clock where that makes a difference."""
    has_own = isinstance(entry.schedule, (interval, clocked)) or entry.schedule.timezone is not None
    return str(entry.schedule) if has_own and not entry.timezone else f"{entry.schedule} ({_zone_of(app, entry)})"


def _row(app: Umbel, line: Line) -> tuple[str, ...]:
    last = _time(line.last) if line.last is not None else "-"
    if line.entry is None:
        return line.name, "?", "?", last, "-", f"{line.count:,}"
    entry = line.entry
    when = _said(app, entry)
    coming = _time(line.next) if line.next is not None else "never" if line.enabled else "off"
    return line.name, entry.task, when, last, coming, f"{line.count:,}"


def _time(seconds: float | None) -> str:
    """A time by the clock on the wall, as short as it is plain: `15:04:05` today, `Mon 04:30` this week, else with the date."""
    if seconds is None:
        return "-"
    when = _local(seconds)
    days = (when.date() - _local(clock.now()).date()).days
    if days == 0:
        return f"{when:%H:%M:%S}"
    if 0 < days < 7:
        return f"{when:%a %H:%M}"
    return f"{when:%Y-%m-%d %H:%M}"


def _local(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone()


def _show_upcoming(app: Umbel, count: int, name: str, *, as_json: bool) -> None:
    moments = app.schedule.upcoming(name, count)
    if as_json:
        print_json([iso(each) for each in moments])
        return
    for each in moments:
        click.echo(f"{_local(each):%a %Y-%m-%d %H:%M:%S %Z}")
    if len(moments) < count:
        click.echo("never again" if moments else "never")
