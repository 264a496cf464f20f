"""What the code of an app names to be sent again and again: looked at, tried out, and held against what the store has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any, Protocol

import msgspec

from umbel import clock
from umbel.client.current import App
from umbel.client.periodic.entry import BeatLazyFunc, Entry, opened
from umbel.client.periodic.tick import draft_of
from umbel.errors import DecodeError, UmbelError
from umbel.stores.schedule import Row, ScheduleStore


class Home(App, Protocol):
    """What a timetable needs of its app."""

    @property
    def main(self) -> str | None:
        """Its name."""
        ...

    def queues(self) -> list[str]:
        """The queues that the settings name."""
        ...

    @property
    def timezone(self) -> tzinfo:
        """The zone whose wall clock counts where an entry names none."""
        ...

    @property
    def schedule_store(self) -> ScheduleStore:
        """Where the entries are kept."""
        ...


class Declared(msgspec.Struct):
    """What the code of an app names. Beats keep it as long as they run, so it is small: there may be a hundred thousand."""

    definitions: dict[str, bytes] = msgspec.field(default_factory=dict)
    enabled: dict[str, bool] = msgspec.field(default_factory=dict)
    """What the code says of this, where it does."""
    unkept: dict[str, Entry] = msgspec.field(default_factory=dict)
    """Those that no store can keep whole."""
    wrong: dict[str, str] = msgspec.field(default_factory=dict)
    """The names of those that cannot be used, and why."""
    strange: dict[str, str] = msgspec.field(default_factory=dict)
    """The names of those whose task this app does not know, and that task. They are sent all the same."""


def read_declared(app: Home) -> Declared:
    """The entries of `beat_schedule`, `add_periodic_task` and `@app.periodic`, each looked at."""
    declared = Declared()
    tried: set[str] = set()
    for name, given in dict(app.conf.beat_schedule or {}).items():
        try:
            entry = _entry(app, name, given)
            definition = check(app, entry)
            if entry.options and (options := f"{entry.task} {entry.options}") not in tried:
                try_out(app, entry)  # once for all that differ in their arguments only: there may be thousands
                tried.add(options)
        except Exception as problem:  # whatever schedules, routers and arguments of users raise, the others are to run
            declared.wrong[name] = said(problem)
            continue
        declared.definitions[name] = definition
        if entry.enabled is not None:
            declared.enabled[name] = entry.enabled
        if not entry.is_whole:
            declared.unkept[name] = entry
        if entry.task not in app.tasks:
            declared.strange[name] = entry.task
    return declared


def _entry(app: Home, name: str, given: Any) -> Entry:
    entry = Entry.read(name, given, app=app)
    entry.origin = app.schedule_store.name
    return entry


def unsaved(app: Home, declared: Declared, rows: Iterable[Row]) -> tuple[list[tuple[str, bytes]], list[str]]:
    """What the code says and the store does not: the definitions to save, and the names that the code names no more."""
    now = clock.now()
    kept = {row.name: row for row in rows}
    changed: list[tuple[str, bytes]] = []
    for name, definition in declared.definitions.items():
        known = kept.get(name)
        if known is None:
            changed.append((name, definition))
        elif known.definition == definition:
            known.definition = definition  # so that a beat keeps these bytes once
        elif (given := (app.conf.beat_schedule or {}).get(name)) is not None:  # None: taken out since it was read
            entry = declared.unkept.get(name) or _entry(app, name, given)
            goes_on = entry.continuing(known.definition, now).encode()
            if goes_on != known.definition:
                changed.append((name, goes_on))
    known_here = declared.definitions.keys() | declared.wrong.keys()
    return changed, [name for name, row in kept.items() if name not in known_here and origin_of(row)]


def check(app: Home, entry: Entry) -> bytes:
    """Its definition; raises what would be wrong with its messages, as far as that is known before there is one."""
    task = app.tasks.get(entry.task)
    if task is not None and task.typing:
        takes = task.shortcut.arguments
        if not takes.fit(entry.args, entry.kwargs):
            takes.check(entry.args, entry.kwargs)
    definition = entry.encode()
    if b'"in_code":true' in definition:  # JSON cannot carry it: perhaps the task's own serializer can
        entry.is_whole = False
        try_out(app, entry)
    return definition


def try_out(app: Home, entry: Entry) -> None:
    """Make a message of the entry, and raise what is wrong with it."""
    sample = msgspec.structs.replace(
        entry,
        args=tuple(None if isinstance(each, BeatLazyFunc) else each for each in entry.args),
        kwargs={key: None if isinstance(each, BeatLazyFunc) else each for key, each in entry.kwargs.items()},
    )
    draft_of(app, sample).encode()


def said(problem: Exception) -> str:
    """What is wrong, in one line; with the kind of an error whose text alone says too little."""
    is_plain = isinstance(problem, (UmbelError, TypeError, ValueError)) and str(problem)
    return str(problem) if is_plain else f"{type(problem).__name__}: {problem}"


def origin_of(row: Row) -> str | None:
    """The app whose code names the entry; None for one that was made at run time."""
    if b'"origin"' not in row.definition:  # as with a hundred thousand entries that were made at run time
        return None
    try:
        return opened(row.definition).get("origin")
    except DecodeError:
        return None
