"""Beats in threads of this process, on a store of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from umbel import Umbel, clock
from umbel.beat import Beat
from umbel.testing.waiting import patience, until


class Running:
    """A beat at work in a thread."""

    def __init__(self, app: Umbel, **options: Any):
        self.app = app
        self.beat = Beat(app, **options)
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.beat.run()
        except BaseException as error:
            self.failure = error
            raise

    def start(self) -> Running:
        self.thread.start()
        return self

    def stop(self) -> None:
        self.beat.stop()
        self.thread.join(patience())
        assert not self.thread.is_alive()
        assert self.failure is None

    def leads(self) -> Running:
        """Wait until it does."""
        until(lambda: self.beat.leads)
        return self


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Umbel]:
    """An app with one task, on a SQLite store."""
    made = Umbel("proj", broker=f"sqlite:///{tmp_path}/q.db", set_as_current=False)

    @made.task(name="add")
    def add(x: int = 0, y: int = 0) -> int:
        return x + y

    yield made
    made.close()


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the wall clock of this process by so many seconds."""
    offset, real = [0.0], time.time
    monkeypatch.setattr(clock, "now", lambda: real() + offset[0])

    def move(seconds: float) -> None:
        offset[0] += seconds

    return move


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts beats, which end with the test."""
    made: list[Running] = []

    def start(app: Umbel, **options: Any) -> Running:
        made.append(Running(app, **options))
        return made[-1].start()

    yield start
    for each in made:
        each.stop()
