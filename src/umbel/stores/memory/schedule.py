"""The schedule in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from umbel import clock
from umbel.stores.memory.room import Timetable, room
from umbel.stores.schedule import ASTRAY, FORGOTTEN, Changes, Leader, Row, ScheduleStore, Ticks, first_version


class MemoryScheduleStore(ScheduleStore):
    """The schedule `name` of the memory store `place`."""

    def __init__(self, place: str = "", *, name: str = ""):
        self.url = f"memory://{place}"
        self.name = name
        self._room = room(place)

    @property
    def _timetable(self) -> Timetable:
        """Asked for inside `with self._room.changed` only: a fork empties the room."""
        return self._room.timetables[self.name]

    def find(self, names: Sequence[str]) -> list[Row]:
        with self._room.changed:
            known = self._timetable.entries
            return [msgspec.structs.replace(known[name][1]) for name in dict.fromkeys(names) if name in known]

    def changes(self, after: int = 0) -> Changes:
        with self._room.changed:
            table = self._timetable
            whole = after == 0 or not table.forgotten <= after <= table.version
            since = 0 if whole else after
            rows = [msgspec.structs.replace(row) for version, row in table.entries.values() if version > since]
            gone = [] if whole else [name for name, (version, _) in table.gone.items() if version > since]
            return Changes(table.version, rows, gone, whole)

    def _next_version(self) -> int:
        table = self._timetable
        if not table.version:
            table.version = table.forgotten = first_version()
        table.version += 1
        return table.version

    def save(self, entries: Sequence[tuple[str, bytes]]) -> None:
        with self._room.changed:
            table = self._timetable
            for name, definition in entries:
                _, row = table.entries.get(name, (0, None))
                if row is None or row.definition != definition:
                    new = (
                        Row(name, definition, since=clock.now())
                        if row is None
                        else msgspec.structs.replace(row, definition=definition)
                    )
                    table.entries[name] = self._next_version(), new
                    table.gone.pop(name, None)
            self._forget()

    def enable(self, names: Sequence[str], *, enabled: bool) -> int:
        with self._room.changed:
            table, count = self._timetable, 0
            for name in names:
                _, row = table.entries.get(name, (0, None))
                if row is not None and row.enabled != enabled:
                    since = clock.now() if enabled else row.since
                    table.entries[name] = self._next_version(), msgspec.structs.replace(row, enabled=enabled, since=since)
                    count += 1
            self._forget()
            return count

    def remove(self, names: Sequence[str]) -> int:
        with self._room.changed:
            table, count = self._timetable, 0
            for name in names:
                if table.entries.pop(name, None):
                    table.gone[name] = self._next_version(), clock.now()
                    count += 1
            self._forget()
            return count

    def _forget(self) -> None:
        """Drop from `gone`, where the first to go stands first, what is past its time."""
        table, now = self._timetable, clock.now()
        while table.gone:
            name, (version, at) = next(iter(table.gone.items()))
            if at > now - FORGOTTEN:
                return
            del table.gone[name]
            table.forgotten = version

    def tick(self, ticks: Sequence[Ticks]) -> None:
        with self._room.changed:
            astray = clock.now() + ASTRAY
            for each in ticks:
                _, row = self._timetable.entries.get(each.name, (0, None))
                if row is not None:
                    row.count += each.count
                    if row.fired is None or row.fired > astray or each.fired > row.fired:
                        row.fired = each.fired

    def lead(self, owner: str, seconds: float) -> bool:
        with self._room.changed:
            now, leader = clock.now(), self._timetable.leader
            if leader is not None and leader.owner != owner and now < leader.until <= now + 2 * seconds:
                return False
            self._timetable.leader = Leader(owner, now + seconds)
            return True

    def resign(self, owner: str) -> None:
        with self._room.changed:
            leader = self._timetable.leader
            if leader is not None and leader.owner == owner:
                self._timetable.leader = None

    def leader(self) -> Leader | None:
        with self._room.changed:
            leader = self._timetable.leader
            return leader if leader is not None and leader.until > clock.now() else None

    def close(self) -> None:
        """Nothing is open."""
