"""How short the usual way through the SQLite store is: the functions of ours, and their files, that one warm message enters."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.profiled import profiled

from umbel.stores import sqlite
from umbel.stores.broker import Conclusion, Delivery
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import envelopes
from umbel.testing.waiting import patience
from umbel.wire.result import Result

ROOM = sqlite.__path__[0]


class Way:
    """What this thread enters while it walks."""

    def __init__(self) -> None:
        self.steps: set[tuple[str, str]] = set()

    def walk(self, work: Callable[[], object]) -> set[tuple[str, str]]:
        """The functions of the store that `work` enters; comprehensions are no functions."""
        before, self.steps = self.steps, set()
        try:
            with profiled(self._look):
                work()
        finally:
            walked, self.steps = self.steps, self.steps | before
        return walked

    def _look(self, frame, event, _argument) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOM) and not code.co_name.endswith(("comp>", "genexpr>")):
            self.steps.add((code.co_filename, code.co_qualname))


def assert_short(steps: set[tuple[str, str]], functions: int, files: int) -> None:
    assert len(steps) <= functions, steps
    assert len({file for file, _ in steps}) <= files, steps


@pytest.fixture
def broker(tmp_path):
    broker = open_broker(f"sqlite:///{tmp_path}/queue.db")
    broker.send(envelopes("warm"))
    broker.conclude([Conclusion(each) for each in broker.reserve(["q"], 1, 0)])
    yield broker
    broker.close()


@pytest.fixture
def backend(tmp_path, broker):
    backend = open_backend(f"sqlite:///{tmp_path}/queue.db", expires=60)
    assert broker.keeps(backend)
    yield backend
    backend.close()


def test_the_usual_way_is_short(broker, backend):
    way, held, seconds = Way(), list[Delivery](), patience()
    assert_short(way.walk(lambda: broker.send(envelopes("a"))), 4, 2)
    assert_short(way.walk(lambda: held.extend(broker.reserve(["q"], 10, 1))), 4, 3)
    done = [Conclusion(each, [Result("a", "SUCCESS", b"{}")]) for each in held]
    assert_short(way.walk(lambda: broker.conclude(done)), 4, 3)
    assert_short(way.walk(lambda: backend.wait(["a"], seconds)), 4, 2)
    timer = threading.Timer(0.02, lambda: backend.store([Result("b", "SUCCESS", b"{}")]))
    timer.start()
    assert_short(way.walk(lambda: backend.wait(["b"], seconds)), 4, 2)
    timer.join()
    assert_short(way.steps, 12, 4)
