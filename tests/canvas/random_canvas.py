"""Canvases drawn at random, and what each comes to by a model that knows no messages: a tree of values and failures."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from umbel import chain, chord, group

FAILED = "failed"
"""What the model says of a call that fails, or is never reached."""


@dataclass
class Piece:
    """A canvas, and what it comes to, given what comes before it."""

    sig: Any
    value: Callable[[Any], Any]
    """Of what came before (None: nothing); FAILED if it fails."""
    is_group: bool = False
    """True if what comes behind makes a chord of it."""


@dataclass
class Draw:
    """Draws one canvas. `tasks`: `number(value, n, how)` gives a number of what came before, and fails as `how` says."""

    rand: random.Random
    tasks: Any
    left: int = 200
    """Calls that it may still have."""
    deadly: bool = False
    """True if calls may kill the process that runs them, the first time."""

    def canvas(self, depth: int = 6) -> Piece:
        """One of at most so many levels."""
        kind = self.rand.choice(["task", "chain", "group", "chord", "chain", "chord"]) if depth > 1 and self.left > 3 else "task"
        return getattr(self, f"_{kind}")(depth - 1)  # type: ignore[no-any-return]  # one of those below

    def _task(self, _: int) -> Piece:
        self.left -= 1
        number = self.rand.randrange(1000)
        how = self.rand.choices(["", "raise", "retry", "expire", "die"], [90, 1, 4, 1, 3 if self.deadly else 0])[0]
        task = self.tasks.early if self.rand.random() < 0.3 and how != "die" else self.tasks.late
        sig = task.s(number=number, how=how)
        if how == "expire":
            sig.set(expires=-1)
        fails = how in ("raise", "expire")
        return Piece(sig, lambda before: FAILED if fails or has_failed(before) else told(before, number))

    def _steps(self, depth: int) -> list[Piece]:
        return [self.canvas(depth) for _ in range(self.rand.randint(2, 4))]

    def _chain(self, depth: int) -> Piece:
        steps = self._steps(depth)
        sig = chain(*(each.sig for each in steps))

        def value(before: Any) -> Any:
            for each in steps:
                before = each.value(FAILED if has_failed(before) else before)
            return before

        return Piece(sig, value, is_group=steps[-1].is_group)

    def _group(self, depth: int) -> Piece:
        parts = self._steps(depth)
        return Piece(group([each.sig for each in parts]), lambda before: spread(parts, before), is_group=True)

    def _chord(self, depth: int) -> Piece:
        parts, last = self._steps(depth), self.canvas(depth)
        sig = chord([each.sig for each in parts], last.sig)

        def value(before: Any) -> Any:
            found = spread(parts, before)
            return last.value(FAILED if has_failed(found) else found)

        return Piece(sig, value, is_group=last.is_group)


def spread(parts: list[Piece], before: Any) -> list[Any]:
    """What the parts of a group come to; groups among them are flattened, as they are when they are sent."""
    found: list[Any] = []
    for each in parts:
        value = each.value(before)
        if type(each.sig).__name__ == "group":
            found += value
        else:
            found.append(value)
    return found


def told(before: Any, number: int) -> int:
    """What a task gives: of what came before and its own number."""
    return (digest(before) * 31 + number) % 1_000_003


def digest(value: Any) -> int:
    """A number that depends on all of a value and its order."""
    if value is None:
        return 7
    if isinstance(value, list):
        found = 11
        for each in value:
            found = (found * 131 + digest(each)) % 1_000_003
        return found
    return int(value)


def has_failed(value: Any) -> bool:
    """True if any part of it has failed."""
    return any(map(has_failed, value)) if isinstance(value, list) else value == FAILED
