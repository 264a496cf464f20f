"""Counts what became of tasks from outside the system under test.

Senders write each id before they send it and after it was accepted; tasks append a line when they begin and when they end,
each in one write; whoever kills writes down which processes. None of these files belongs to the queue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdicts:
    """The ids of each class; all but `ok`, `told` and `explained` must be empty."""

    ok: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """No whole effect, but a failure that says why."""
    explained: list[str] = field(default_factory=list)
    """Begun more than once, each earlier time in a process that was killed, and allowed to run again."""
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ("ok", "told", "explained", "lost", "duplicated", "unexpected")
        return ", ".join(f"{len(getattr(self, name))} {name}" for name in names)


def classify(
    *,
    confirmed: Collection[str],
    effects: Iterable[list[str]],
    failures: Mapping[str, str],
    late: Collection[str],
    killed: Collection[int],
) -> Verdicts:
    """Judge each id. `effects` are lines `begin ID PID PARENT` or `end …`; `failures` maps ids to what was told of them.

    An id in `late` may run again after its process, or the one that forked it, was killed; any other may begin once.
    """
    begun: dict[str, list[bool]] = defaultdict(list)
    ended: dict[str, int] = defaultdict(int)
    for what, id, pid, parent in effects:
        if what == "begin":
            begun[id].append(int(pid) in killed or int(parent) in killed)
        else:
            ended[id] += 1
    verdicts = Verdicts()
    known = set(confirmed)
    for id in sorted(known | set(begun)):
        if id not in known:
            verdicts.unexpected.append(id)
            continue
        if len(begun[id]) > 1:
            explained = id in late and all(begun[id][:-1])
            (verdicts.explained if explained else verdicts.duplicated).append(id)
        if ended[id]:
            verdicts.ok.append(id)
        elif id in failures:
            verdicts.told.append(id)
        else:
            verdicts.lost.append(id)
    return verdicts
