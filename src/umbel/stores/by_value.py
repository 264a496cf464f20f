"""A store made of a result backend that takes and gives values, with Celery's methods, where ours take and give bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from umbel import clock
from umbel.errors import BrokerDown, BrokerRefused
from umbel.states import PENDING, READY_STATES, may_replace
from umbel.stores.backend import ResultBackend
from umbel.stores.join import Arrival, Parts
from umbel.wire import encoding, result
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two questions for what is not there yet; they grow."""


@dataclass(slots=True, kw_only=True)
class Call:
    """What a document tells of the call, in the words of a task's request; None where it does not."""

    id: str
    task: str | None = None
    args: Any = None
    kwargs: Any = None
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    hostname: str | None = None
    retries: int | None = None
    parent_id: str | None = None
    root_id: str | None = None
    group: str | None = None
    group_index: int | None = None
    chord: Any = None
    children: Sequence[Any] = ()
    delivery_info: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    periodic_task_name: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What a task has put there for its backend; those who look for it want a mapping."""
    stamps: Mapping[str, Any] | None = None
    stamped_headers: Sequence[str] | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """One of these, or `default`."""
        return getattr(self, name, default)


_WORDS = {"name": "task", "worker": "hostname", "group_id": "group"}
"""Where documents and requests have two words for one thing."""
_OF_THE_RESULT = frozenset({"task_id", "status", "result", "traceback", "date_done", "queue"})


class ValueBackend(Protocol):
    """The least that such a backend has.

    It may also have `forget(task_id)`, `cleanup()`, `process_cleanup()`, `exception_safe_to_retry(error)` and
    `subpolling_interval`, the seconds between two looks for a result.
    """

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **options: Any
    ) -> Any:
        """Write a value, or an exception, and in `request` what is known of the call."""

    def get_task_meta(self, task_id: str) -> Mapping[str, Any]:
        """What is known: `status`, `result`, and more; `PENDING` if nothing is."""


_OUTAGES = frozenset({"OperationalError", "InterfaceError"})
"""What drivers of databases raise when these are away, by PEP 249; what stands between calls its own by the same names."""
_PASSING = frozenset({1040, 1053, 1205, 1213})
"""MySQL's server: too many connections, shutting down, waited too long, deadlock. Others below 2,000 blame the statement."""


def is_outage(error: BaseException) -> bool:
    """True if a database was away, or busy, and is to be asked again."""
    if not any(kind.__name__ in _OUTAGES for kind in type(error).__mro__):
        return False
    code = error.args[0] if error.args else None
    return not isinstance(code, int) or code >= 2_000 or code in _PASSING


class ByValue(ResultBackend):
    """Keeps results where `backend` does. How long is that one's affair, as is what becomes of it in a fork.

    What it raises is `BrokerDown`, and tried again, if its `exception_safe_to_retry` says so, the system does (`OSError`), or a
    database (`is_outage`); else `BrokerRefused`. Chords are counted, and groups kept, in another store, which `joins` opens;
    without it they are refused.
    """

    wants_facts = True
    is_atomic = False

    def __init__(
        self,
        backend: ValueBackend,
        url: str,
        *,
        serializer: str = "json",
        joins: Callable[[], ResultBackend] | None = None,
        renew: Callable[[], object] | None = None,
    ):
        """`renew` is called behind each outage, in the thread that met it: it lets broken connections go."""
        self.url = url
        self.backend = backend
        self._open_joins = joins
        self._renew = renew
        self._joins: ResultBackend | None = None
        self._lock = threading.Lock()
        self._serializer = serializer
        self._accept = encoding.accept_types((serializer,))
        self._closed = threading.Event()

    def store(self, results: Sequence[Result]) -> None:
        for each in results:
            known = self._find(each.id)
            if known is None or may_replace(each.state, known["status"]):
                self._store(each)

    def fetch(self, ids: Sequence[str]) -> dict[str, Result]:
        found = ((id, self._find(id)) for id in ids)
        return {id: self._document(id, meta) for id, meta in found if meta is not None}

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        end = clock.monotonic() + timeout
        longest = getattr(self.backend, "subpolling_interval", None) or LONGEST_PAUSE
        pause = min(FIRST_PAUSE, longest)
        while not self._closed.is_set():
            found = {id: each for id, each in self.fetch(list(ids)).items() if each.state in READY_STATES}
            left = end - clock.monotonic()
            if found or left <= 0:
                return found
            self._closed.wait(min(pause, left))
            pause = min(pause * 2, longest)
        return {}

    def _counter(self) -> ResultBackend:
        """The store that counts chords."""
        with self._lock:
            if self._joins is None:
                if self._open_joins is None:
                    self._refuse("count the parts of chords, or keep groups")
                self._joins = self._open_joins()
            return self._joins

    def expect(self, chord: str, size: int) -> None:
        self._counter().expect(chord, size)

    def arrive(self, arrivals: Sequence[Arrival]) -> list[Envelope]:
        return self._counter().arrive(arrivals) if arrivals else []

    def parts(self, chord: str) -> Parts | None:
        return self._counter().parts(chord)

    def ended(self, chord: str) -> bool:
        return self._counter().ended(chord)

    def done(self, chord: str) -> None:
        self._counter().done(chord)

    def save_group(self, id: str, document: bytes, expires: float | None) -> None:
        self._counter().save_group(id, document, expires)

    def group(self, id: str) -> bytes | None:
        return self._counter().group(id)

    def forget_group(self, id: str) -> None:
        self._counter().forget_group(id)

    def forget(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._call("forget", id)

    def sweep(self) -> int:
        self._call("cleanup")
        return 0 if self._joins is None else self._joins.sweep()

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            if self._joins is not None:
                self._joins.close()
            self._call("process_cleanup")

    def _store(self, given: Result) -> None:
        facts = encoding.loads(given.document, *encoding.content_type(self._serializer), self._accept)
        document = result.decode(given, self._accept, self._serializer)
        call = Call(id=given.id, delivery_info={"routing_key": document.queue} if document.queue else {})
        for name in facts.keys() - _OF_THE_RESULT:
            word = _WORDS.get(name, name)
            if hasattr(call, word):
                setattr(call, word, facts[name])
        with self._trouble():
            self.backend.store_result(given.id, document.result, given.state, traceback=document.traceback, request=call)

    def _find(self, id: str) -> Mapping[str, Any] | None:
        with self._trouble(f"the result of {id}: "):
            meta = self.backend.get_task_meta(id)
        return meta if meta and meta.get("status", PENDING) != PENDING else None

    def _document(self, id: str, meta: Mapping[str, Any]) -> Result:
        known = ("status", "result", "traceback", "children", "task_id")
        rest = {name: meta[name] for name in meta if name not in known and meta[name] is not None}
        if hasattr(rest.get("date_done"), "isoformat"):
            rest["date_done"] = rest["date_done"].isoformat()
        return result.encode(
            id,
            meta["status"],
            meta.get("result"),
            traceback=meta.get("traceback"),
            children=meta.get("children"),
            serializer=self._serializer,
            extra=rest,
        )

    def _call(self, name: str, *arguments: Any) -> None:
        """Call a method that not every backend has."""
        method: Callable[..., Any] | None = getattr(self.backend, name, None)
        if method is not None:
            with self._trouble():
                method(*arguments)

    @contextmanager
    def _trouble(self, what: str = "") -> Iterator[None]:
        try:
            yield
        except Exception as error:
            is_safe = getattr(self.backend, "exception_safe_to_retry", None)
            is_passing = bool(is_safe and is_safe(error)) or isinstance(error, OSError) or is_outage(error)
            kind = BrokerDown if is_passing else BrokerRefused
            if is_passing and self._renew is not None:
                self._renew()
            raise kind(f"{self.url}: {what if kind is BrokerRefused else ''}{type(error).__name__}: {error}") from error
