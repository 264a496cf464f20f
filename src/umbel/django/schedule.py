"""The schedule in the project's database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Case, F, Q, Value, When

from umbel import clock
from umbel.client.periodic.entry import decode, opened
from umbel.django.models import Entry, Gone, Leader, Version
from umbel.django.reach import Reach, bytes_of, key_of, pages, upsert
from umbel.errors import DecodeError, UmbelError
from umbel.stores.schedule import ASTRAY, FORGOTTEN, Changes, Row, ScheduleStore, Ticks, first_version
from umbel.stores.schedule import Leader as Leading

_FIELDS = ("name", "definition", "enabled", "since", "fired", "count")


class DjangoScheduleStore(ScheduleStore):
    """The schedule `name` in the database `alias`. Editors wait for each other; beats and readers for nobody."""

    def __init__(self, alias: str = "default", *, name: str = ""):
        self._reach = Reach(alias)
        self.url = self._reach.url
        self.name = name
        self.entries = Entry.objects.using(alias).filter(schedule=name)
        """The rows of this schedule."""
        self._gone = Gone.objects.using(alias).filter(schedule=name)
        self._version = Version.objects.using(alias).filter(schedule=name)
        self._leader = Leader.objects.using(alias).filter(schedule=name)

    def _keys(self, names: Sequence[str]) -> list[str]:
        """The keys of these, each once and in one order, so that no two writers wait for each other."""
        return sorted({key_of(self.name, name) for name in names})

    def find(self, names: Sequence[str]) -> list[Row]:
        with self._reach.open():
            return [row for page in pages(self._keys(names)) for row in _rows(self.entries.filter(key__in=page))]

    def changes(self, after: int = 0) -> Changes:
        with self._reach.open():
            while True:
                latest, forgotten = self._versions()
                if latest == after and after:
                    return Changes(after)
                whole = after == 0 or not forgotten <= after <= latest
                since = 0 if whole else after
                gone = [] if whole else list(self._gone.filter(version__gt=since).values_list("name", flat=True))
                rows = _rows(self.entries.filter(version__gt=since))
                if self._versions()[1] == forgotten:  # else what was removed may have been forgotten between two of these
                    return Changes(latest, rows, gone, whole)

    def _versions(self) -> tuple[int, int]:
        found: tuple[int, int] | None = self._version.values_list("latest", "forgotten").first()
        return found or (0, 0)

    def _lock(self) -> int:
        """Let no other editor in until this transaction ends; gives the version of its changes."""
        if not self._version.update(latest=F("latest") + 1):
            first = first_version()
            new = Version(schedule=self.name, latest=first, forgotten=first)
            self._version.bulk_create([new], ignore_conflicts=True)
            self._version.update(latest=F("latest") + 1)
        return self._versions()[0]

    def _unlock(self, version: int, *, changed: bool) -> None:
        """Take the version back if nothing bears it; forget what was removed long ago."""
        if not changed:
            self._version.update(latest=version - 1)
        old = self._gone.filter(at__lte=clock.now() - FORGOTTEN)
        behind = old.order_by("-version").values_list("version", flat=True).first()
        if behind is not None:
            self._gone.filter(version__lte=behind).delete()
            self._version.update(forgotten=behind)

    def save(self, entries: Sequence[tuple[str, bytes]]) -> None:
        if not entries:
            return
        wanted = {key_of(self.name, name): (name, definition) for name, definition in entries}
        with self._reach.write() as connection:
            version, now, changed = self._lock(), clock.now(), False
            for page in pages(sorted(wanted)):
                known = {key: bytes_of(kept) for key, kept in self.entries.filter(key__in=page).values_list("key", "definition")}
                new = [key for key in page if known.get(key) != wanted[key][1]]
                rows = [Entry(key=key, schedule=self.name, since=now, version=version, **_shown(*wanted[key])) for key in new]
                self.entries.bulk_create(rows, **upsert(connection, "key", ("definition", "task", "when", "version")))
                self._gone.filter(key__in=new).delete()
                changed = changed or bool(new)
            self._unlock(version, changed=changed)

    def enable(self, names: Sequence[str], *, enabled: bool) -> int:
        if not names:
            return 0
        values: dict[str, Any] = {"enabled": enabled} | ({"since": clock.now()} if enabled else {})
        with self._reach.write():
            version, count = self._lock(), 0
            for page in pages(self._keys(names)):
                count += self.entries.filter(key__in=page, enabled=not enabled).update(version=version, **values)
            self._unlock(version, changed=count > 0)
            return count

    def remove(self, names: Sequence[str]) -> int:
        if not names:
            return 0
        with self._reach.write() as connection:
            version, now, count = self._lock(), clock.now(), 0
            for page in pages(self._keys(names)):
                found = self.entries.filter(key__in=page).values_list("key", "name")
                gone = [Gone(key=key, schedule=self.name, name=name, version=version, at=now) for key, name in found]
                self._gone.bulk_create(gone, **upsert(connection, "key", ("version", "at")))
                self.entries.filter(key__in=page).delete()
                count += len(gone)
            self._unlock(version, changed=count > 0)
            return count

    def tick(self, ticks: Sequence[Ticks]) -> None:
        if not ticks:
            return
        sums: dict[str, tuple[float, int]] = {}
        for each in ticks:
            key = key_of(self.name, each.name)
            fired, count = sums.get(key, (each.fired, 0))
            sums[key] = max(fired, each.fired), count + each.count
        alike: defaultdict[tuple[float, int], list[str]] = defaultdict(list)  # most of a batch are due at the same moment
        for key in sorted(sums):
            alike[sums[key]].append(key)
        with self._reach.write():
            astray = clock.now() + ASTRAY
            for (fired, count), keys in alike.items():
                gives_way = Q(fired__isnull=True) | Q(fired__gt=astray) | Q(fired__lt=fired)
                values = {"fired": Case(When(gives_way, then=Value(fired)), default=F("fired")), "count": F("count") + count}
                for page in pages(keys):
                    self.entries.filter(key__in=page).update(**values)

    def lead(self, owner: str, seconds: float) -> bool:
        with self._reach.open() as connection:
            now = self._reach.now(connection)
            found = self._leader.first()
            if found is not None and _is_led_by_another(found, owner, now, seconds):
                return False  # looking first, so that those who wait do not hinder those who work
        with self._reach.write() as connection:
            if not self._leader.exists():
                self._leader.bulk_create([Leader(schedule=self.name, owner="", until=0.0)], ignore_conflicts=True)
            now = self._reach.now(connection)
            free = Q(owner=owner) | Q(until__lte=now) | Q(until__gt=now + 2 * seconds)
            return bool(self._leader.filter(free).update(owner=owner, until=now + seconds))

    def resign(self, owner: str) -> None:
        with self._reach.write():
            self._leader.filter(owner=owner).update(until=0.0)

    def leader(self) -> Leading | None:
        with self._reach.open() as connection:
            found = self._leader.filter(until__gt=self._reach.now(connection)).first()
            return Leading(found.owner, found.until) if found else None

    def close(self) -> None:
        """Nothing stays open."""


def _is_led_by_another(leader: Any, owner: str, now: float, seconds: float) -> bool:
    return bool(leader.owner != owner and now < leader.until <= now + 2 * seconds)


def _rows(entries: Any) -> list[Row]:
    return [
        Row(name, bytes_of(definition), enabled, since, fired, count)
        for name, definition, enabled, since, fired, count in entries.order_by().values_list(*_FIELDS)
    ]


def _shown(name: str, definition: bytes) -> dict[str, Any]:
    """What is kept of an entry, and what of it people search for."""
    task = when = ""
    try:
        task = opened(definition)["task"]
        when = str(decode(name, definition).schedule)
    except DecodeError:
        pass  # only the code that names it knows
    except UmbelError as problem:
        when = str(problem)
    return {"name": name, "definition": definition, "task": task[:255], "when": when[:255]}
