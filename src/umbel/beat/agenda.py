"""What is due when: all entries in one heap by time, and the rule for what was missed. No I/O."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, tzinfo

import msgspec

from umbel import clock, guise
from umbel.client.periodic.entry import Entry, allowed, opened, with_schedule
from umbel.errors import DecodeError, ImproperlyConfigured
from umbel.schedules import Schedule, crontab, from_data, read_zone
from umbel.schedules import schedule as interval
from umbel.stores.schedule import ASTRAY, Changes, Row

log = guise.logger("umbel.beat")

GRACE = 15.0
"""Seconds by which a firing may be late before it counts as missed: several times what a change of leaders takes."""
STEPS = 1_000
"""Firings that are looked at one by one; beyond them the walk leaps to where the newest are."""
PAGE = 10_000
"""Entries that are planned at one go: a tenth of a second."""
AGAIN = 60.0
"""Seconds after which a schedule that failed is asked again."""


class Planned:
    """One entry, kept as small as can be: there may be a hundred thousand."""

    __slots__ = ("after", "catch_up", "definition", "due", "name", "schedule", "zone")

    def __init__(self, name: str, definition: bytes, schedule: Schedule, zone: tzinfo, catch_up: int, after: float):
        self.name = name
        self.definition = definition
        self.schedule = schedule
        self.zone = zone
        self.catch_up = catch_up
        """How many missed firings are made up for."""
        self.after = after
        """The moment up to which all is settled."""
        self.due: float | None = None


class Tick(msgspec.Struct):
    """One entry that is due."""

    planned: Planned
    moments: list[float]
    """The due times to send now, oldest first; empty if all of them were missed and nothing makes up for that."""
    settled: float
    """The newest due time: with it, all up to now is settled."""


class Agenda:
    """All entries by when they are due next. Belongs to the thread of its beat.

    Moments are computed from data alone (the entry's definition and the last moment that is settled), so every beat computes the
    same. They are whole microseconds, as all stores keep them.
    """

    def __init__(self, zone: tzinfo, code: Mapping[str, Entry], *, wrong: Collection[str] = (), deadline: float | None = None):
        self._zone = zone
        self._code = code
        """Entries of the code that know more than their definitions can tell."""
        self._wrong = wrong
        """Entries that cannot be as the code has them now; what the store has of these is older."""
        self._deadline = deadline
        """Age in seconds beyond which nobody makes up for a missed crontab."""
        self._entries: dict[str, Planned] = {}
        self._heap: list[tuple[float, int, Planned]] = []
        self._order = itertools.count()
        self._schedules: dict[str, Schedule] = {}
        """Equal schedules are one object."""
        self._zones: dict[str, tzinfo] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, changes: Changes, *, between: Callable[[], None] | None = None) -> None:
        """Take over what has changed; an entry that cannot be used is logged, and the others go on.

        `between` is called now and then, as this may take a while.
        """
        if changes.whole:
            self._entries.clear()
            self._heap.clear()
            self._schedules.clear()
        for name in changes.gone:
            self._entries.pop(name, None)
        planned: list[Planned] = []
        for start in range(0, len(changes.rows), PAGE):
            rows = changes.rows[start : start + PAGE]
            planned += [each for row in rows if (each := self._plan(row)) is not None]
            if between is not None:
                between()
        if changes.whole:
            self._heap = [(each.due, next(self._order), each) for each in planned if each.due is not None]
            heapq.heapify(self._heap)
        else:
            for each in planned:
                self._push(each)

    def _plan(self, row: Row) -> Planned | None:
        self._entries.pop(row.name, None)
        if not row.enabled or row.name in self._wrong:
            return None
        try:
            planned = self._read(row)
            planned.due = self._next(planned)
        except (DecodeError, ImproperlyConfigured) as problem:
            log.error("Entry %r is not sent: %s", row.name, problem)
            return None
        except Exception:
            log.exception("Entry %r is not sent: its schedule failed", row.name)
            return None
        self._entries[row.name] = planned
        return planned

    def _read(self, row: Row) -> Planned:
        found = opened(row.definition)
        after = max(row.after, float(found.get("start", 0.0)))
        if after > clock.now() + ASTRAY:  # settled by a clock that was wrong
            after = clock.now()
        if found.get("in_code"):
            known = self._code.get(row.name)
            if known is None:
                raise DecodeError("only the code that names it knows its schedule or arguments, and this app's does not")
            zone = self._zone_of(known.timezone)
            return Planned(row.name, row.definition, known.schedule, zone, allowed(known.catch_up), after)
        text = repr(found["schedule"])
        schedule = self._schedules.get(text)
        if schedule is None:
            schedule = self._schedules[text] = from_data(found["schedule"])
        zone, catch_up = self._zone_of(found.get("timezone")), allowed(found.get("catch_up", "once"))
        return Planned(row.name, row.definition, schedule, zone, catch_up, after)

    def _zone_of(self, name: str | None) -> tzinfo:
        if name is None:
            return self._zone
        if name not in self._zones:
            self._zones[name] = read_zone(name)
        return self._zones[name]

    def entry(self, planned: Planned) -> Entry:
        """The whole entry."""
        found = opened(planned.definition)
        return self._code[planned.name] if found.get("in_code") else with_schedule(planned.name, found, planned.schedule)

    # Time

    @property
    def next_due(self) -> float | None:
        """When something is due next."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float, limit: int) -> list[Tick]:
        """What is due, the oldest first, until there are `limit` moments to send. Each goes back by `settle` or `retry`."""
        ticks: list[Tick] = []
        count = 0
        while count < limit:
            self._drop_stale()
            if not self._heap or self._heap[0][0] > now:
                break
            planned = heapq.heappop(self._heap)[2]
            tick = self._tick(planned, now)
            if tick is not None:
                ticks.append(tick)
                count += len(tick.moments)
        return ticks

    def settle(self, tick: Tick) -> None:
        """The tick is sent, or left out: plan the next."""
        tick.planned.after = tick.settled
        self._plan_next(tick.planned)

    def retry(self, tick: Tick) -> None:
        """The tick could not be sent: it is as due as before."""
        self._push(tick.planned)

    def _tick(self, planned: Planned, now: float) -> Tick | None:
        """What to send of an entry that is due; None if it has to be asked again later."""
        if planned.schedule.polled:
            return self._ask(planned, now)
        try:
            moments = self._moments(planned, now)
        except Exception:
            log.exception("Entry %r: its schedule failed; it is asked again in %g s", planned.name, AGAIN)
            planned.due = now + AGAIN
            self._push(planned)
            return None
        return Tick(planned, self._chosen(planned, moments, now), moments[-1])

    def _ask(self, planned: Planned, now: float) -> Tick | None:
        """As `_tick`, of a schedule that decides for itself."""
        assert planned.due is not None, "it was in the heap"
        try:
            is_due, wait = planned.schedule.is_due(datetime.fromtimestamp(planned.after, UTC))
        except Exception:
            log.exception("Entry %r: its schedule failed; it is asked again in %g s", planned.name, AGAIN)
            is_due, wait = False, AGAIN
        if is_due:
            return Tick(planned, self._in_time(planned, [planned.due], now), planned.due)
        planned.due = now + max(float(wait), 0.05)
        self._push(planned)
        return None

    def _moments(self, planned: Planned, now: float) -> list[float]:
        """The moments that are due, oldest first; of very many only the newest that may count."""
        assert planned.due is not None, "it was in the heap"
        moments = self._walk(planned, planned.due, now, STEPS)
        back, wanted = 4 * GRACE, max(planned.catch_up, 1)
        while moments is None:  # back from now instead, farther each time, until there are enough
            begin = self._landing(planned, planned.due, now - back)
            start = self._after(planned, begin) if begin > planned.due else planned.due
            found = self._walk(planned, start, now, None) if start is not None and start <= now else []
            if found and (len(found) >= wanted or begin <= planned.due):
                moments = found
            back *= 4
        return moments

    def _walk(self, planned: Planned, first: float, now: float, limit: int | None) -> list[float] | None:
        """The moments from `first` up to now; None if there are more than `limit`."""
        moments = [first]
        while (following := self._after(planned, moments[-1])) is not None and following <= now:
            if limit is not None and len(moments) >= limit:
                return None
            moments.append(following)
        return moments

    @staticmethod
    def _landing(planned: Planned, first: float, wish: float) -> float:
        """A moment at or before `wish` from which the walk comes to the same moments as from `first`."""
        if wish <= first:
            return first
        schedule = planned.schedule
        if isinstance(schedule, interval):  # whose moments follow from those before them
            return first + (wish - first) // schedule.seconds * schedule.seconds
        return wish

    def _chosen(self, planned: Planned, moments: list[float], now: float) -> list[float]:
        """Those to send: all that are merely late; and if these are fewer than may be caught up, missed ones too, the newest."""
        late = sum(moment >= now - GRACE for moment in moments)
        count = max(late, planned.catch_up)
        return self._in_time(planned, moments[-count:] if count else [], now)

    def _in_time(self, planned: Planned, moments: list[float], now: float) -> list[float]:
        """Without those that lie beyond the deadline."""
        if self._deadline is None or not isinstance(planned.schedule, crontab):
            return moments
        return [moment for moment in moments if moment >= now - self._deadline]

    def _plan_next(self, planned: Planned) -> None:
        try:
            planned.due = self._next(planned)
        except Exception:
            log.exception("Entry %r: its schedule failed; it is asked again in %g s", planned.name, AGAIN)
            planned.due = clock.now() + AGAIN
        self._push(planned)

    def _next(self, planned: Planned) -> float | None:
        return self._after(planned, planned.after)

    @staticmethod
    def _after(planned: Planned, moment: float) -> float | None:
        found = planned.schedule.next(moment, planned.zone)
        if found is None:
            return None
        found = round(found, 6)
        return found if found > moment else moment + 1e-6  # a schedule of somebody's own must not stand still

    def _push(self, planned: Planned) -> None:
        if planned.due is not None and self._entries.get(planned.name) is planned:
            heapq.heappush(self._heap, (planned.due, next(self._order), planned))

    def _drop_stale(self) -> None:
        """Drop from the top what was changed or removed since."""
        heap = self._heap
        while heap and self._entries.get(heap[0][2].name) is not heap[0][2]:
            heapq.heappop(heap)
