"""One worker and one task, as events tell of them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from weakref import WeakSet

from umbel import clock, guise, states
from umbel.events.recent import Recent

log = guise.logger("umbel.events.state")

EXPIRE_WINDOW = 200
"""For how much of its frequency, in hundredths, a heartbeat says that its worker is alive."""
DRIFT_MAX = 16
"""Seconds of difference between clocks that somebody should look at."""
HEARTBEATS = 4
"""So many of a worker's are kept."""

STATE_OF: Mapping[str, str] = {
    "sent": states.PENDING,
    "received": states.RECEIVED,
    "started": states.STARTED,
    "failed": states.FAILURE,
    "retried": states.RETRY,
    "succeeded": states.SUCCESS,
    "revoked": states.REVOKED,
    "rejected": states.REJECTED,
}
"""The state of a task after an event of this subject; after any other it is the subject's name."""


def heartbeat_expires(timestamp: float, freq: float = 60, expire_window: float = EXPIRE_WINDOW) -> float:
    """Until when a heartbeat of that moment says that its worker is alive."""
    try:
        pause = float(freq or 60)
    except (TypeError, ValueError):  # whoever has sent it: the others are to be seen all the same
        pause = 60.0
    return float(timestamp) + pause * float(expire_window) / 100


class Worker:
    """One worker, as its events tell of it."""

    heartbeat_max = HEARTBEATS
    expire_window = EXPIRE_WINDOW
    _fields = (
        *("hostname", "pid", "freq", "heartbeats", "clock", "active", "processed", "loadavg"),
        *("sw_ident", "sw_ver", "sw_sys"),
    )
    hostname: str | None = None
    pid: int | None = None
    freq: float = 60
    clock: int = 0
    active: int | None = None
    """How many tasks it runs."""
    processed: int | None = None
    """How many it has run."""
    loadavg: Any = None
    sw_ident: str | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    heartbeats: list[float] = []  # noqa: RUF012 - each has its own: see below
    """When the last ones came, in order."""

    def __init__(
        self,
        hostname: str | None = None,
        pid: int | None = None,
        freq: float = 60,
        heartbeats: list[float] | None = None,
        clock: int = 0,
        active: int | None = None,
        processed: int | None = None,
        loadavg: Any = None,
        sw_ident: str | None = None,
        sw_ver: str | None = None,
        sw_sys: str | None = None,
    ):
        self.hostname = hostname
        self.pid = pid
        self.freq = freq
        self.heartbeats = [] if heartbeats is None else heartbeats
        self.clock = clock or 0
        self.active = active
        self.processed = processed
        self.loadavg = loadavg
        self.sw_ident = sw_ident
        self.sw_ver = sw_ver
        self.sw_sys = sw_sys

    def event(
        self,
        type_: str | None,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in an event of its own (`online`, `heartbeat`, `offline`), or, with no type, that it was heard of."""
        self.__dict__.update(fields or {})
        if type_ == "offline":
            self.heartbeats.clear()
            return
        if not timestamp or not local_received:
            return
        drift = abs(int(local_received) - int(timestamp))
        if drift > DRIFT_MAX:
            _tell_drift(self, drift)
        beats = self.heartbeats
        if len(beats) >= self.heartbeat_max:
            beats.pop(0)
        if beats and local_received < beats[-1]:
            insort(beats, local_received)
        else:
            beats.append(local_received)

    def update(self, f: Mapping[str, Any], **kw: Any) -> None:
        """Take over these values."""
        self.__dict__.update(f, **kw)

    @property
    def heartbeat_expires(self) -> float:
        """Until when it counts as alive; IndexError if it was never heard of."""
        return heartbeat_expires(self.heartbeats[-1], self.freq, self.expire_window)

    @property
    def alive(self) -> bool:
        """True if it was heard of lately."""
        return bool(self.heartbeats) and clock.now() < self.heartbeat_expires

    @property
    def status_string(self) -> str:
        """`ONLINE` or `OFFLINE`."""
        return "ONLINE" if self.alive else "OFFLINE"

    @property
    def id(self) -> str:
        """Its name and process."""
        return f"{self.hostname}.{self.pid}"

    def __eq__(self, other: object) -> bool:
        return self.hostname == other.hostname if isinstance(other, Worker) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hostname)

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in self._fields)

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({self.status_string} clock:{self.clock})>"


_drifting: Recent[str | None, bool] = Recent(10_000)


def _tell_drift(worker: Worker, drift: int) -> None:
    """Warn, once for each worker."""
    if worker.hostname not in _drifting:
        _drifting[worker.hostname] = True
        log.warning(
            "The clocks of %s and of this machine differ by %d s, so times of its tasks are off by that: set one of them",
            *(worker.hostname, drift),
        )


class Task:
    """One task, as its events tell of it. Fields that nobody knows here become attributes, too."""

    uuid: str | None = None
    name: str | None = None
    state: str = states.PENDING
    received: float | None = None
    sent: float | None = None
    started: float | None = None
    succeeded: float | None = None
    failed: float | None = None
    retried: float | None = None
    revoked: float | None = None
    rejected: float | None = None
    args: str | None = None
    kwargs: str | None = None
    eta: str | None = None
    expires: str | None = None
    retries: int | None = None
    worker: Worker | None = None
    result: str | None = None
    exception: str | None = None
    timestamp: float | None = None
    runtime: float | None = None
    traceback: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    client: str | None = None
    clock: int = 0

    _fields = (
        *("uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked"),
        *("args", "kwargs", "eta", "expires", "retries", "worker", "result", "exception", "timestamp", "runtime", "traceback"),
        *("exchange", "routing_key", "clock", "client", "root", "root_id", "parent", "parent_id", "children"),
    )
    _info_fields = (
        *("args", "kwargs", "retries", "result", "eta", "runtime", "expires", "exception", "exchange", "routing_key"),
        *("root_id", "parent_id"),
    )
    merge_rules: ClassVar[dict[str, tuple[str, ...]]] = {
        states.RECEIVED: ("name", "args", "kwargs", "parent_id", "root_id", "retries", "eta", "expires")
    }
    """What an event of this state still adds if it comes later than one that it should have come before."""

    def __init__(self, uuid: str | None = None, cluster_state: Any = None, children: Iterable[Any] | None = None, **kwargs: Any):
        self.uuid = uuid
        self.cluster_state = cluster_state
        self.children: Any = WeakSet(children or ())
        """The tasks that its run has sent, as far as they are known."""
        if kwargs:
            self.__dict__.update(kwargs)

    def event(
        self,
        type_: str,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in an event of it, in whatever order they come."""
        mine = self.__dict__
        fields = fields or {}
        state = STATE_OF.get(type_)
        if state is not None:
            mine[type_] = timestamp
        else:
            state = type_.upper()
        before = self.state
        if before not in (state, states.RETRY) and state != states.RETRY and _is_weaker(state, before):
            # It comes too late: what it says now holds no more, what it says once for all still does.
            kept = self.merge_rules.get(state)
            mine.update(fields if kept is None else {key: fields[key] for key in kept if key in fields})
            return
        mine.update(fields)
        mine["state"] = state
        if timestamp is not None:
            mine["timestamp"] = timestamp

    def info(self, fields: Iterable[str] | None = None, extra: Iterable[str] | None = None) -> dict[str, Any]:
        """What is known of it that is worth showing."""
        names = [*(self._info_fields if fields is None else fields), *(extra or ())]
        found = {name: getattr(self, name, None) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """All that is known of it; other tasks by their ids."""
        found = {name: getattr(self, name, None) for name in self._fields}
        found["root"], found["parent"] = self.root_id, self.parent_id
        found["children"] = [child.uuid for child in list(self.children)]
        return found

    @property
    def id(self) -> str | None:
        """Its id."""
        return self.uuid

    @property
    def origin(self) -> str | None:
        """Who told of it: the client, until a worker did."""
        return self.client if self.worker is None else self.worker.id

    @property
    def ready(self) -> bool:
        """True if it has ended."""
        return self.state in states.READY_STATES

    @property
    def parent(self) -> Task | None:
        """The task whose run has sent it; None if that is not known."""
        return self._other(self.parent_id)

    @property
    def root(self) -> Task | None:
        """The first of its workflow; None if that is not known."""
        return self._other(self.root_id)

    def _other(self, id_: str | None) -> Task | None:
        if not id_ or self.cluster_state is None:
            return None
        found: Task | None = self.cluster_state.tasks.data.get(id_)
        return found

    def __eq__(self, other: object) -> bool:
        return self.uuid == other.uuid if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.uuid)

    def __reduce__(self) -> Any:
        return _revived, (type(self), self.as_dict())

    def __repr__(self) -> str:
        return f"<Task: {self.name}({self.uuid}) {self.state} clock:{self.clock}>"


def _is_weaker(state: str, than: str) -> bool:
    return states.precedence(state) > states.precedence(than)


def _revived(kind: type[Task], fields: dict[str, Any]) -> Task:
    """A task out of a pickle; its children come back with the state that they belong to."""
    for name in ("children", "root", "parent"):
        fields.pop(name, None)
    return kind(**fields)
