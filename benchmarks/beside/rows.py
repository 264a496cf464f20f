"""What is measured, of whom, how much of it, and what umbel should reach."""

from __future__ import annotations

from dataclasses import dataclass, field

UMBEL = ("umbel", "umbel-sqlite")
FACE = "face"
"""Celery's names over umbel, which runs Celery's own program of this benchmark, at Celery's settings."""
PEERS = ("celery", "dramatiq", "huey", "taskiq", "rq")
ALL = (*UMBEL, FACE, *PEERS)


@dataclass(frozen=True)
class Figure:
    """A number that `drive` gives."""

    title: str
    more_is_better: bool = False


@dataclass(frozen=True)
class Row:
    """One thing measured: calls of each system, since quick ones need more of them to be exact."""

    figures: dict[str, Figure]
    """By what `drive` calls them."""
    count: int
    counts: dict[str, int] = field(default_factory=dict)
    """Where they differ."""
    systems: tuple[str, ...] = ALL
    once: bool = False
    """Not in each round: it compares within itself."""

    def calls(self, system: str, scale: float) -> int:
        return max(int(self.counts.get(system, self.count) * scale), 1)


@dataclass(frozen=True)
class Target:
    """How a figure of umbel should compare with the best of `peers`; or, without them, what it should be."""

    row: str
    key: str
    factor: float
    peers: tuple[str, ...] = ()


def _rate(title: str) -> dict[str, Figure]:
    return {"rate": Figure(title, more_is_better=True)}


def _share(title: str) -> dict[str, Figure]:
    return {"share": Figure(title, more_is_better=True)}


CANVAS = (*UMBEL, FACE, "celery")
"""Those that have groups, chords and chains. Celery makes smaller groups and chords, so that they do not take minutes."""
QUICK = {**dict.fromkeys(UMBEL, 200_000), FACE: 50_000}
ROWS = {
    "send_one": Row(_rate("send one by one, calls/s"), 4_000, dict.fromkeys((*UMBEL, FACE), 20_000)),
    "send_batch": Row(
        _rate("send in a batch, calls/s"), 5_000, QUICK, systems=tuple(name for name in ALL if name not in {"dramatiq", "huey"})
    ),
    "drain": Row(_rate("run no-ops, no results, tasks/s"), 8_000, QUICK | {"taskiq": 16_000, "rq": 2_000}),
    "drain_kept": Row(
        _rate("run no-ops, with results, tasks/s"),
        6_000,
        dict.fromkeys((*UMBEL, FACE), 100_000) | {"taskiq": 12_000, "rq": 2_000},
    ),
    "drain_large": Row(
        _rate("run no-ops with 100 KB of arguments, tasks/s"), 1_000, dict.fromkeys((*UMBEL, FACE), 5_000) | {"rq": 500}
    ),
    "spin": Row(_share("1 ms of work a task, × ideal"), 4_000, {"rq": 1_000}),
    "spin_long": Row(_share("10 ms of work a task, × ideal"), 400),
    "latency": Row(
        {"p50": Figure("call to start, idle, p50, ms"), "p99": Figure("call to start, idle, p99, ms")},
        300,
    ),
    "group": Row(_rate("group, call to all results, tasks/s"), 10_000, {"celery": 1_000}, systems=CANVAS),
    "chord": Row(_rate("chord, call to its body's result, tasks/s"), 10_000, {"celery": 1_000}, systems=CANVAS),
    "chain": Row(_rate("chain, call to the last result, steps/s"), 1_000, systems=CANVAS),
    "group_memory": Row(
        {"megabytes": Figure("client's peak in a group of 100,000 (Celery: 2,000), MB")},
        100_000,
        {"celery": 2_000},
        systems=CANVAS,
    ),
    "naps": Row({"stretch": Figure("1,000 sleeps of 1 s, × ideal")}, 1_000, systems=(*UMBEL, "taskiq")),
    "start": Row({"seconds": Figure("worker start to first task, s")}, 1),
    "start_plain": Row({"seconds": Figure("the same, without options, s")}, 1),
    "memory": Row({"megabytes": Figure("idle worker, 2 processes, PSS, MB")}, 200),
    "idle": Row({"core": Figure("idle worker, % of a core"), "commands": Figure("idle worker, commands/s to Redis")}, 1),
    "idle_many": Row(
        {"core": Figure("idle on 50 queues, % of a core"), "commands": Figure("idle on 50 queues, commands/s to Redis")},
        1,
        systems=(*UMBEL, FACE, "celery"),
    ),
    "imports": Row({"package": Figure("import the package, ms"), "app": Figure("import and make an app, ms")}, 1),
    "crowd": Row(
        {
            "few": Figure("reserve, 1,000 waiting, µs"),
            "many": Figure("reserve, 1,000,000 waiting, µs"),
            "growth": Figure("the second by the first"),
        },
        1_000_000,
        systems=UMBEL,
        once=True,
    ),
}
_OTHERS = PEERS[1:]
TARGETS = [
    Target("drain", "rate", 40, ("celery",)),
    Target("drain", "rate", 8, _OTHERS),
    Target("drain_kept", "rate", 30, ("celery",)),
    Target("drain_kept", "rate", 8, _OTHERS),
    Target("send_one", "rate", 7, ("celery",)),
    Target("send_one", "rate", 1, PEERS),
    Target("send_batch", "rate", 60, ("celery",)),
    Target("drain_large", "rate", 2000),
    Target("idle", "core", 0.3),
    Target("latency", "p50", 0.6, ("celery",)),
    Target("latency", "p99", 1, ("celery",)),
    Target("group", "rate", 20, ("celery",)),
    Target("chord", "rate", 20, ("celery",)),
    Target("chain", "rate", 10, ("celery",)),
    Target("group_memory", "megabytes", 300),
    Target("naps", "stretch", 1.05),
    Target("crowd", "growth", 1.10),
]
FACE_TARGETS = [
    Target("start", "seconds", 1, ("celery",)),
    Target("start_plain", "seconds", 1 / 3, ("celery",)),
    Target("imports", "package", 1 / 2, ("celery",)),
]
