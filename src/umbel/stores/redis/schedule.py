"""The schedule in Redis."""

from __future__ import annotations

from collections.abc import Sequence

from umbel.stores.redis.link import Link
from umbel.stores.redis.scripts import ScheduleScripts
from umbel.stores.redis.server import Server
from umbel.stores.schedule import ASTRAY, FORGOTTEN, Changes, Leader, Row, ScheduleStore, Ticks

AT_ONCE = 5_000
"""Entries in one script: more would hold up the others on the server for more than some ten milliseconds."""


class RedisScheduleStore(ScheduleStore):
    """The schedule `name` on the Redis server. Any thread may use it."""

    def __init__(self, server: Server, *, name: str = "", prefix: str = ""):
        self.url = server.url
        self.name = name
        self._link = Link(server)
        self._scripts = ScheduleScripts({"P": prefix, "NAME": name})

    def find(self, names: Sequence[str]) -> list[Row]:
        found: list[Row] = []
        unique = list(dict.fromkeys(names))
        for start in range(0, len(unique), AT_ONCE):
            rows = self._link.run(self._scripts.find(unique[start : start + AT_ONCE]))
            found += [_row(name.decode(), definition, state) for name, definition, state in rows]
        return found

    def changes(self, after: int = 0) -> Changes:
        rows: dict[str, Row] = {}
        gone: set[str] = set()
        is_whole = is_more = False
        while True:
            version, begins, last, *page = self._link.run(self._scripts.changes(after, AT_ONCE, is_more))
            if begins:  # also if the store was emptied between two pages
                is_whole = True
                rows.clear()
            for packed, definition, state in page:
                name = packed.decode()
                rows.pop(name, None)  # it was changed again since the page before
                gone.discard(name)
                if definition is None:
                    gone.add(name)
                else:
                    rows[name] = _row(name, definition, state)
            if last == version:
                return Changes(version, list(rows.values()), [] if is_whole else sorted(gone), is_whole)
            after, is_more = last, True

    def save(self, entries: Sequence[tuple[str, bytes]]) -> None:
        for start in range(0, len(entries), AT_ONCE):
            told = [part for entry in entries[start : start + AT_ONCE] for part in entry]
            self._link.run(self._scripts.save(FORGOTTEN, told))

    def enable(self, names: Sequence[str], *, enabled: bool) -> int:
        return sum(
            self._link.run(self._scripts.enable(FORGOTTEN, enabled, names[start : start + AT_ONCE]))
            for start in range(0, len(names), AT_ONCE)
        )

    def remove(self, names: Sequence[str]) -> int:
        return sum(
            self._link.run(self._scripts.remove(int(FORGOTTEN), names[start : start + AT_ONCE]))
            for start in range(0, len(names), AT_ONCE)
        )

    def tick(self, ticks: Sequence[Ticks]) -> None:
        for start in range(0, len(ticks), AT_ONCE):
            some = ticks[start : start + AT_ONCE]
            told = [part for each in some for part in (each.name, repr(each.fired), each.count)]
            self._link.run(self._scripts.tick(ASTRAY, told))

    def lead(self, owner: str, seconds: float) -> bool:
        return bool(self._link.run(self._scripts.lead(owner, max(int(seconds * 1000), 1))))

    def resign(self, owner: str) -> None:
        self._link.run(self._scripts.resign(owner))

    def leader(self) -> Leader | None:
        found = self._link.run(self._scripts.leader())
        return Leader(found[0].decode(), float(found[1])) if found else None

    def close(self) -> None:
        self._link.close()


def _row(name: str, definition: bytes, state: bytes) -> Row:
    enabled, since, fired, count = state.split()
    return Row(name, definition, enabled == b"1", float(since), None if fired == b"-" else float(fired), int(count))
