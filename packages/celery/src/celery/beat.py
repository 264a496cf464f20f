"""Beats, and schedulers of your own: umbel's, with Celery's signatures."""

from __future__ import annotations

import heapq
from typing import Any

from celery._names import lacks
from celery.schedules import crontab as crontab
from celery.schedules import maybe_schedule as maybe_schedule
from celery.utils.log import get_logger
from umbel.beat import remote
from umbel.beat import scheduler as schedulers
from umbel.beat.scheduler import DEFAULT_MAX_INTERVAL
from umbel.beat.scheduler import event_t as event_t
from umbel.client.periodic.entry import BeatLazyFunc as BeatLazyFunc
from umbel.errors import SchedulingError as SchedulingError
from umbel.guise import worn
from umbel.stores.channel import Note
from umbel.wire.encoding import dumps
from umbel.wire.node import node_name

DEFAULT_MAX_INTERVAL = int(DEFAULT_MAX_INTERVAL)
logger = get_logger(__name__)
debug, info, error, warning = logger.debug, logger.info, logger.error, logger.warning


class ScheduleEntry(schedulers.ScheduleEntry):
    """What is sent, when, and when that was done last."""

    def __init__(
        self,
        name: Any = None,
        task: Any = None,
        last_run_at: Any = None,
        total_run_count: Any = None,
        schedule: Any = None,
        args: Any = (),
        kwargs: Any = None,
        options: Any = None,
        relative: bool = False,
        app: Any = None,
    ):
        super().__init__(name, task, last_run_at, total_run_count, schedule, args, kwargs, options, relative, app)

    def update(self, other: Any) -> None:
        """Take over what `other` does differently."""
        super().update(other)

    def editable_fields_equal(self, other: Any) -> bool:
        """True if both send the same at the same times."""
        return super().editable_fields_equal(other)

    def __reduce__(self) -> Any:
        words = (
            self.name,
            self.task,
            self.last_run_at,
            self.total_run_count,
            self.schedule,
            self.args,
            self.kwargs,
            self.options,
        )
        return type(self), words


class Scheduler(schedulers.Scheduler):
    """Sends entries that are due."""

    Entry: Any = ScheduleEntry
    logger = logger
    _producer: Any = None

    def __init__(
        self,
        app: Any,
        schedule: Any = None,
        max_interval: Any = None,
        Producer: Any = None,  # noqa: N803 - Celery's name
        lazy: bool = False,
        sync_every_tasks: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(app, schedule, max_interval, Producer, lazy, sync_every_tasks, **kwargs)

    def populate_heap(self, event_t: Any = event_t, heapify: Any = heapq.heapify) -> None:
        """Put all entries in the heap by when they are due."""
        super().populate_heap()

    def tick(self, event_t: Any = event_t, min: Any = min, heappop: Any = heapq.heappop, heappush: Any = heapq.heappush) -> float:
        """Send all that is due; gives the seconds until something will be."""
        return super().tick()

    def adjust(self, n: Any, drift: float = -0.010) -> Any:
        """A wait, shortened by what waking takes."""
        return super().adjust(n, drift)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send an entry; what goes wrong is logged."""
        super().apply_entry(entry, producer)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send an entry."""
        return super().apply_async(entry, producer, advance, **kwargs)

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task by its name."""
        return super().send_task(*args, **kwargs)

    @property
    def connection(self) -> Any:
        """A kombu connection."""
        return self.app.connection_for_write()

    @property
    def producer(self) -> Any:
        """Celery's way to send; umbel has others."""
        return self._producer

    @producer.setter
    def producer(self, producer: Any) -> None:
        self._producer = producer


class PersistentScheduler(schedulers.PersistentScheduler, Scheduler):
    """One that keeps when its entries ran: in the schedule store, not in a file."""

    Entry = ScheduleEntry

    def __init__(self, *args: Any, **kwargs: Any):
        self.schedule_filename = kwargs.get("schedule_filename")
        super().__init__(*args, **kwargs)

    @property
    def persistence(self) -> Any:
        """Celery's files."""
        raise lacks("PersistentScheduler.persistence", "app.schedule, which shows and changes what the store keeps")

    @property
    def info(self) -> str:
        """What it would say of itself at the start."""
        return f"    . db -> {self.app.conf.beat_store or 'with the messages'}"


class Service:
    """A beat."""

    scheduler_cls: Any = PersistentScheduler

    def __init__(
        self,
        app: Any,
        max_interval: Any = None,
        schedule_filename: Any = None,
        scheduler_cls: Any = None,
        remote_control: Any = None,
        hostname: str | None = None,
    ):
        self.app = app
        self.remote_control = app.conf.beat_enable_remote_control if remote_control is None else remote_control
        self.max_interval = max_interval or app.conf.beat_max_loop_interval
        self.scheduler_cls = scheduler_cls or app.conf.beat_scheduler or self.scheduler_cls
        self.schedule_filename = schedule_filename
        self.hostname = hostname
        self._beat: Any = None
        self._scheduler: Any = None

    def start(self, embedded_process: bool = False) -> None:
        """Send what is due until `stop`."""
        from umbel.beat import Beat

        self._beat = Beat(self.app, scheduler=self.scheduler_cls, max_interval=self.max_interval or None)
        pidbox = BeatPidbox(self) if self.remote_control and not embedded_process else None
        if pidbox is not None:
            pidbox.start()
        try:
            self._beat.run()
        finally:
            if pidbox is not None:
                pidbox.stop()

    def sync(self) -> None:
        """Save when entries ran."""
        self.scheduler.sync()

    def stop(self, wait: bool = False) -> None:
        """Stop."""
        if self._beat is not None:
            self._beat.stop()

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = "celery.beat_schedulers") -> Any:
        """The scheduler."""
        from umbel.beat.finding import find_scheduler

        kind = find_scheduler(self.scheduler_cls) or PersistentScheduler
        return kind(app=self.app, schedule_filename=self.schedule_filename, max_interval=self.max_interval, lazy=lazy)

    @property
    def scheduler(self) -> Any:
        """The scheduler, made once."""
        if self._scheduler is None:
            self._scheduler = self.get_scheduler()
        return self._scheduler


class BeatPidbox:
    """Answers `celery inspect ping` for a beat; a beat that hangs is silent."""

    join_timeout = remote.LAST
    min_tick_age = remote.LEAST
    retry_interval = remote.PAUSE

    def __init__(self, service: Any):
        self.service = service
        self.app = service.app
        self.hostname = node_name(service.hostname or worn().beat)
        self._remote = remote.Remote(self.app, self.hostname, self.tick_age, max_age=lambda: self.max_tick_age)

    def start(self) -> None:
        """Answer from now on."""
        self._remote.start()

    def stop(self) -> None:
        """Answer no more."""
        self._remote.stop(self.join_timeout)

    def tick_age(self) -> float:
        """Seconds for which the beat has been at what it does."""
        beat = self.service._beat
        return 0.0 if beat is None else float(beat.age())

    @property
    def max_tick_age(self) -> float:
        """After so many it hangs."""
        return self.app.conf.beat_remote_control_max_tick_age or self.min_tick_age

    def is_stale(self) -> bool:
        """True if it hangs."""
        return self.tick_age() > self.max_tick_age

    def fanout_support(self) -> tuple[bool, str]:
        """True, as every store of umbel's reaches all who listen; and which one it is."""
        return True, self.app.channel.url.partition(":")[0]

    def on_message(self, body: Any, message: Any) -> None:
        """Answer a request that somebody else has received; `body` is read already."""
        kind, codec, data = dumps(body, "json")
        self._remote.answer(Note(self._remote.topic, "", data, dict(message.headers or {}), kind, codec))


def EmbeddedService(app: Any, max_interval: Any = None, **kwargs: Any) -> Any:  # noqa: N802 - Celery's name
    """A beat inside of a worker."""
    raise lacks("celery.beat.EmbeddedService", "celery worker -B")


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
