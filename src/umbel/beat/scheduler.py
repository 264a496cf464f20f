"""Celery's schedulers, for those who derive their own: entries with a last run, a heap of them, and `tick`.

What umbel runs by itself is `dispatch.py`. A class of this kind runs under the same leadership, so that of several beats one
ticks; but what it sends is not guarded by the broker as umbel's own is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, Self

from umbel import clock, guise
from umbel.client.app import Umbel
from umbel.client.periodic.entry import BeatLazyFunc
from umbel.client.results.result import AsyncResult
from umbel.errors import SchedulingError
from umbel.schedules import Schedule, maybe_schedule
from umbel.stores.schedule import Ticks

logger = guise.logger("umbel.beat")

DEFAULT_MAX_INTERVAL = 300.0
"""Longest sleep in seconds, if nothing says otherwise."""
EARLY = 0.01
"""Seconds by which it wakes before its time, so that the work of waking does not make it late."""


class event_t(NamedTuple):  # noqa: N801  Celery's name
    """An entry in the heap."""

    time: float
    priority: int
    entry: Any


class ScheduleEntry:
    """What is sent, when, and when that was done last. Subclasses may keep it elsewhere."""

    name: Any = None
    schedule: Any = None
    args: Any = None
    kwargs: Any = None
    options: Any = None
    last_run_at: Any = None
    total_run_count: int = 0

    def __init__(
        self,
        name: str | None = None,
        task: str | None = None,
        last_run_at: datetime | None = None,
        total_run_count: int | None = None,
        schedule: Any = None,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        relative: bool = False,
        app: Umbel | None = None,
    ):
        self.app = app
        self.name = name
        self.task = task
        self.args = args
        self.kwargs = dict(kwargs or {})
        self.options = dict(options or {})
        self.schedule = maybe_schedule(schedule, relative, app=app)
        self.last_run_at = last_run_at or self.default_now()
        self.total_run_count = total_run_count or 0

    def default_now(self) -> datetime:
        """The time in the zone of its schedule."""
        if isinstance(self.schedule, Schedule):
            return self.schedule.now()
        return clock.utc() if self.app is None else self.app.now()

    _default_now = default_now

    def next(self, last_run_at: datetime | None = None) -> Self:
        """The entry as it is after a run, counted."""
        return self._next_instance(last_run_at)

    __next__ = next

    def _next_instance(self, last_run_at: datetime | None = None) -> Self:
        state = dict(vars(self))
        state.update(last_run_at=last_run_at or self.default_now(), total_run_count=self.total_run_count + 1)
        return type(self)(**state)

    def update(self, other: ScheduleEntry) -> None:
        """Take over what `other` does differently; when this one ran stays."""
        for key in ("task", "schedule", "args", "kwargs", "options"):
            setattr(self, key, getattr(other, key))

    def is_due(self) -> Any:
        """Whether it is due, and in how many seconds to ask again."""
        return self.schedule.is_due(self.last_run_at)

    def editable_fields_equal(self, other: ScheduleEntry) -> bool:
        """True if both send the same at the same times."""
        keys = ("task", "args", "kwargs", "options", "schedule")
        return all(getattr(self, key) == getattr(other, key) for key in keys)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(vars(self).items())

    def __lt__(self, other: object) -> bool:
        return id(self) < id(other) if isinstance(other, ScheduleEntry) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self.editable_fields_equal(other) if isinstance(other, ScheduleEntry) else NotImplemented

    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        counted = (self.name, self.task, self.last_run_at, self.total_run_count)
        return type(self), (*counted, self.schedule, self.args, self.kwargs, self.options)

    def __repr__(self) -> str:
        words = [*map(repr, self.args or ()), *(f"{key}={value!r}" for key, value in (self.kwargs or {}).items())]
        return f"<{type(self).__name__}: {self.name} {self.task}({', '.join(words)}) {self.schedule!r}"


class Unmade(ScheduleEntry):
    """Stands where an entry could not be made, and is never due."""

    def is_due(self) -> Any:
        """Never; whoever reads the schedule anew makes it again."""
        return False, DEFAULT_MAX_INTERVAL

    def save(self) -> None:
        """Nothing: nothing has run."""


class Sound:
    """A class of entries, for schedulers that make one of each row of a table: a row of which none can be made is told.

    The code that reads the table knows some errors at best: with any other, one broken row would keep all from being sent.
    """

    def __init__(self, kind: Any):
        self._kind = kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._kind(*args, **kwargs)
        except Exception as problem:
            first = next(iter([*args, *kwargs.values()]), None)  # the row, whatever that is
            name = str(getattr(first, "name", kwargs.get("name", first)))
            logger.error("Entry %r is not sent until it is mended: %s: %s", name, type(problem).__name__, problem)
            return Unmade(name, schedule=DEFAULT_MAX_INTERVAL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kind, name)

    def __instancecheck__(self, entry: object) -> bool:
        return isinstance(entry, self._kind)


class Scheduler:
    """Keeps entries in `data`, sends each that is due when `tick` is called, and says how long to sleep.

    A subclass overrides what it does differently: `schedule` and `setup_schedule` to keep entries elsewhere, `reserve` and `sync`
    to keep when they ran, `tick` and `apply_async` to do it another way.
    """

    Entry: Any = ScheduleEntry
    max_interval: float = DEFAULT_MAX_INTERVAL
    sync_every: float = 180.0
    """Seconds after which `sync` is called."""
    sync_every_tasks: int | None = None
    """As many sent after which it is called, too."""
    logger = logger
    producer: Any = None
    """Celery's way to send; umbel has others."""

    _last_sync: float | None = None
    _tasks_since_sync = 0
    _heap: list[event_t] | None = None

    def __init__(
        self,
        app: Umbel,
        schedule: dict[str, Any] | None = None,
        max_interval: float | None = None,
        Producer: Any = None,  # noqa: N803  Celery's name
        lazy: bool = False,
        sync_every_tasks: int | None = None,
        **kwargs: Any,
    ):
        self.app = app
        self.data: dict[str, Any] = {} if schedule is None else schedule
        self.max_interval = max_interval or app.conf.beat_max_loop_interval or self.max_interval
        self.Producer = Producer
        self._kind: Any = self.Entry
        vars(self)["Entry"] = Sound(self._kind)  # where a class has a property of that name, this changes nothing
        self.sync_every_tasks = app.conf.beat_sync_every if sync_every_tasks is None else sync_every_tasks
        self.old_schedulers: dict[str, Any] | None = None
        if not lazy:
            self.setup_schedule()

    # Entries

    def setup_schedule(self) -> None:
        """Take over the entries that the settings name."""
        self.install_default_entries(self.data)
        self.merge_inplace(self.app.conf.beat_schedule or {})

    def install_default_entries(self, data: Any) -> None:
        """Add entries that are always there; umbel needs none, as its stores forget by themselves."""

    def get_schedule(self) -> Any:
        """All entries by name."""
        return self.data

    def set_schedule(self, schedule: Any) -> None:
        """Replace all entries."""
        self.data = schedule

    @property
    def schedule(self) -> Any:
        """All entries by name."""
        return self.get_schedule()

    @schedule.setter
    def schedule(self, schedule: Any) -> None:
        self.set_schedule(schedule)

    def add(self, **kwargs: Any) -> Any:
        """A new entry, from the arguments of `Entry`."""
        entry = self._kind(app=self.app, **kwargs)
        self.schedule[entry.name] = entry
        return entry

    def _maybe_entry(self, name: str, entry: Any) -> Any:
        if isinstance(entry, self._kind):
            entry.app = self.app
            return entry
        known = {"name", "task", "last_run_at", "total_run_count", "schedule", "args", "kwargs", "options", "relative"}
        words = {key: value for key, value in dict(entry).items() if key in known}
        return self._kind(**{**words, "name": name, "app": self.app})

    def _usable(self, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """The entries of these words; one that cannot be is told, and the others are."""
        for name, words in given.items():
            try:
                entry = self._maybe_entry(name, words)
            except Exception as problem:
                logger.error("Entry %r is not sent: %s", name, problem)
            else:
                yield name, entry

    def update_from_dict(self, dict_: Mapping[str, Any]) -> None:
        """Add these entries, or put them in the place of those of their names."""
        self.schedule.update(self._usable(dict_))

    def merge_inplace(self, b: Mapping[str, Any]) -> None:
        """Make the entries those of `b`; what is known of when they ran stays."""
        schedule = self.schedule
        for name in set(schedule) - set(b):
            schedule.pop(name, None)
        for name, entry in self._usable(b):
            if name in schedule:
                schedule[name].update(entry)
            else:
                schedule[name] = entry

    def schedules_equal(self, old_schedules: Any, new_schedules: Any) -> bool:
        """True if the heap need not be made anew."""
        if old_schedules is None or new_schedules is None:
            return old_schedules is new_schedules
        if set(old_schedules) != set(new_schedules):
            return False
        return all(entry == new_schedules.get(name) for name, entry in old_schedules.items())

    # Time

    def is_due(self, entry: Any) -> Any:
        """Whether it is due, and in how many seconds to ask again."""
        return entry.is_due()

    def adjust(self, n: float | None, drift: float = -EARLY) -> float | None:
        """A wait, shortened by what waking takes."""
        return n + drift if n and n > 0 else n

    def _when(self, entry: Any, next_time_to_run: float) -> float:
        """The moment that is so many seconds behind now."""
        return clock.now() + (self.adjust(next_time_to_run) or 0.0)

    def populate_heap(self) -> None:
        """Put all entries in the heap by when they are due."""
        self._heap = []
        for entry in self.schedule.values():
            is_due, wait = self._ask(entry)
            self._heap.append(event_t(self._when(entry, 0 if is_due else wait or 0), 5, entry))
        heapq.heapify(self._heap)

    def tick(self, *_: Any, **__: Any) -> float:
        """Send all that is due; gives the seconds until something will be, at most `max_interval`.

        What Celery's takes (classes and functions of its heap) may be handed on by subclasses, and means nothing.
        """
        if self._heap is None or not self.schedules_equal(self.old_schedulers, self.schedule):
            self.old_schedulers = dict(self.schedule)
            self.populate_heap()
        heap = self._heap
        assert heap is not None, "it was just made"
        for _turn in range(len(heap)):  # each at most once: what is due all the time must not keep the others waiting
            if heap[0].time > clock.now():
                break
            event = heapq.heappop(heap)
            entry = event.entry
            is_due, wait = self._ask(entry)
            if is_due:
                try:
                    entry = self.reserve(entry)
                    self.apply_entry(event.entry, producer=self.producer)
                except Exception:
                    wait = wait or self.max_interval
                    logger.exception("Entry %r could not be sent; it is asked again in %g s", entry.name, wait)
                if self.old_schedulers is not None:
                    self.old_schedulers[entry.name] = entry
            heapq.heappush(heap, event_t(self._when(entry, wait or 0), event.priority, entry))
        if not heap:
            return self.max_interval
        return min(max(heap[0].time - clock.now(), 0.0), self.max_interval)

    def _ask(self, entry: Any) -> tuple[bool, float]:
        """What the entry says; one that fails is asked again after `max_interval`."""
        try:
            is_due, wait = self.is_due(entry)
        except Exception:
            logger.exception("Entry %r: its schedule failed; it is asked again in %g s", entry.name, self.max_interval)
            return False, self.max_interval
        return bool(is_due), wait if isinstance(wait, (int, float)) else self.max_interval

    # Sending

    def reserve(self, entry: Any) -> Any:
        """Count a run of the entry; gives what stands in its place from now on."""
        new_entry = self.schedule[entry.name] = next(entry)
        return new_entry

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send an entry; what goes wrong is logged."""
        logger.info("Scheduler: Sending due task %s (%s)", entry.name, entry.task)
        try:
            result = self.apply_async(entry, producer=producer, advance=False)
        except Exception:
            logger.exception("Entry %r could not be sent", entry.name)
        else:
            logger.debug("%s sent. id->%s", entry.task, getattr(result, "id", None))

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> AsyncResult[Any]:
        """Send an entry; SchedulingError if that cannot be done. With `advance` the run is counted first."""
        entry = self.reserve(entry) if advance else entry
        options = {**(entry.options or {}), **kwargs}
        options["headers"] = {**(options.get("headers") or {}), "celery_beat_task": True}
        options["headers"].setdefault("periodic_task_name", entry.name)
        try:
            args = [each() if isinstance(each, BeatLazyFunc) else each for each in entry.args or ()]
            given = entry.kwargs or {}
            keywords = {key: each() if isinstance(each, BeatLazyFunc) else each for key, each in given.items()}
            task = self.app.tasks.get(entry.task)
            if task is not None:
                return task.apply_async(args, keywords, **options)
            return self.send_task(entry.task, args, keywords, **options)
        except Exception as problem:
            raise SchedulingError(f"entry {entry.name!r} could not be sent: {problem}") from problem
        finally:
            self._tasks_since_sync += 1
            if self.should_sync():
                self._do_sync()

    def send_task(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Send a task by its name, as `app.send_task`."""
        return self.app.send_task(*args, **kwargs)

    # State

    def should_sync(self) -> bool:
        """True if it is time to save when entries ran."""
        if self._last_sync is None or clock.monotonic() - self._last_sync > self.sync_every:
            return True
        return bool(self.sync_every_tasks) and self._tasks_since_sync >= (self.sync_every_tasks or 0)

    def _do_sync(self) -> None:
        try:
            self.sync()
        except Exception:  # whose message was just sent is not to blame
            logger.exception("When entries ran could not be saved")
        finally:
            self._last_sync = clock.monotonic()
            self._tasks_since_sync = 0

    def sync(self) -> None:
        """Save when entries ran; for subclasses that keep it."""

    def close(self) -> None:
        """Save, and leave."""
        self.sync()

    @property
    def info(self) -> str:
        """What it would say of itself at the start."""
        return ""


class PersistentScheduler(Scheduler):
    """One that keeps when its entries ran: in the schedule store, like umbel's own, from where `umbel schedule` tells it."""

    def setup_schedule(self) -> None:
        """Take over the entries that the settings name, and when they ran."""
        super().setup_schedule()
        self.app.schedule.save_named()
        for row in self.app.schedule_store.changes().rows:
            with suppress(KeyError):
                entry = self.schedule[row.name]
                entry.last_run_at = clock.utc(row.after)
                entry.total_run_count = row.count

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send an entry, and keep that it was."""
        super().apply_entry(entry, producer=producer)
        known = self.schedule.get(entry.name)
        if known is not None:
            self.app.schedule_store.tick([Ticks(entry.name, known.last_run_at.timestamp(), 1)])
