"""A worker in a thread of a program that does other things, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from umbel import Umbel, signals
from umbel.testing.waiting import patience, until
from umbel.worker.worker import Worker


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Umbel]:
    """An app of this test alone."""
    with Umbel(request.node.name, broker=f"memory://{request.node.name}") as app:

        @app.task(name="double")
        def double(x: int) -> int:
            return 2 * x

        yield app


@pytest.fixture
def begin(app: Umbel) -> Iterator[Callable[[], tuple[Worker, threading.Thread]]]:
    """Starts a worker in a thread, and waits until it is ready; at the end all have stopped."""
    begun: list[tuple[Worker, threading.Thread]] = []

    def start() -> tuple[Worker, threading.Thread]:
        ready = threading.Event()
        worker = Worker(app, hostname="w@h", pool="solo", ready=lambda _: ready.set())
        thread = threading.Thread(target=worker.run)
        thread.start()
        begun.append((worker, thread))
        assert ready.wait(patience())
        return begun[-1]

    yield start
    for worker, thread in begun:
        worker.stop()
        thread.join(patience())
        assert not thread.is_alive()


def test_a_worker_in_a_thread_runs_tasks_until_another_thread_stops_it(app: Umbel, begin) -> None:
    for number in (1, 2):  # and so again and again, in one program
        worker, thread = begin()
        assert app.tasks["double"].delay(number).get(timeout=patience()) == 2 * number
        worker.stop()
        thread.join(patience())
        assert not thread.is_alive()
        assert worker.exitcode == 0


def test_settings_and_queues_may_be_changed_while_it_is_set_up(app: Umbel) -> None:
    def settings(conf: Any, **_: Any) -> None:
        conf.update(worker_concurrency=3, worker_prefetch_multiplier=7, task_default_queue="mail")

    def queue(sender: str, instance: Worker, **_: Any) -> None:
        instance.queues.append(f"{sender}.own")

    signals.celeryd_init.connect(settings)
    signals.celeryd_after_setup.connect(queue)
    try:
        worker = Worker(app, hostname="w@h", pool="threads")
    finally:
        signals.celeryd_init.disconnect(settings)
        signals.celeryd_after_setup.disconnect(queue)
    assert (worker.concurrency, worker.queues) == (3, ["mail", "w@h.own"])


def test_a_worker_in_a_thread_touches_no_signals(begin) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    begin()
    assert [signal.getsignal(number) for number in numbers] == before


def test_what_others_use_is_left_open_by_a_worker_in_a_thread(app: Umbel, begin) -> None:
    worker, thread = begin()
    broker, backend = app.broker, app.result_store
    worker.stop()
    thread.join(patience())
    sent = app.tasks["double"].delay(4)
    assert (app.broker, app.result_store) == (broker, backend)
    begin()
    assert sent.get(timeout=patience()) == 8


def test_a_worker_that_was_stopped_before_it_runs_ends_at_once(app: Umbel) -> None:
    worker = Worker(app, hostname="w@h", pool="solo")
    worker.stop("cold")
    thread = threading.Thread(target=worker.run)
    thread.start()
    thread.join(patience())
    assert not thread.is_alive()
    assert worker.exitcode == 1
    worker.stop()  # and afterwards that is nothing


def test_threads_that_write_outcomes_tell_when_they_have(app: Umbel, begin) -> None:
    heard: list[str] = []

    def done(**_: object) -> None:
        heard.append(threading.current_thread().name)

    signals.worker_batch_done.connect(done)
    try:
        begin()
        assert app.tasks["double"].delay(1).get(timeout=patience()) == 2
        until(lambda: heard)  # it is told when all is written, and a result is there a little earlier
    finally:
        signals.worker_batch_done.disconnect(done)
    assert {name.partition("_")[0] for name in heard} == {"umbel-settle"}


def test_worker_process_init_is_sent_where_tasks_run_in_the_worker_itself(app: Umbel) -> None:
    told: list[str] = []

    def note(sender: str, **_: Any) -> None:
        told.append(sender)

    signals.worker_process_init.connect(note)
    for number, pool in enumerate(("threads", "asyncio", "solo")):
        Worker(app, hostname=f"w{number}@h", pool=pool)
    assert told == ["w2@h"]
