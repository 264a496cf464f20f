"""What an owner knows of the revoked tasks, so that handing out needs no further word with the server while nothing is new."""

from __future__ import annotations

from collections.abc import Callable

from umbel.stores.broker import Revocation

SPARE = 1000
"""Ids that may be out of date before all are fetched anew."""


class Mirror:
    """Ids of tasks that were revoked up to a mark. Who is not among them is not revoked; who is may be no longer: ask the server.

    Any thread: to a set ids are only added, and mark and set are replaced together.
    """

    def __init__(self) -> None:
        self._known: tuple[int, set[str]] = (0, set())

    def at(self, mark: int, behind: Callable[[int], tuple[int, int, list[Revocation]]]) -> set[str]:
        """The ids at this mark of the server's (0: it keeps none).

        `behind` gives for a mark the one to ask from next, how many are kept in all, and those made behind it.
        """
        known, ids = self._known
        if mark == known:
            return ids
        if not mark:
            self._known = 0, set()
            return self._known[1]
        told, count, found = behind(known)
        ids.update([each.id for each in found])
        if len(ids) > 2 * count + SPARE:
            told, _, found = behind(0)
            ids = {each.id for each in found}
        self._known = told, ids
        return ids
