"""Steps of a user's: what a worker makes, starts and stops beside its own services.

    class Watchdog:
        def __init__(self, worker, **options): ...
        def start(self, worker): ...
        def stop(self, worker): ...

    app.steps["worker"].add(Watchdog)

The constructor is given the options of the command line as keywords. A step is made before there are child processes, started
once the store is there, and stopped once all work is done; one of `app.steps["consumer"]` is started when messages begin to come,
and stopped when no more do. None of its methods but the constructor need be there; besides those above there may be `include`,
which says whether it is wanted, `close`, called when a stop begins, `terminate`, in the place of `stop` where work is broken off,
and `shutdown`, called at last for those of the consumer. `requires` names steps that are to come before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from umbel import guise
from umbel.errors import ImproperlyConfigured, WorkerError
from umbel.wire.brief import told

log = guise.logger("umbel.worker")


class Steps:
    """The steps of one kind, in order. Their methods run in a thread, one after the other: they may take their time."""

    def __init__(self, classes: Iterable[Any], parent: Any, options: Mapping[str, Any]):
        """Makes them. `parent` is what they get: the worker, or what a face shows in its place."""
        self._parent = parent
        self._steps = []
        self._started: list[Any] = []
        for kind in in_order(classes):
            try:
                step = kind(parent, **options)
                include = getattr(step, "include", None)
                is_wanted = include is None or include(parent)
            except Exception as error:
                raise WorkerError(f"the step {name_of(kind)} cannot be made: {told(error)}") from error
            if is_wanted:
                self._steps.append(step)

    def __bool__(self) -> bool:
        return bool(self._steps)

    async def start(self) -> None:
        """Start them in order. WorkerError if one cannot start: those before it are started, and to be stopped."""
        for step in self._steps:
            start = getattr(step, "start", None)
            if start is None:
                continue
            self._started.append(step)
            try:
                await asyncio.get_running_loop().run_in_executor(None, start, self._parent)
            except Exception as error:
                log.critical("The step %s cannot start", name_of(type(step)), exc_info=error)
                raise WorkerError(f"the step {name_of(type(step))} cannot start: {told(error)}") from error

    async def stop(self, *, how: str = "stop") -> None:
        """Stop those that were started, the last first; by `how`, if they have that, else by `stop`. Failures are logged."""
        while self._started:
            step = self._started.pop()
            await self._call(step, how if hasattr(step, how) else "stop")

    async def call(self, what: str) -> None:
        """Call that method of all that have it, the last first."""
        for step in reversed(self._steps):
            await self._call(step, what)

    async def _call(self, step: Any, what: str) -> None:
        method = getattr(step, what, None)
        if method is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, method, self._parent)
        except Exception:
            log.exception("%s of the step %s has failed", what, name_of(type(step)))


def in_order(classes: Iterable[Any]) -> Sequence[Any]:
    """The classes so that each comes behind those that it requires; else by name. ImproperlyConfigured if they go in a circle.

    What they require that is not among them are parts of Celery's worker, which are always there.
    """
    left = sorted(classes, key=lambda kind: (bool(getattr(kind, "last", False)), name_of(kind)))
    names = {alias for kind in left for alias in _aliases(kind)}
    ordered: list[Any] = []
    there: set[Any] = set()
    while left:
        free = next((kind for kind in left if _required(kind) & names <= there), None)
        if free is None:
            circle = ", ".join(name_of(kind) for kind in left)
            raise ImproperlyConfigured(f"these steps require each other in a circle: {circle}")
        left.remove(free)
        ordered.append(free)
        there |= _aliases(free)
    return ordered


def name_of(kind: Any) -> str:
    """What a step is called."""
    return str(getattr(kind, "name", None) or f"{kind.__module__}.{kind.__qualname__}")


def _aliases(kind: Any) -> set[str]:
    return {name_of(kind), f"{kind.__module__}.{kind.__name__}"}


def _required(kind: Any) -> set[str]:
    wanted = getattr(kind, "requires", None) or ()
    several = [wanted] if isinstance(wanted, str) or callable(wanted) else wanted
    return {each.replace(":", ".") if isinstance(each, str) else name_of(each) for each in several}
