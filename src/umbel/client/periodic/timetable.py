"""The schedule of an app: the entries that its code names, and those in the store, to be looked at and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any

import msgspec

from umbel import clock
from umbel.client.canvas.signature import maybe_signature
from umbel.client.periodic.declared import Declared, Home, check, origin_of, read_declared, said, try_out, unsaved
from umbel.client.periodic.entry import Entry, decode, opened
from umbel.client.periodic.tick import fire
from umbel.client.results.result import AsyncResult
from umbel.errors import DecodeError, ImproperlyConfigured, ScheduleError
from umbel.schedules import read_zone
from umbel.stores.schedule import ASTRAY, Leader, Row, ScheduleStore
from umbel.wire.brief import brief

PAGE = 10_000
"""Entries saved at once: so many keep the store for themselves for a moment only."""


class Line(msgspec.Struct):
    """One entry as the store has it."""

    name: str
    enabled: bool
    last: float | None
    """The due time of its last firing (seconds since the epoch)."""
    next: float | None
    """When it fires next, if it is enabled; None for never."""
    count: int
    """How often it was sent."""
    entry: Entry | None
    """What and when; None if its definition cannot be read here."""
    problem: str | None = None
    """Why it cannot be read."""

    def as_dict(self) -> dict[str, Any]:
        """All of it in words, for programs; times in ISO 8601."""
        told: dict[str, Any] = {"name": self.name, "enabled": self.enabled, "last": iso(self.last), "next": iso(self.next)}
        told |= {"sent": self.count, "problem": self.problem}
        if (entry := self.entry) is not None:
            told |= {"task": entry.task, "when": str(entry.schedule), "timezone": entry.timezone, "catch_up": entry.catch_up}
            told |= {"args": brief(entry.args), "kwargs": brief(entry.kwargs), "options": entry.options, "origin": entry.origin}
        return told


def iso(seconds: float | None) -> str | None:
    """A moment by the clock on this machine's wall, and how far that is from UTC."""
    return None if seconds is None else clock.utc(seconds).astimezone().isoformat()


class Timetable:
    """The schedule of an app, as `app.schedule`: add, change, enable, disable, remove and run entries while beats are running.

    What changes here is heeded by them within a second. Entries named in the code are changed there; they can be switched off
    and on here.
    """

    def __init__(self, app: Home):
        self._app = app

    # Looking

    def __iter__(self) -> Iterator[Line]:
        lines = [self.line(row) for row in self._store.changes().rows]
        return iter(sorted(lines, key=lambda line: line.name))

    def __getitem__(self, name: str) -> Line:
        return self.line(self._row(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._store.find([name]))

    def line(self, row: Row) -> Line:
        """What a row of the store says; one that cannot be used says why."""
        try:
            entry = self._entry(row)
            due = entry.schedule.next(self._begin(row, entry), self._zone(entry)) if row.enabled else None
        except Exception as problem:  # also whatever a schedule of somebody's own raises: the others are to be shown
            return Line(row.name, row.enabled, row.fired, None, row.count, None, said(problem))
        return Line(row.name, row.enabled, row.fired, due, row.count, entry)

    def leader(self) -> Leader | None:
        """The beat that sends, and until when it has said that it lives; None if none runs."""
        return self._store.leader()

    def as_dict(self) -> dict[str, Any]:
        """All that there is to know, for programs: who leads, the zone, the entries, and what is wrong in the code."""
        leader = self.leader()
        return {
            "leader": None if leader is None else leader.owner,
            "timezone": str(self._app.timezone),
            "entries": [line.as_dict() for line in self],
            "wrong": self.named().wrong,
        }

    def upcoming(self, name: str, count: int = 10) -> list[float]:
        """When an entry fires the next `count` times (seconds since the epoch), were it enabled."""
        row = self._row(name)
        entry = self._decode(row)
        found: list[float] = []
        try:
            after: float | None = self._begin(row, entry)
            while after is not None and len(found) < count:
                after = entry.schedule.next(after, self._zone(entry))
                if after is not None:
                    found.append(after)
        except Exception as problem:  # whatever a schedule of somebody's own raises
            raise ImproperlyConfigured(f"entry {name!r}: its schedule failed: {said(problem)}") from problem
        return found

    # Changing

    def add(
        self,
        name: str,
        task: Any,
        schedule: Any,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timezone: str | None = None,
        catch_up: int | str = "once",
        enabled: bool = True,
        **options: Any,
    ) -> Entry:
        """A new entry: `app.schedule.add("report", make_report, crontab(hour=4, minute=0), catch_up="skip", queue="slow")`.

        `schedule` is a schedule, seconds, a timedelta or a crontab's line; `options` are those of `apply_async`.
        ImproperlyConfigured (with what is wrong) if it can never be sent, or there is one of that name.
        """
        given = {"task": task, "schedule": schedule, "args": args, "kwargs": kwargs, "options": options}
        entry = Entry.read(name, {**given, "timezone": timezone, "catch_up": catch_up})
        if enabled not in (True, False):
            raise ImproperlyConfigured(f"its enabled is {brief(enabled)}; it should be True or False")
        if name in self:
            raise ImproperlyConfigured(f"there is an entry {name!r} already; change it, or remove it first")
        definition = check(self._app, entry)
        try_out(self._app, entry)
        if entry.schedule.next(clock.now(), self._zone(entry)) is None:
            raise ScheduleError(f"entry {name!r} would never fire: {entry.schedule} is over")
        self._store.save([(name, definition)])
        if not enabled:
            self._store.enable([name], enabled=False)
        return entry

    def change(self, name: str, **changes: Any) -> Entry:
        """Give an entry other values: `app.schedule.change("report", schedule=crontab(hour=5, minute=0), args=("all",))`.

        If it is due at other moments from now on, only those behind this one count.
        """
        row = self._row(name)
        _refuse_of_code(row)
        entry = self._decode(row).changed(**changes).continuing(row.definition, clock.now())
        definition = check(self._app, entry)
        try_out(self._app, entry)
        self._store.save([(name, definition)])
        return entry

    def enable(self, *names: str) -> None:
        """Let these fire again, from now on: what they would have fired meanwhile is not made up for."""
        self._switch(names, enabled=True)

    def disable(self, *names: str) -> None:
        """Let these fire no more until they are enabled."""
        self._switch(names, enabled=False)

    def remove(self, *names: str) -> None:
        """Forget these."""
        for row in self._rows(names):
            _refuse_of_code(row)
        self._store.remove(names)

    def run_now(self, name: str) -> AsyncResult[Any]:
        """Send what an entry sends, once and at once; its firings go on as if nothing had been."""
        return fire(self._app, self._decode(self._row(name)))

    # What the code names

    def named(self) -> Declared:
        """The entries of `beat_schedule`, `add_periodic_task` and `@app.periodic`, each looked at."""
        return read_declared(self._app)

    def save_named(
        self, declared: Declared | None = None, rows: Iterable[Row] | None = None, *, between: Callable[[], None] | None = None
    ) -> bool:
        """Bring the store in line with the code: save what is new or changed, remove what the code names no more.

        True if there was anything to do. `rows` are those of the store, for who has just read them; `between` is called now and
        then, as this may take a while.
        """
        declared, store = self.named() if declared is None else declared, self._store
        changed, left = unsaved(self._app, declared, store.changes().rows if rows is None else rows)
        for start in range(0, len(changed), PAGE):
            store.save(changed[start : start + PAGE])
            if between is not None:
                between()
        count = len(changed)
        for wish in (True, False):
            count += store.enable([name for name, enabled in declared.enabled.items() if enabled is wish], enabled=wish)
        return bool(count + store.remove(left))

    def unsaved(self, declared: Declared) -> list[str]:
        """The names of the entries that the store has otherwise than the code says, in order."""
        changed, left = unsaved(self._app, declared, self._store.changes().rows)
        return sorted([*(name for name, _ in changed), *left])

    @property
    def _store(self) -> ScheduleStore:
        return self._app.schedule_store

    def _zone(self, entry: Entry) -> tzinfo:
        return read_zone(entry.timezone) if entry.timezone else self._app.timezone

    def _rows(self, names: Iterable[str]) -> list[Row]:
        """The entries of these names; ImproperlyConfigured if one is not there."""
        names = tuple(names)
        found = {row.name: row for row in self._store.find(names)}
        for name in names:
            if name not in found:
                raise ImproperlyConfigured(
                    f"there is no entry {name!r}; app.schedule (or `umbel schedule`) lists those there are"
                )
        return list(found.values())

    def _row(self, name: str) -> Row:
        return self._rows([name])[0]

    def _entry(self, row: Row) -> Entry:
        """What is kept; with what only the code knows, if this is its app."""
        given = (self._app.conf.beat_schedule or {}).get(row.name)
        if given is not None and (found := opened(row.definition)).get("in_code"):
            return msgspec.structs.replace(Entry.read(row.name, given, app=self._app), start=float(found.get("start", 0.0)))
        return decode(row.name, row.definition)

    def _decode(self, row: Row) -> Entry:
        try:
            return self._entry(row)
        except (DecodeError, ScheduleError) as problem:
            raise ImproperlyConfigured(f"entry {row.name!r} cannot be used: {problem}") from problem

    @staticmethod
    def _begin(row: Row, entry: Entry) -> float:
        """Behind which moment its next firing lies; as beats do, it passes over what a clock that was wrong has settled."""
        after, now = max(row.after, entry.start), clock.now()
        return now if after > now + ASTRAY else after

    def _switch(self, names: Iterable[str], *, enabled: bool) -> None:
        names = tuple(names)
        self._rows(names)
        self._store.enable(names, enabled=enabled)


def _refuse_of_code(row: Row) -> None:
    if origin := origin_of(row):
        raise ImproperlyConfigured(f"entry {row.name!r} is named in the code of {origin}: change it there (or disable it)")


def periodic(
    schedule: Any, sig: Any, args: Iterable[Any], kwargs: Mapping[str, Any] | Iterable[Any], name: str | None, options: Any
) -> tuple[str, dict[str, Any]]:
    """The name and the words of the entry that `add_periodic_task` adds."""
    call = maybe_signature(sig)
    if call is None:
        raise TypeError("add_periodic_task takes a task's signature: add_periodic_task(30, add.s(1, 2))")
    call = call.clone(tuple(args or ()), dict(kwargs or {}))
    own = {key: options.pop(key) for key in ("relative", "timezone", "catch_up", "enabled") if key in options}
    words = {"task": call.task, "schedule": schedule, "args": call.args, "kwargs": call.kwargs}
    return name or repr(call), {**words, "options": {**call.options, **options}, **own}
