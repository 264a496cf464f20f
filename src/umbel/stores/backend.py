"""The contract of result backends: where what became of each task is kept for those who ask later.

An implementation keeps all of it, and proves it with `umbel.testing.contracts.BackendContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import NoReturn

from umbel.errors import BrokerRefused
from umbel.stores.join import Arrival, Parts
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result


class ResultBackend(ABC):
    """Keeps results by task id, for `expires` seconds (None: for ever).

    Threads, forks and errors as in the broker's contract.

    It also counts the parts of chords. Of each chord there is one record, until `done`; or until nobody has touched it for as
    long as `join.life` says: that of one whose size is known outlives results by far, since parts may wait for longer.

    1. A part is known by its index and id. It counts once, however often it arrives, and the last word of it is what is kept:
       a FAILURE that a later run turned into a SUCCESS is one.
    2. The chord is whole once as many have arrived as it has: what `expect` told plus all that it grew by. Before `expect` it
       never is. What a run makes it grow by counts once for each task and run, and there too the last word counts.
    3. The first arrival with a `then` that finds the chord whole with its own part completes it; that is a repeat only if the
       size came too late. Its `then` is sent once: by `Broker.conclude` in the step that notes the part, or by who called
       `arrive`, who is told of it. What arrives later still counts as above, and completes nothing.
    4. A store that may lose what it keeps notices when the next part arrives: then it sends `then` a little later, so that
       somebody looks, and tells that it is damaged or of no size.
    5. After `done` nothing is kept but that it was, for a while: late doubles, growth and sizes change nothing.

    A store that does not count refuses to (`BrokerRefused`).
    """

    url: str
    """Where it is, without credentials."""
    wants_facts = False
    """True if each document is to tell all of its call (name, arguments, worker …), whatever `result_extended` says."""
    is_atomic = True
    """False if `store` looks and writes in two steps, between which another process may write: what is told of one task must then
    come from one place after the other."""

    @abstractmethod
    def store(self, results: Sequence[Result]) -> None:
        """Write each whole or not at all, by `states.may_replace`; the same twice is the same as once.

        Long batches are cut, as the broker's contract has it.
        """

    @abstractmethod
    def fetch(self, ids: Sequence[str]) -> dict[str, Result]:
        """What is known, in one round trip; unknown ids are absent."""

    @abstractmethod
    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        """Those that are final, as soon as there is at least one; `{}` after `timeout` seconds, or once closed."""

    def expect(self, chord: str, size: int) -> None:
        """Tell how many parts the chord has, before the last of them is sent; the last word counts."""
        self._refuse("count the parts of chords")

    def arrive(self, arrivals: Sequence[Arrival]) -> list[Envelope]:
        """Note these, in their order; gives what is to be sent for chords that are whole now.

        For those whose broker keeps its messages in another store: they call it before they conclude, and send what they get in
        the conclusion. Who dies in between is run again and calls it again: therefore the part that has completed a chord, and no
        other, is told again each time, until `done`.
        """
        return self._refuse("count the parts of chords") if arrivals else []

    def parts(self, chord: str) -> Parts | None:
        """How far the chord is, in one read; None if nothing is known of it, it is done, or somebody else is just firing it."""
        self._refuse("count the parts of chords")

    def ended(self, chord: str) -> bool:
        """True if the chord is done, as far as that is still known, or somebody else is just firing it.

        Else a chord without `parts`, for which an order was sent, is one that the store has lost. A store that never loses any,
        or cannot tell, says True.
        """
        return True

    def done(self, chord: str) -> None:
        """End the record: what follows the chord has been sent. Twice is fine."""
        self._refuse("count the parts of chords")

    def save_group(self, id: str, document: bytes, expires: float | None) -> None:
        """Keep what a group is made of under its id, for so many seconds (None: for ever); the last word counts."""
        self._refuse("keep groups")

    def group(self, id: str) -> bytes | None:
        """What was saved; None if nothing is."""
        self._refuse("keep groups")

    def forget_group(self, id: str) -> None:
        """Delete what was saved."""
        self._refuse("keep groups")

    def _refuse(self, what: str) -> NoReturn:
        raise BrokerRefused(f"{self.url} does not {what}; use a result_backend of umbel's own for chords and saved groups")

    @abstractmethod
    def forget(self, ids: Sequence[str]) -> None:
        """Delete what is known of these."""

    @abstractmethod
    def sweep(self) -> int:
        """Remove what is past its age; tells how many."""

    @abstractmethod
    def close(self) -> None:
        """Leave; twice is fine. Ends a blocked `wait` within a second."""
