"""Steps of a user's in a worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from umbel import Umbel
from umbel.errors import ImproperlyConfigured
from umbel.testing.waiting import patience, until
from umbel.worker.steps import in_order
from umbel.worker.worker import Worker


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Umbel]:
    with Umbel(request.node.name, broker=f"memory://{request.node.name}") as app:
        yield app


def run(app: Umbel, **options: Any) -> tuple[Worker, threading.Thread]:
    worker = Worker(app, hostname="w@h", pool="solo", heartbeat=None, **options)
    thread = threading.Thread(target=worker.run)
    thread.start()
    return worker, thread


def noting(notes: list[str], called: str, *, requires: Any = ()) -> Any:
    """A class of steps that notes what is done to it."""
    needed = requires

    class Noting:
        name = called
        requires = needed

        def __init__(self, worker: Worker, **options: Any):
            notes.append(f"{called} made {options}")

        def start(self, worker: Worker) -> None:
            notes.append(f"{called} started for {worker.hostname}")

        def stop(self, worker: Worker) -> None:
            notes.append(f"{called} stopped")

    return Noting


def test_steps_are_made_started_and_stopped_in_order(app: Umbel) -> None:
    notes: list[str] = []
    a = noting(notes, "a", requires=["b"])
    b = noting(notes, "b", requires="celery.worker.components:Timer")
    app.steps["worker"].update([a, b])
    app.steps["consumer"].add(noting(notes, "c"))
    ready = threading.Event()
    worker, thread = run(app, options={"verbose": 1}, ready=lambda _: (notes.append("ready"), ready.set()))
    assert ready.wait(patience())
    worker.stop()
    thread.join(patience())
    made = [f"{name} made {{'verbose': 1}}" for name in ("b", "a", "c")]
    started = [f"{name} started for w@h" for name in ("b", "a", "c")]
    assert notes == [*made, *started, "ready", "c stopped", "a stopped", "b stopped"]
    assert worker.exitcode == 0


def test_a_step_need_not_have_any_method_and_may_say_that_it_is_not_wanted(app: Umbel) -> None:
    notes: list[str] = []

    class Bare:
        def __init__(self, worker: Worker):
            notes.append("made")

    class Unwanted(noting(notes, "unwanted")):  # type: ignore[misc]
        def include(self, worker: Worker) -> bool:
            return False

    app.steps["worker"].update([Bare, Unwanted])
    _, thread = run(app, ready=lambda worker: worker.stop())
    thread.join(patience())
    assert sorted(notes) == ["made", "unwanted made {}"]


def test_a_worker_without_one_of_its_steps_stops(app: Umbel, caplog: pytest.LogCaptureFixture) -> None:
    notes: list[str] = []

    class Broken(noting(notes, "broken")):  # type: ignore[misc]
        def start(self, worker: Worker) -> None:
            raise OSError("no such port")

        def stop(self, worker: Worker) -> None:
            raise OSError("still none")

    app.steps["worker"].update([noting(notes, "a"), Broken])
    worker, thread = run(app)
    thread.join(patience())
    assert (worker.exitcode, notes[-1]) == (1, "a stopped")
    assert "The step broken cannot start" in caplog.text
    assert "stop of the step broken has failed" in caplog.text


def test_a_service_can_be_added_as_the_workers_own_are(app: Umbel) -> None:
    seen: list[str] = []

    async def beat() -> None:
        while True:
            seen.append("beat")
            if len(seen) == 2:
                raise ValueError("a service that fails begins anew")
            await asyncio.sleep(0.01)

    class Adds:
        def __init__(self, worker: Worker):
            worker.services.append(beat)

    app.steps["worker"].add(Adds)
    worker, thread = run(app)
    until(lambda: len(seen) > 4)
    worker.stop()
    thread.join(patience())
    assert not thread.is_alive()


def test_steps_that_require_each_other_in_a_circle_are_refused() -> None:
    notes: list[str] = []
    a, b = noting(notes, "a", requires=("b",)), noting(notes, "b", requires=("a",))
    with pytest.raises(ImproperlyConfigured, match="these steps require each other in a circle: a, b"):
        in_order([a, b])


def test_steps_may_be_required_by_class_path_or_name(app: Umbel) -> None:
    notes: list[str] = []
    first = noting(notes, "z")
    path = f"{first.__module__}:{first.__name__}"
    orders: list[Callable[[], Any]] = [lambda: first, lambda: path, lambda: "z"]
    for wanted in orders:
        assert [step.name for step in in_order([noting(notes, "a", requires=(wanted(),)), first])] == ["z", "a"]
