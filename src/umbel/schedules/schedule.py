"""The contract of schedules: when something periodic is due. Pure: no I/O, and no clock but the one it is handed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from umbel import clock
from umbel.errors import ScheduleError
from umbel.schedules.zone import read_zone

_DAY = 86_400.0


class HasZone(Protocol):
    """What a schedule asks of an app."""

    @property
    @abstractmethod
    def timezone(self) -> tzinfo:
        """The zone whose wall clock counts where a schedule names none."""


class schedstate(NamedTuple):  # noqa: N801  Celery's name
    """Whether it is due, and in how many seconds to look again."""

    is_due: bool
    next: float


class Schedule(ABC):
    """Says when something is due, from data alone: whoever asks the same gets the same.

    A new kind overrides `next`, `as_data` and `from_data`. `is_due` and `remaining_estimate` are Celery's words for the same.
    """

    __slots__ = ("app", "nowfun", "timezone")

    kinds: ClassVar[dict[str, type[Schedule]]] = {}
    """Every loaded class of schedules by its name in data: umbel's by `kind`, all others by `module:Class`."""
    kind: ClassVar[str] = ""
    polled: ClassVar[bool] = False
    """True for a class with an `is_due` of its own: the beat asks that, and `next` only says when to look again."""

    app: HasZone | None
    nowfun: Callable[[], datetime] | None
    timezone: tzinfo | None
    """The zone of this schedule; without one it follows the zone that is handed in."""

    def __init__(
        self, nowfun: Callable[[], datetime] | None = None, app: HasZone | None = None, *, timezone: str | tzinfo | None = None
    ):
        self.nowfun = nowfun
        self.app = app
        self.timezone = None if timezone is None else read_zone(timezone)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in cls.__dict__:
            cls.kind = f"{cls.__module__}:{cls.__qualname__}"
        if "polled" not in cls.__dict__:
            cls.polled = cls.is_due is not Schedule.is_due
        Schedule.kinds[cls.kind] = cls

    @abstractmethod
    def next(self, after: float, zone: tzinfo) -> float | None:
        """The first firing strictly after the moment `after` (seconds since the epoch); None: never again.

        `zone` is the zone of the app or entry; a zone of the schedule's own goes before it.
        """

    def as_data(self) -> dict[str, Any]:
        """What JSON can carry and `from_data` turns back; if not overridden, what `__reduce__` tells of how to make it again."""
        parts: Any = () if type(self).__reduce__ is object.__reduce__ else self.__reduce__()
        if parts[:1] == (remade,):
            _, args, kwargs = parts[1]
        elif parts[:1] == (type(self),):
            args, kwargs = parts[1], {}
        else:
            name = type(self).__name__
            raise ScheduleError(f"schedule {self!r} cannot be stored: give {name} as_data() and from_data(), or a __reduce__()")
        data = {"kind": self.kind, "args": args, "kwargs": kwargs, "state": parts[2] if len(parts) > 2 else None}
        return {key: _plain(value) for key, value in data.items() if value}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """The schedule that `as_data` described."""
        schedule = cls(*data.get("args", ()), **data.get("kwargs", {}))
        for name, value in data.get("state", {}).items():
            setattr(schedule, name, value)
        return schedule

    # Celery's words

    @property
    def tz(self) -> tzinfo:
        """The zone that counts: its own, the app's, or UTC."""
        return self.timezone or (self.app.timezone if self.app is not None else UTC)

    @tz.setter
    def tz(self, zone: str | tzinfo | None) -> None:
        self.timezone = None if zone is None else read_zone(zone)

    def now(self) -> datetime:
        """The time by `nowfun`, or by the clock, in the schedule's zone."""
        return self.maybe_make_aware(self.nowfun() if self.nowfun is not None else clock.utc())

    def maybe_make_aware(self, moment: datetime) -> datetime:
        """The moment in the schedule's zone; without a zone it counts as UTC."""
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(self.tz)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the first firing after `last_run_at`; below zero if it has passed, `timedelta.max` if there is none."""
        due = self.next(self.maybe_make_aware(last_run_at).timestamp(), self.tz)
        return timedelta.max if due is None else timedelta(seconds=due - self.now().timestamp())

    def _horizon(self, now: float) -> float:
        """Firings up to this moment are not due any more, whoever has not seen them."""
        return -math.inf

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether the first firing after `last_run_at` has come, and in how many seconds the next one will."""
        now = self.now().timestamp()
        due = self.next(max(self.maybe_make_aware(last_run_at).timestamp(), self._horizon(now)), self.tz)
        if due is not None and due > now:
            return schedstate(is_due=False, next=due - now)
        following = self.next(now, self.tz)
        return schedstate(is_due=due is not None, next=_DAY if following is None else following - now)


def remade(cls: type[Schedule], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Schedule:
    """A schedule made again; what `__reduce__` of umbel's own names, as pickle knows no keywords."""
    return cls(*args, **kwargs)


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case timedelta():
            return value.total_seconds()
        case tzinfo():
            return str(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            raise ScheduleError(f"{value!r} in a schedule cannot be stored: give its class as_data() and from_data()")


_asked: ContextVar[datetime | None] = ContextVar("_asked", default=None)


class BaseSchedule(Schedule):
    """For schedules of your own in Celery's words: override `remaining_estimate`, or `is_due` as well."""

    __slots__ = ()

    def now(self) -> datetime:
        """The time; while `next` asks, the moment that it asks about, so that the answer depends on nothing else."""
        return self.maybe_make_aware(asked) if (asked := _asked.get()) is not None else super().now()

    def next(self, after: float, zone: tzinfo) -> float | None:
        """What the class itself estimates for a run at `after`; at the soonest a second later."""
        moment = datetime.fromtimestamp(after, self.timezone or zone)
        token = _asked.set(moment)
        try:
            estimates = type(self).remaining_estimate is not BaseSchedule.remaining_estimate
            seconds = self.remaining_estimate(moment).total_seconds() if estimates else self.is_due(moment).next
        finally:
            _asked.reset(token)
        return after + max(seconds, 1.0)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the first firing after `last_run_at`; for a class that has only `is_due`, what that says."""
        raise NotImplementedError(f"{type(self).__name__} needs remaining_estimate() or is_due()")
