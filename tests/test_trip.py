"""How far a call travels: its functions and files are counted, since a long way grows unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.profiled import profiled

from umbel import Umbel
from umbel.execution.outcome import Job
from umbel.follow.executor import make_executor
from umbel.testing.waiting import patience
from umbel.wire import protocol
from umbel.wire.message import Headers, Message
from umbel.wire.result import encode


def trip(call: Callable[[], object]) -> set[tuple[str, str]]:
    """Umbel's own functions that `call` enters in this thread, each as (file, name)."""
    entered: set[tuple[str, str]] = set()

    def look(frame: Any, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and frame.f_globals.get("__name__", "").partition(".")[0] == "umbel":
            entered.add((code.co_filename, code.co_qualname))

    with profiled(look):
        call()
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
        "AsyncResult.__init__",
        "Outbox.send",
        "Task.apply_async",
        "Task.delay",
    ]


def test_a_thousand_calls_enter_no_more_functions_than_a_few(add):
    add.delay_many([(1, 2)])
    few, many = trip(lambda: add.delay_many([(1, 2)] * 2)), trip(lambda: add.delay_many([(1, 2)] * 1_000))
    assert many <= few


def test_a_delay_without_the_store_is_seven_functions_in_five_files(add):
    entered = {step for step in trip(lambda: add.delay(2, 3)) if "/umbel/stores/" not in step[0]}
    assert (len(entered), len({file for file, _ in entered})) == (7, 5)


def test_reading_a_result_without_the_store_is_six_functions_in_three_files(add):
    def stored():
        result = add.delay(2, 3)
        add.app.backend.store([encode(result.id, "SUCCESS", 5)])
        return result

    seconds = patience()
    stored().get(timeout=seconds)
    result = stored()
    entered = {step for step in trip(lambda: result.get(timeout=seconds)) if "/umbel/stores/" not in step[0]}
    assert sorted(name for _, name in entered) == [
        "AsyncResult._read",
        "AsyncResult._wait",
        "AsyncResult.get",
        "Umbel.reading",
        "assert_will_not_block",
        "decode",
    ]
    assert len({file for file, _ in entered}) == 3


def test_a_plain_run_is_seven_functions_in_four_files(add):
    executor = make_executor(add.app.tasks, hostname="w@h", accept=frozenset({"application/json"}))
    call = Message(Headers(task=add.name, id="i", ignore_result=False), (2, 3))  # as every client writes it
    job = Job(1, add.name, protocol.encode(call, queue="celery"))
    assert executor.run(job).text == "5"
    entered = trip(lambda: executor.run(job))
    assert sorted(name for _, name in entered) == [
        "Executor._open",
        "Executor._plain",
        "Executor.perform",
        "Executor.run",
        "brief",
        "decode",
        "encode",
    ]
    assert len({file for file, _ in entered}) == 4
