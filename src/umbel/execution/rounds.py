"""A door: what somebody wants to stand round the runs of a task, asked for once for each task and process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from umbel.execution.request import Request
from umbel.execution.runnable import Runnable

Round = Callable[[Request, Callable[[], Any]], Any]
"""Called as `round(request, go)` for each run; gives what `go()` gives: how the run ended, or a coroutine that does."""
MakeRound = Callable[[Runnable], Round | None]

makers: list[MakeRound] = []
"""Who is asked; nothing is, and nothing costs, as long as this is empty."""


def stand_round(maker: MakeRound) -> MakeRound:
    """Ask `maker(task)` for what stands round the runs of each task (None: nothing), before its first run in each process.

    The one asked last stands outermost. To be called before the first run.
    """
    makers.append(maker)
    return maker


class Rounds:
    """What stands round the runs of each task, once it was asked for."""

    def __init__(self) -> None:
        self._known: dict[str, Round | None] = {}

    def of(self, task: Runnable) -> Round | None:
        """All of it as one; None if nothing does."""
        if task.name not in self._known:
            whole: Round | None = None
            for maker in makers:
                found = maker(task)
                if found is not None:
                    whole = found if whole is None else _nested(found, whole)
            self._known[task.name] = whole
        return self._known[task.name]

    def clear(self) -> None:
        """Ask anew, as in a new process."""
        self._known.clear()


def _nested(outer: Round, inner: Round) -> Round:
    return lambda request, go: outer(request, lambda: inner(request, go))
