"""Counts what became of tasks from outside the system under test.

Senders write each id before they send it and after it was accepted; tasks append a line when they begin and when they end,
each in one write; whoever kills writes down which processes. None of these files belongs to the queue.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdicts:
    """The ids of each class. Those of FAULTS must be empty."""

    ok: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """No whole effect, but a failure that says why."""
    unknown: list[str] = field(default_factory=list)
    """Its sender was killed, or was told that the store is away: it may have run or not."""
    explained: list[str] = field(default_factory=list)
    """Begun more than once, each earlier time in a process that was killed, and allowed to run again."""
    lost: list[str] = field(default_factory=list)
    """Accepted, but without an effect or a failure."""
    silent: list[str] = field(default_factory=list)
    """Has an effect, but not the result that it was to leave."""
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    """Has an effect, but nobody sent it."""

    def __str__(self) -> str:
        names = ("ok", "told", "unknown", "explained", *FAULTS)
        return ", ".join(f"{len(getattr(self, name))} {name}" for name in names)

    def faults(self) -> dict[str, list[str]]:
        """What must not be: a few ids of each class that has any."""
        return {name: getattr(self, name)[:5] for name in FAULTS if getattr(self, name)}


FAULTS = ("lost", "silent", "duplicated", "unexpected")


def classify(
    *,
    tried: Collection[str],
    confirmed: Collection[str],
    effects: Iterable[list[str]],
    failures: Mapping[str, str],
    late: Collection[str],
    killed: Collection[int],
    void: Collection[tuple[str, ...]] = (),
    unanswered: Collection[str] = (),
) -> Verdicts:
    """Judge each id.

    `effects` are lines `begin ID PID PARENT …` or `end …`; `failures` maps ids to what was told of them; `unanswered` are ids
    that should have a result and have none. An id in `late` may run again after its process, or the one that forked it, was
    killed, and before or after each of its lines that are `void`, as their worker had lost its lease. Any other may begin once.
    """
    begun: dict[str, list[bool]] = defaultdict(list)
    idle: Counter[str] = Counter()
    ended: dict[str, int] = defaultdict(int)
    for line in effects:
        what, id, pid, parent, *_ = line
        if what != "begin":
            ended[id] += 1
        elif tuple(line) in void:
            idle[id] += 1
        else:
            begun[id].append(int(pid) in killed or int(parent) in killed)
    verdicts = Verdicts()
    accepted, sent, repeatable, missing = set(confirmed), {*tried, *confirmed}, set(late), set(unanswered)
    for id in sorted({*sent, *begun, *idle}):
        if id not in sent:
            verdicts.unexpected.append(id)
            continue
        if len(begun[id]) + idle[id] > 1:
            explained = id in repeatable and all(begun[id][:-1])
            (verdicts.explained if explained else verdicts.duplicated).append(id)
        if id not in accepted:
            verdicts.unknown.append(id)
        elif ended[id]:
            (verdicts.silent if id in missing else verdicts.ok).append(id)
        elif id in failures:
            verdicts.told.append(id)
        else:
            verdicts.lost.append(id)
    return verdicts
