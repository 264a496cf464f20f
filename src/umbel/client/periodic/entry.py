"""One entry of the schedule: what is to be sent and when, in the words of the settings, and as the bytes that stores keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from umbel.errors import DecodeError, EncodeError, ImproperlyConfigured, ScheduleError
from umbel.schedules import Schedule, from_data, maybe_schedule, read_zone
from umbel.wire.brief import brief, encodable
from umbel.wire.typed_json import from_json, to_json

CatchUp = int | str
"""What becomes of missed firings: "once", "skip", or a number, up to which all of them are made up for."""


class BeatLazyFunc:
    """An argument that is made when its message is: `BeatLazyFunc(datetime.date.today)`."""

    __slots__ = ("_args", "_func", "_kwargs")

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any):
        self._func = func
        self._args = args
        self._kwargs = kwargs

    def __call__(self) -> Any:
        return self._func(*self._args, **self._kwargs)

    delay = __call__


class Entry(msgspec.Struct):
    """What is sent, and when. `check` says whether it can be."""

    name: str
    task: str
    schedule: Schedule
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = msgspec.field(default_factory=dict)
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """Those of `apply_async`."""
    timezone: str | None = None
    """The zone whose wall clock counts; unset: the schedule's own, else the app's."""
    catch_up: CatchUp = "once"
    enabled: bool | None = None
    """What the code says; None: as the store has it, which is enabled at first."""
    origin: str | None = None
    """The app in whose code it is named; None for one that was made at run time."""
    start: float = 0.0
    """Firings up to this moment do not count: they were another schedule's."""
    is_whole: bool = True
    """False if its definition leaves out what only the code knows (what is no JSON); beats take it from there."""

    @classmethod
    def read(cls, name: str, given: Any, *, app: Any = None) -> Entry:
        """The entry that a value of `beat_schedule` describes: a dict, or an object with these attributes.

        ImproperlyConfigured says what is wrong with it.
        """
        words: dict[str, Any]
        words = dict(given) if isinstance(given, Mapping) else {key: getattr(given, key, None) for key in _WORDS}
        if not isinstance(given, Mapping) and not any(words.values()):
            raise ImproperlyConfigured(f"an entry is a dict with 'task' and 'schedule', not {given!r}")
        unknown = words.keys() - _WORDS - _PASSED_OVER
        if unknown:
            word = min(unknown, key=str)
            import difflib  # only mistakes need it

            near = difflib.get_close_matches(str(word), _WORDS, 1)
            raise ImproperlyConfigured(f"nobody knows its {word!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        for word in ("task", "schedule"):
            if words.get(word) is None:
                raise ImproperlyConfigured(f"it has no {word!r}")
        entry = cls(
            name,
            getattr(words["task"], "name", words["task"]),
            _schedule(words["schedule"], relative=bool(words.get("relative")), app=app),
            _made(words, "args"),
            _made(words, "kwargs"),
            _made(words, "options"),
            str(words["timezone"]) if words.get("timezone") is not None else None,
            "once" if words.get("catch_up") is None else words["catch_up"],
            words.get("enabled"),
        )
        entry.check()
        return entry

    def check(self) -> None:
        """ImproperlyConfigured, if it is none that can ever be sent."""
        if not _is_text(self.name):
            raise ImproperlyConfigured(f"an entry's name must be text, not {self.name!r}")
        if not _is_text(self.task):
            raise ImproperlyConfigured(f"its task must be a name, not {self.task!r}")
        for word, named in (("kwargs", self.kwargs), ("options", self.options)):
            if not all(isinstance(key, str) for key in named):
                raise ImproperlyConfigured(f"the names of its {word} must be text")
        if self.enabled not in (True, False, None):
            raise ImproperlyConfigured(f"its enabled is {self.enabled!r}; it should be True or False")
        if self.timezone is not None:
            read_zone(self.timezone)
        allowed(self.catch_up)

    def encode(self) -> bytes:
        """The definition that stores keep; equal entries give equal bytes.

        What JSON cannot carry is left out if the code has it; EncodeError or ScheduleError, if the entry was made at run time.
        """
        kept: dict[str, Any] = {"task": self.task, "schedule": self._schedule_data()}
        optional = {
            "timezone": self.timezone,
            "catch_up": None if self.catch_up == "once" else self.catch_up,
            "origin": self.origin,
            "start": self.start,
        }
        kept |= {key: value for key, value in optional.items() if value}
        call = {key: value for key in _CALL if (value := getattr(self, key))}
        try:
            if kept["schedule"]["kind"] != _UNKEPT:
                return to_json(kept | call)
        except (TypeError, ValueError, RecursionError) as problem:
            if self.origin is None:
                raise EncodeError(f"entry {self.name!r}: {problem}") from problem
        return to_json({**kept, "in_code": True})  # whether messages can carry it is found out where they are made

    def _schedule_data(self) -> dict[str, Any]:
        try:
            return self.schedule.as_data()
        except ScheduleError:
            if self.origin is None:
                raise
            return {"kind": _UNKEPT, "text": str(self.schedule)}

    def continuing(self, definition: bytes, now: float) -> Entry:
        """This entry in the place of what the store has: if it is due at other moments, those count from now on."""
        try:
            found = opened(definition)
            start = float(found.get("start", 0.0))
        except (DecodeError, TypeError, ValueError):  # broken by hand: as if nothing had been
            return self
        same = (found["schedule"], found.get("timezone")) == (self._schedule_data(), self.timezone)
        return msgspec.structs.replace(self, start=start if same else now)

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of one message; lazy ones are evaluated."""
        args = tuple(each() if isinstance(each, BeatLazyFunc) else each for each in self.args)
        return args, {key: each() if isinstance(each, BeatLazyFunc) else each for key, each in self.kwargs.items()}

    def changed(self, **changes: Any) -> Entry:
        """A copy with these in the place of its own."""
        unknown = changes.keys() - set(self.__struct_fields__)
        if unknown:
            raise TypeError(f"an entry has no {', '.join(sorted(unknown))}")
        if "schedule" in changes:
            changes["schedule"] = _schedule(changes["schedule"])
        changes |= {word: _made(changes, word) for word in _CALL if word in changes}
        entry = msgspec.structs.replace(self, **changes)
        entry.check()
        return entry


_CALL = ("args", "kwargs", "options")
_UNKEPT = "in code"
"""In the place of a schedule that only the code knows."""
_WORDS = frozenset({"task", "schedule", "relative", "timezone", "catch_up", "enabled", *_CALL})
_PASSED_OVER = frozenset({"name", "app", "last_run_at", "total_run_count"})
"""Keys that Celery's entries may have, too; what they tell is in the store."""


def _is_text(value: object) -> bool:
    """True if it is, and can be written down: a lone surrogate (`'\\ud800'`) cannot."""
    return isinstance(value, str) and bool(value) and encodable(value) is value


def _listed(given: Any) -> tuple[Any, ...]:
    if isinstance(given, (str, bytes, bytearray, Mapping, AbstractSet)):  # of a text each letter would be one
        raise TypeError(given)
    return tuple(given)


def _made(words: Mapping[str, Any], word: str) -> Any:
    kind, should = _SHOULD[word]
    given = words.get(word)
    try:
        return kind(() if given is None else given)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(f"its {word} are {brief(given)}; they should be {should}") from None


_SHOULD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "args": (_listed, "a list or tuple"),
    "kwargs": (dict, "a dict"),
    "options": (dict, "a dict, those of apply_async"),
}


def allowed(catch_up: CatchUp) -> int:
    """How many missed firings are made up for at most."""
    if catch_up == "once":
        return 1
    if catch_up == "skip":
        return 0
    if isinstance(catch_up, bool) or not isinstance(catch_up, int) or catch_up < 0:
        raise ImproperlyConfigured(f"its catch_up is {catch_up!r}; it should be 'once', 'skip', or how many at most")
    return catch_up


def _schedule(words: Any, *, relative: bool = False, app: Any = None) -> Schedule:
    try:
        return maybe_schedule(words, relative, app)
    except ScheduleError:
        raise
    except (TypeError, ValueError, AttributeError) as problem:
        raise ScheduleError(f"{words!r} is no schedule: {problem}") from problem


def opened(definition: bytes) -> dict[str, Any]:
    """What a definition holds, not looked at closely: a beat with many entries opens each again when it is due."""
    try:
        found = from_json(definition)
    except (ValueError, RecursionError) as problem:
        raise DecodeError(f"the definition is no JSON: {problem}") from problem
    if not isinstance(found, dict) or not isinstance(found.get("task"), str) or not isinstance(found.get("schedule"), dict):
        raise DecodeError("the definition names no task and schedule")
    return found


def decode(name: str, definition: bytes) -> Entry:
    """The entry of a definition; DecodeError or ScheduleError says what is wrong."""
    found = opened(definition)
    if found.get("in_code"):
        raise DecodeError("its schedule or arguments are no JSON: only the code that names it knows them")
    return with_schedule(name, found, from_data(found["schedule"]))


def with_schedule(name: str, found: Mapping[str, Any], schedule: Schedule) -> Entry:
    """The entry of an opened definition whose schedule is known already."""
    try:
        entry = Entry(
            name,
            found["task"],
            schedule,
            _listed(found.get("args", ())),
            dict(found.get("kwargs", {})),
            dict(found.get("options", {})),
            found.get("timezone"),
            found.get("catch_up", "once"),
            origin=found.get("origin"),
            start=float(found.get("start", 0.0)),
            is_whole=not found.get("in_code"),
        )
        entry.check()
    except (TypeError, ValueError, ImproperlyConfigured) as problem:
        raise DecodeError(f"the definition does not fit: {problem}") from problem
    return entry
