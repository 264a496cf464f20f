"""Canvases drawn at random come to what a model says, each to one end, and no call is made twice.

UMBEL_CANVASES says how many; UMBEL_CANVAS_SEED has one drawn again that failed.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.canvas.conftest import Stand
from tests.canvas.random_canvas import FAILED, Draw, digest, has_failed, told

from umbel.testing.waiting import patience

COUNT = int(os.environ.get("UMBEL_CANVASES", "100"))
AGAIN = os.environ.get("UMBEL_CANVAS_SEED")
AT_ONCE = 25


def tasks_of(app: Any, runs: Counter[str]) -> Any:
    """The two tasks of which canvases are drawn."""

    def number(self: Any, *before: Any, number: int, how: str) -> int:
        runs[self.request.id] += 1
        if how == "raise":
            raise ValueError(number)
        if how == "retry" and self.request.retries == 0:
            raise self.retry(countdown=0)
        return told(before[0] if before else None, number)

    late = app.task(bind=True, name="late", acks_late=True)(number)
    early = app.task(bind=True, name="early", acks_late=False)(number)
    return SimpleNamespace(late=late, early=early)


@pytest.fixture(scope="module")
def memory() -> Iterator[Stand]:
    with Stand("random", broker="memory://random", backend="memory://random") as stand:
        yield stand


def end_of(result: Any) -> Any:
    """What a canvas came to."""
    try:
        return result.get(timeout=patience())
    except TimeoutError:
        raise
    except Exception:
        return FAILED


def test_canvases_come_to_what_the_model_says(memory: Stand) -> None:
    runs: Counter[str] = Counter()
    tasks = tasks_of(memory.app, runs)
    seeds = [int(AGAIN)] if AGAIN else [random.randrange(1 << 32) for _ in range(COUNT)]
    for start in range(0, len(seeds), AT_ONCE):
        drawn = [(seed, Draw(random.Random(seed), tasks).canvas()) for seed in seeds[start : start + AT_ONCE]]
        sent = [(seed, piece, piece.sig.apply_async()) for seed, piece in drawn]
        for seed, piece, result in sent:
            expected = piece.value(None)
            found = end_of(result)
            assert found == (FAILED if has_failed(expected) else expected), f"UMBEL_CANVAS_SEED={seed} {piece.sig!r}"
    assert max(runs.values()) <= 2, "twice is a retry"


def test_canvases_come_to_it_eagerly() -> None:
    stand = Stand("random eager", broker="memory://eager", task_always_eager=True)
    tasks = tasks_of(stand.app, Counter())
    for seed in [int(AGAIN)] if AGAIN else [random.randrange(1 << 32) for _ in range(COUNT // 2)]:
        piece = Draw(random.Random(seed), tasks).canvas()
        expected = piece.value(None)
        if "'expire'" not in repr(dict(piece.sig)):  # what runs at once does not expire
            found = end_of(piece.sig.apply_async())
            assert found == (FAILED if has_failed(expected) else expected), f"UMBEL_CANVAS_SEED={seed} {piece.sig!r}"


def test_the_model_tells_values_apart() -> None:
    assert len({digest(each) for each in (None, 1, [1], [[1]], [1, 2], [2, 1], [], [[]])}) == 8
