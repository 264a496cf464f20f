"""All jobs of one kind, sync or async, in a process pool: those that wait, and the children that run them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from umbel.execution.outcome import Job
from umbel.pools.ward import Ward

QUIET = 0.02
"""Seconds without news after which a child's unbegun jobs are taken back."""
DEAF = 0.05
"""Seconds without news after which a busy child is no reason to hold jobs for it."""


class Lane:
    """The jobs and children of one kind. Belongs to the event loop's thread."""

    def __init__(self, *, is_async: bool):
        self.is_async = is_async
        self.waiting: deque[Job] = deque()
        self.wards: list[Ward] = []
        self.expected = 0
        """Children asked for that are not born yet."""

    @property
    def staff(self) -> int:
        """How many children stay, with those on their way."""
        return self.expected + sum(not ward.leaving for ward in self.wards)

    @property
    def held(self) -> int:
        """How many jobs are here."""
        return len(self.waiting) + sum(len(ward.jobs) for ward in self.wards)

    def idlest(self) -> list[Ward]:
        """Those that may be given jobs, the least busy first."""
        takers = [ward for ward in self.wards if ward.takes]
        ranked = sorted([(len(ward.jobs), ward.index, ward) for ward in takers])
        return [ward for _, _, ward in ranked]

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Let jobs wait again, in front, for they came before the others."""
        self.waiting.extendleft(reversed(list(jobs)))

    def forget(self, number: int) -> bool:
        """Take a waiting job out; False if it does not wait here."""
        for job in self.waiting:
            if job.number == number:
                self.waiting.remove(job)
                return True
        return False

    def ward_of(self, number: int) -> Ward | None:
        """The child that has this job."""
        return next((ward for ward in self.wards if number in ward.jobs), None)

    def surplus(self, now: float) -> bool:
        """True if what waits had better go elsewhere: every child has been at one job for a while."""
        if not self.waiting or self.expected or not self.wards:
            return False
        return all(ward.ready and ward.jobs and now - ward.heard > DEAF for ward in self.wards)
