"""How far a call travels: its functions and files are counted, since a long way grows unseen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from umbel import Umbel


def trip(call: Callable[[], object]) -> set[tuple[str, str]]:
    """Umbel's own functions that `call` enters in this thread, each as (file, name)."""
    entered: set[tuple[str, str]] = set()

    def look(frame: Any, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and frame.f_globals.get("__name__", "").partition(".")[0] == "umbel":
            entered.add((code.co_filename, code.co_qualname))

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


@pytest.fixture
def add(tmp_path):
    with Umbel("trip", broker=f"sqlite:///{tmp_path}/trip.db", set_as_current=False) as app:

        @app.task
        def add(x, y):
            return x + y

        for _ in range(3):  # what happens once is not the trip
            add.delay(2, 3)
        yield add


def test_delay_goes_through_few_functions_of_the_client(add):
    entered = {step for step in trip(lambda: add.delay(2, 3)) if "/umbel/client/" in step[0]}
    assert sorted(name for _, name in entered) == [
        "Arguments.fit",
        "AsyncResult.__init__",
        "Outbox.send",
        "Task.apply_async",
        "Task.delay",
    ]


def test_a_thousand_calls_enter_no_more_functions_than_a_few(add):
    add.delay_many([(1, 2)])
    few, many = trip(lambda: add.delay_many([(1, 2)] * 2)), trip(lambda: add.delay_many([(1, 2)] * 1_000))
    assert many <= few
