"""The contract of schedule stores: where the entries of periodic work are kept, and who leads.

An implementation keeps all of it, and proves it with `umbel.testing.contracts.ScheduleStoreContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from umbel import clock


class Row(msgspec.Struct):
    """One entry of the schedule, as it is kept."""

    name: str
    definition: bytes
    """What is to be done and when, in the words of `schedules.entry`; stores do not read it."""
    enabled: bool = True
    since: float = 0.0
    """From when it counts (the store's clock): when it was first saved, or last enabled."""
    fired: float | None = None
    """The due time of the last tick that is settled (sent, or left out by the entry's policy), exactly as it was told."""
    count: int = 0
    """How many ticks were sent."""

    @property
    def after(self) -> float:
        """Its next tick is the first behind this moment: what was due while it was disabled is none of its ticks."""
        return self.since if self.fired is None else max(self.since, self.fired)


class Ticks(msgspec.Struct, frozen=True):
    """What became of the ticks of one entry: the last due time that is settled, and how many more were sent."""

    name: str
    fired: float
    count: int


class Changes(msgspec.Struct):
    """What has changed in the schedule."""

    version: int
    """Ask for what comes behind this next time."""
    rows: list[Row] = msgspec.field(default_factory=list)
    """Entries that are new or were changed, whole."""
    gone: list[str] = msgspec.field(default_factory=list)
    """Names of entries that were removed."""
    whole: bool = False
    """True if `rows` is the whole schedule: what is not in it is gone."""


class Leader(msgspec.Struct, frozen=True):
    """Who leads, and until when (the store's clock)."""

    owner: str
    until: float


FORGOTTEN = 3600.0
"""Seconds for which a store remembers what was removed."""
ASTRAY = 3600.0
"""Seconds: a due time that lies further in the future than this was told by a clock that was wrong, and blocks nothing."""


def first_version() -> int:
    """Where the versions of a new schedule begin: behind all of one that was lost (which saw no million changes a second)."""
    return int(clock.now() * 1_000_000)


class ScheduleStore(ABC):
    """Keeps the entries of one schedule, and which of its beats leads. A place keeps as many schedules as there are names.

    1. Whole or not at all: each call is one transaction (thousands of entries may be several, each of whole entries); what it
       wrote survives what the store survives. Called again after `BrokerDown`, only `tick` is not the same as once: its counts.
    2. Batch: each call costs one round trip, or one for some thousands of entries; empty batches do nothing.
    3. Any method from any thread and any process; after `fork` a child opens connections of its own.
    4. Only `BrokerDown` (try again) and `BrokerRefused` (never will) are raised, native errors chained.
    """

    url: str
    """Where it is, without credentials."""
    name: str
    """Of the schedule: those of other names at the same place are none of its business."""

    @abstractmethod
    def find(self, names: Sequence[str]) -> list[Row]:
        """The entries of these names, as far as there are any; in any order."""

    @abstractmethod
    def changes(self, after: int = 0) -> Changes:
        """What was saved, enabled, disabled or removed behind the version `after`; 0: the whole schedule.

        `tick` changes no version. A version so old that what was removed since is no longer known gives the whole schedule, too,
        as does one of a store that has been lost or emptied meanwhile.
        """

    @abstractmethod
    def save(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write the definitions of these (name, definition): new ones enabled, with `since` now.

        Of known ones all else stays as it is; one whose definition is the same already is not touched.
        """

    @abstractmethod
    def enable(self, names: Sequence[str], *, enabled: bool) -> int:
        """Let these fire, or not; tells how many were changed. What is enabled anew counts from now (`since`)."""

    @abstractmethod
    def remove(self, names: Sequence[str]) -> int:
        """Forget these; tells how many there were."""

    @abstractmethod
    def tick(self, ticks: Sequence[Ticks]) -> None:
        """Note what became of ticks: `fired` never goes back, `count` is added; entries that are gone are passed over.

        A `fired` that is `ASTRAY` gives way to any other.
        """

    @abstractmethod
    def lead(self, owner: str, seconds: float) -> bool:
        """True if `owner` leads for `seconds` from now on the store's clock: it did already, or nobody does.

        Who would lead for more than twice as long from now does not count: the clock was set back since.
        """

    @abstractmethod
    def resign(self, owner: str) -> None:
        """Let others lead at once, if `owner` does."""

    @abstractmethod
    def leader(self) -> Leader | None:
        """Who leads now."""

    @abstractmethod
    def close(self) -> None:
        """Leave; twice is fine."""
