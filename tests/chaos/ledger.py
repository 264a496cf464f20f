"""What the store told each worker of its holds and its lease, written down outside of it: who was taken for dead, and when.

A run is void if its worker's lease ended meanwhile, whoever let it: a test that stopped the worker, or a machine that gave it no
time. Others have the task then, and it may run once more. It counts if the store took the task from a worker too early.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

KEEPING = """
Store = type(app.broker)
WORKER = os.getpid()  # its children are forked

def book(*words):
    fd = os.open("ledger.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (" ".join(map(str, words)) + "\\n").encode())
    os.close(fd)

def reserve(self, queues, limit, wait, tell=Store.reserve):
    deliveries = tell(self, queues, limit, wait)
    if deliveries:
        book("got", WORKER, time.monotonic(), *(each.envelope.id for each in deliveries))
    return deliveries

def renew(self, seconds, tell=Store.renew):
    asked = time.monotonic()
    kept = tell(self, seconds)
    book("kept" if kept else "lost", WORKER, asked, time.monotonic(), seconds)
    return kept

Store.reserve, Store.renew = reserve, renew
"""
"""Code of a project that keeps the ledger, a line for each answer: what was handed out, and if the lease is kept."""
BLINK = 0.05
"""Seconds: the clock of the store and that of the workers are not read in the same moment."""


@dataclass(slots=True)
class Renewal:
    """One attempt of a worker to keep its lease."""

    asked: float
    told: float
    seconds: float
    is_kept: bool


@dataclass(slots=True)
class Ledger:
    """All that was told, by worker."""

    handouts: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """Of each id: when, and to whom."""
    renewals: dict[int, list[Renewal]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, text: str) -> Ledger:
        """From its lines; one that a kill cut off does not count."""
        made = cls()
        for line in text.split("\n")[:-1]:
            what, worker, when, *rest = line.split()
            if what == "got":
                for id in rest:
                    made.handouts[id].append((float(when), int(worker)))
            else:
                told, seconds = map(float, rest)
                made.renewals[int(worker)].append(Renewal(float(when), told, seconds, is_kept=what == "kept"))
        for handouts in made.handouts.values():
            handouts.sort()
        return made

    def void(self, effects: Iterable[list[str]], moment: float) -> set[tuple[str, ...]]:
        """Of the lines `begin ID PID PARENT WHEN WORKER` those of runs that do not count; a hand-out that was lost explains one.

        A worker that has heard that it was taken for dead may still begin within a `moment` what it had in hand.
        """
        found: set[tuple[str, ...]] = set()
        used: set[tuple[str, float, int]] = set()
        for what, id, pid, parent, when, worker in sorted(effects, key=lambda words: float(words[4])):
            for got, whose in self.handouts[id] if what == "begin" else ():
                until = self._heard(id, got, whose) + moment
                if whose == int(worker) and got <= float(when) <= until and (id, got, whose) not in used:
                    used.add((id, got, whose))
                    found.add((what, id, pid, parent, when, worker))
                    break
        return found

    def _heard(self, id: str, got: float, worker: int) -> float:
        """When the worker heard that it had lost what it got then, which others may have got only after that; -inf if it had not.

        Its lease may end its time after it asked for it the last time. The store tells of that once, soon after.
        """
        others = [when for when, _ in self.handouts[id] if when > got]
        renewals = self.renewals[worker]
        for place, (former, renewal) in enumerate(pairwise(renewals), 1):
            ends = former.asked + former.seconds - BLINK
            if renewal.told >= max(got, ends) and all(when >= ends for when in others):
                for told in renewals[place : place + 2]:
                    if not told.is_kept:
                        return told.told
        return -inf
