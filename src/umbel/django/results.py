"""Results in the project's database."""

from __future__ import annotations

import datetime
import random
import threading
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Q
from django.utils import timezone

from umbel import clock
from umbel.django.joins import Chords
from umbel.django.models import Group
from umbel.django.models import Result as Kept
from umbel.django.reach import Reach, bytes_of, key_of, pages, shown, upsert
from umbel.states import READY_STATES, may_replace
from umbel.stores.backend import ResultBackend
from umbel.stores.join import Arrival, Parts
from umbel.stores.slices import slices
from umbel.wire.brief import brief
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result
from umbel.wire.typed_json import from_json

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two looks for a result that is waited for; they grow."""
EVERY = 1000
"""Results after which what is past its age is removed."""
LONG = 255
"""Letters of a column."""
LONGEST = 20_000
"""Letters that a page shows of a value."""


class DjangoBackend(ResultBackend):
    """Results in the database `alias`, with what is known of the call in columns of their own."""

    wants_facts = True

    def __init__(self, alias: str = "default", *, expires: float | None = 86400.0):
        self._reach = Reach(alias)
        self.url = self._reach.url
        self.expires = expires
        self._closed = threading.Event()
        self._unswept = 0
        self._rows = Kept.objects.using(alias)
        self._groups = Group.objects.using(alias)
        self._chords = Chords(alias, expires)

    def store(self, results: Sequence[Result]) -> None:
        last: dict[str, Result] = {}
        for result in results:
            known = last.get(result.id)
            if known is None or may_replace(result.state, known.state):
                last[result.id] = result
        rows = [self._row(last[id]) for id in sorted(last, key=row_id)]
        for part in slices([len(row.document) for row in rows], most=200):
            self._write(rows[part])
        self._unswept += len(rows)
        if self._unswept >= EVERY:
            self._unswept = 0
            self.sweep()

    def _row(self, result: Result) -> Any:
        now = clock.now()
        created = datetime.datetime.fromtimestamp(now, datetime.UTC)
        row = Kept(
            task_id=row_id(result.id),
            status=result.state[:100],
            document=result.document,
            expires=None if self.expires is None else now + self.expires,
            created=_moment(created),
            done=_moment(created) if result.state in READY_STATES else None,
        )
        for name, value in facts(result.document).items():
            setattr(row, name, value)
        return row

    def _write(self, rows: Sequence[Any]) -> None:
        """Each by `may_replace`. Rows are there before they are looked at, so that what is seen is held until the end."""
        mark = random.getrandbits(62)
        for row in rows:
            row.written = mark
        with self._reach.write() as connection:
            self._rows.bulk_create(rows, ignore_conflicts=True)
            ids = [row.task_id for row in rows]
            seen = self._rows.select_for_update().filter(task_id__in=ids).exclude(written=mark).order_by("task_id")
            known = {id: (state, until) for id, state, until in seen.values_list("task_id", "status", "expires")}
            now = clock.now()
            again = [row for row in rows if row.task_id in known and _gives_way(*known[row.task_id], row.status, now)]
            if again:
                self._rows.bulk_create(again, **upsert(connection, "task_id", _CHANGING))

    def fetch(self, ids: Sequence[str]) -> dict[str, Result]:
        return self._find(list(ids), Q())

    def _find(self, ids: list[str], which: Q) -> dict[str, Result]:
        wanted = {row_id(id): id for id in ids}
        fresh = Q(expires__isnull=True) | Q(expires__gt=clock.now())
        found = {}
        with self._reach.open():
            for page in pages(list(wanted)):
                rows = self._rows.filter(which, fresh, task_id__in=page).order_by()
                for id, state, document in rows.values_list("task_id", "status", "document"):
                    found[wanted[id]] = Result(wanted[id], state, bytes_of(document))
        return found

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        end, pause, wanted = clock.monotonic() + timeout, FIRST_PAUSE, list(ids)
        final = Q(status__in=sorted(READY_STATES))
        while wanted and not self._closed.is_set():
            found = self._find(wanted, final)
            left = end - clock.monotonic()
            if found or left <= 0:
                return found
            self._closed.wait(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)
        return {}

    def forget(self, ids: Sequence[str]) -> None:
        with self._reach.open():
            for page in pages([row_id(id) for id in ids]):
                self._rows.filter(task_id__in=page).delete()

    def sweep(self) -> int:
        count, now = 0, clock.now()
        with self._reach.open():
            while old := list(self._rows.filter(expires__lte=now).order_by().values_list("task_id", flat=True)[:500]):
                count += self._rows.filter(task_id__in=old, expires__lte=now).delete()[0]
            self._groups.filter(expires__lte=now).delete()
            self._chords.sweep(now)
        return count

    def close(self) -> None:
        self._closed.set()

    # Chords and groups

    def expect(self, chord: str, size: int) -> None:
        with self._reach.write() as connection:
            self._chords.expect(connection, chord, size)

    def arrive(self, arrivals: Sequence[Arrival]) -> list[Envelope]:
        if not arrivals:
            return []
        with self._reach.write() as connection:
            return self._chords.note(connection, arrivals)

    def parts(self, chord: str) -> Parts | None:
        with self._reach.open():
            return self._chords.parts(chord)

    def done(self, chord: str) -> None:
        with self._reach.write() as connection:
            self._chords.done(connection, chord)

    def save_group(self, id: str, document: bytes, expires: float | None) -> None:
        until = None if expires is None else clock.now() + expires
        with self._reach.write() as connection:
            row = Group(group_id=row_id(id), document=document, expires=until)
            self._groups.bulk_create([row], **upsert(connection, "group_id", ("document", "expires")))

    def group(self, id: str) -> bytes | None:
        fresh = Q(expires__isnull=True) | Q(expires__gt=clock.now())
        with self._reach.open():
            found = self._groups.filter(fresh, group_id=row_id(id)).values_list("document", flat=True).first()
        return None if found is None else bytes_of(found)

    def forget_group(self, id: str) -> None:
        with self._reach.open():
            self._groups.filter(group_id=row_id(id)).delete()


_CHANGING = [field.name for field in Kept._meta.get_fields() if field.name not in ("task_id", "created")]


def row_id(id: str) -> str:
    """The key of a row: the id itself, unless it is one that a column cannot hold."""
    return id if id.isascii() and id.isprintable() and 0 < len(id) <= 200 else f"sha256:{key_of(id)}"


def _gives_way(known: str, until: float | None, new: str, now: float) -> bool:
    return (until is not None and until <= now) or may_replace(new, known)


def _moment(moment: datetime.datetime) -> datetime.datetime:
    """As the project's database wants it (USE_TZ)."""
    from django.conf import settings

    return moment if settings.USE_TZ else timezone.make_naive(moment)


def facts(document: bytes) -> dict[str, Any]:
    """What a document tells of its call, for columns; nothing, if it is no JSON."""
    try:
        found = from_json(document)
    except Exception:  # another serializer's, which a page cannot show
        return {}
    if not isinstance(found, dict):
        return {}
    told = {name: shown(found.get(key) or "", LONG) for name, key in _WORDS.items()}
    for name in ("args", "kwargs"):
        told[name] = shown(found.get(f"{name}repr") or ("" if found.get(name) is None else brief(found[name])), LONGEST)
    retries = found.get("retries")
    value = found.get("result")
    return {
        **told,
        "retries": retries if isinstance(retries, int) and retries >= 0 else 0,
        "value": shown(_exception(value) or brief(value, LONGEST), LONGEST),
        "traceback": shown(found.get("traceback") or "", 10 * LONGEST),
    }


def _exception(value: Any) -> str:
    """An exception, as documents have it, in a line."""
    if not (isinstance(value, dict) and isinstance(value.get("exc_type"), str)):
        return ""
    told = value.get("exc_message")
    return f"{value['exc_type']}: {', '.join(map(str, told)) if isinstance(told, (list, tuple)) else told}"


_WORDS = {
    "task": "name",
    "worker": "worker",
    "queue": "queue",
    "periodic_task_name": "periodic_task_name",
    "parent_id": "parent_id",
    "root_id": "root_id",
}
