"""The contract of result backends: where what became of each task is kept for those who ask later.

An implementation keeps all of it, and proves it with `umbel.testing.contracts.BackendContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from umbel.wire.result import Result


class ResultBackend(ABC):
    """Keeps results by task id, for `expires` seconds (None: for ever).

    Threads, forks and errors as in the broker's contract. A group's children are a `Result` of their own under the group's id.
    """

    url: str
    """Where it is, without credentials."""
    wants_facts = False
    """True if each document is to tell all of its call (name, arguments, worker …), whatever `result_extended` says."""

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

    @abstractmethod
    def arrive(self, chord: str, size: int, parts: Sequence[tuple[int, Result]]) -> list[Result] | None:
        """Count parts (index, result) of a chord of `size`.

        Exactly one caller, the one that completes it, gets all parts in order of their index; all others get None.
        The same index twice counts once.
        """

    @abstractmethod
    def forget(self, ids: Sequence[str]) -> None:
        """Delete what is known of these."""

    @abstractmethod
    def sweep(self) -> int:
        """Remove what is past its age; tells how many."""

    @abstractmethod
    def close(self) -> None:
        """Leave; twice is fine. Ends a blocked `wait` within a second."""
