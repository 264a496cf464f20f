"""Numbers of a worker."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from umbel import clock
from umbel.worker.control.panel import inspect_command, refused

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State

_RUSAGE = (
    *("utime", "stime", "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock"),
    *("msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw"),
)
_IMPLEMENTATIONS = {
    "processes": "umbel.pools.process:ProcessPool",
    "prefork": "umbel.pools.process:ProcessPool",
    "threads": "umbel.pools.thread:ThreadPool",
    "asyncio": "umbel.pools.loop:LoopPool",
    "solo": "umbel.pools.solo:SoloPool",
}
_PORTS = {"redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379}
_samples: list[float] = []
"""What memory was at each `memsample`, in MB."""


@inspect_command()
async def stats(state: State, **_: Any) -> dict[str, Any]:
    """Request worker statistics/information."""
    worker = state.worker
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found: dict[str, Any] = {
        "total": dict(worker.book.totals),
        "pid": os.getpid(),
        "clock": str(state.app.clock),
        "uptime": int(clock.monotonic() - worker.began),
        "pool": _pool(state),
        "broker": _broker(state),
        "prefetch_count": _room(state),
        "rusage": {name: getattr(usage, f"ru_{name}") for name in _RUSAGE},
    }
    if worker.autoscale is not None:
        found["autoscaler"] = worker.autoscale.figures()
    return found


def _room(state: State) -> int:
    worker = state.worker
    return worker.pool.slots if worker.most_held is None else worker.most_held


def _pool(state: State) -> dict[str, Any]:
    worker = state.worker
    limits = worker.look_settings()
    total = sum(worker.book.totals.values())
    return {
        "implementation": _IMPLEMENTATIONS.get(worker.pool_name, worker.pool_name),
        "max-concurrency": worker.pool.slots,
        "processes": worker.pool.pids(),
        "max-tasks-per-child": limits["max_tasks_per_child"] or "N/A",
        "put-guarded-by-semaphore": False,
        "timeouts": [limits["soft_time_limit"] or 0, limits["time_limit"] or 0],
        "writes": {
            "total": total,
            "avg": "0.00",
            "all": "",
            "raw": "",
            "strategy": "fair",
            "inqueues": {"total": worker.pool.slots, "active": len(worker.book)},
        },
    }


def _broker(state: State) -> dict[str, Any]:
    """As kombu tells of a connection, without the password."""
    app = state.app
    parts = urlsplit(app.broker_url.partition(";")[0])
    scheme = parts.scheme
    is_file = scheme in ("sqlite", "memory")
    try:
        port = parts.port or _PORTS.get(scheme)
    except ValueError:
        port = None
    return {
        "hostname": None if is_file else parts.hostname or "localhost",
        "userid": unquote(parts.username) if parts.username else None,
        "virtual_host": parts.path if is_file else parts.path.strip("/") or "0",
        "port": port,
        "insist": False,
        "ssl": scheme in ("rediss", "valkeys"),
        "transport": "redis" if scheme in _PORTS else scheme,
        "connect_timeout": app.conf.broker_connection_timeout,
        "transport_options": {},
        "login_method": None,
        "uri_prefix": None,
        "heartbeat": app.conf.broker_heartbeat,
        "failover_strategy": "round-robin",
        "alternates": [],
        "credential_provider": None,
    }


def _resident() -> float:
    """Megabytes of memory that this process takes now, or has taken at the most where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@inspect_command()
def memsample(state: State, **_: Any) -> str:
    """Sample current RSS memory usage."""
    _samples.append(_resident())
    del _samples[:-1000]
    return f"{_samples[-1]:.3f}MB"


@inspect_command(args=[("samples", int)], signature="[n_samples=10]")
def memdump(state: State, samples: int = 10, **_: Any) -> str:
    """Dump statistics of previous memsample requests."""
    known = _samples or [_resident()]
    count = max(1, min(int(samples), len(known)))
    picked = [known[place * (len(known) - 1) // max(count - 1, 1)] for place in range(count)]
    lines = ["- rss (sample):", *(f"-    > {number:.3f}MB," for number in picked)]
    return "\n".join([*lines, f"- rss (end): {_resident():.3f}MB."])


@inspect_command(name="clock")
def clock_(state: State, **_: Any) -> dict[str, int]:
    """Get current logical clock value."""
    return {"clock": int(str(state.app.clock))}


@inspect_command(
    args=[("num", int), ("max_depth", int), ("type", str)], signature="[object_type=Request] [num=200 [max_depth=10]]"
)
def objgraph(state: State, num: int = 200, max_depth: int = 10, type: str = "Request", **_: Any) -> dict[str, Any]:
    """Create graph of uncollected objects (memory-leak debugging)."""
    try:
        import objgraph as drawing  # type: ignore[import-untyped]  # no stubs; an extra of whoever looks for leaks
    except ImportError:
        counts = Counter(each.__class__.__name__ for each in gc.get_objects())
        told = ", ".join(f"{name} {count}" for name, count in counts.most_common(10))
        return refused(f"drawing objects needs the package objgraph: pip install objgraph. Most are: {told}")
    import tempfile

    objects = [each for each in gc.get_objects() if each.__class__.__name__ == type][: int(num)]
    with tempfile.NamedTemporaryFile(prefix="umbel-objects-", suffix=".png", delete=False) as file:
        drawing.show_backrefs(objects, max_depth=int(max_depth), filename=file.name)
    return {"filename": file.name}
