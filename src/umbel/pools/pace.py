"""How long tasks take here, and so how many of them make a batch that is short in time. Decides; does no I/O."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from umbel.execution.outcome import Job

BATCH = 0.005
"""Seconds of work that a child gets at once."""
HAND = 2 * BATCH
"""Seconds of work in a child's hands: what it does, and the next batch, so that it never waits for the pool."""
MOST = 256
"""Jobs in one batch, however short: from here on larger frames bring nothing (measured: 64 → 158k/s, 256 → 293k/s raw)."""
STOCK = 0.02
"""Seconds of work for each slot that the pool accepts: a round trip to the store while its children go on."""
DEEPEST = 6 * MOST
"""Jobs for each slot that the pool accepts at most, however short."""
WHOLE = 12 * MOST
"""Jobs that a pool accepts at most, unless it has more slots: some 40 ms of what one worker can fetch and settle. That leaves
room for a second fetch while the first is handed on; more would be out of the processor's cache when its turn comes."""
BATCH_BYTES = 1 << 18
"""A batch of large bodies ends here, whatever it costs in time."""

WEIGHT = 0.125
"""Of the newest run in a mean: a rare slow one is forgotten within some forty quick ones."""
LEAST = 5e-6
"""Seconds: no job is cheaper than handing it over."""


def stock(typical: float, slots: int = 1) -> int:
    """How many jobs a pool accepts for each of its slots, if they take `typical` seconds."""
    return max(1, min(DEEPEST, WHOLE // slots, int(STOCK / max(typical, LEAST))))


class Pace:
    """The running mean of each task's duration."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}
        self.typical = math.inf
        """The mean over all tasks, weighed by how often they run; infinite while unknown."""
        self.stock = 1
        """How many jobs for each slot the pool may hold: 1 if they are long or unknown, more if they are short."""

    def learn(self, runs: Sequence[tuple[Job, float]]) -> None:
        """Take in runs that have ended, each with its duration."""
        means, total = self._means, 0.0
        for job, spent in runs:
            total += spent
            mean = means.get(job.task)
            means[job.task] = spent if mean is None else mean + (spent - mean) * WEIGHT
        mean = total / len(runs)
        weight = 1.0 if self.typical == math.inf else 1 - (1 - WEIGHT) ** len(runs)
        self.typical = mean if weight == 1.0 else self.typical + (mean - self.typical) * weight
        self.stock = stock(self.typical)

    def batch(self, waiting: deque[Job], *, load: float, count: int, most: int) -> list[tuple[Job, float]]:
        """Take from `waiting` what a child that has `count` jobs of `load` seconds gets now, each with its cost."""
        if load > BATCH or count > MOST:
            return []
        means, size = self._means, 0
        taken: list[tuple[Job, float]] = []
        while waiting and len(taken) < most:
            job = waiting[0]
            cost = means.get(job.task, math.inf)
            if cost < LEAST:  # noqa: PLR1730 - `max` takes as long as the rest of the loop
                cost = LEAST
            if count and (load + cost > HAND or size > BATCH_BYTES):
                break
            waiting.popleft()
            load += cost
            count += 1
            size += len(job.envelope.body)
            taken.append((job, cost))
        return taken
