"""How far a task is."""

from __future__ import annotations

import pytest

from umbel import progress, states
from umbel.client.results import progress as telling
from umbel.client.results.progress import Progress
from umbel.errors import BrokerDown
from umbel.wire import result as wire


def store(app, id_, state, value):
    app.backend.store([wire.encode(id_, state, value)])


@pytest.fixture
def seen(app, monkeypatch):
    """What was told on the way."""
    told = []
    store = app.backend.store
    monkeypatch.setattr(app.backend, "store", lambda results: (told.extend(results), store(results)))
    return told


@pytest.mark.usefixtures("work")
def test_a_task_tells_how_far_it_is(app, work):
    states_ = []

    @app.task(bind=True)
    def steps(self):
        result = app.AsyncResult(self.request.id)
        for turn in (1, 2):
            progress(turn, 2, f"turn {turn}")
            states_.append((result.state, result.info, result.progress))
        return "done"

    result = steps.delay()
    assert result.progress is None
    work()
    assert states_[0] == ("PROGRESS", {"current": 1, "total": 2, "description": "turn 1"}, Progress(1, 2, "turn 1"))
    assert states_[1][2] == Progress(2, 2, "turn 2")
    assert (result.get(), result.progress) == ("done", Progress(1, 1))


def test_a_loop_may_tell_in_every_turn(app, work, seen, monkeypatch):
    monkeypatch.setattr(telling, "SHARE", 1e9)

    @app.task
    def loop():
        for turn in range(1000):
            progress(turn + 1, 1000)

    loop.delay()
    loop.delay()
    work()
    assert [wire.decode(found, frozenset({"application/json"})).result["current"] for found in seen] == [1, 1000] * 2


def test_without_a_total_it_still_tells(app, work, seen):
    @app.task
    def loop():
        progress(5)

    loop.delay()
    work()
    told = telling.told_by(wire.decode(seen[0], frozenset({"application/json"})))
    assert (told, told.fraction, str(told)) == (Progress(5, None), None, "5")


def test_outside_a_run_it_does_nothing(app, seen):
    @app.task
    def alone():
        progress(1, 2)
        return 5

    progress(1, 2)
    assert alone() == 5
    assert alone.apply().get() == 5
    assert seen == []


def test_a_store_that_is_away_is_no_error(app, work, monkeypatch):
    @app.task
    def told():
        progress(1, 2)
        return 5

    def down(results):
        raise BrokerDown("gone")

    result = told.delay()
    with monkeypatch.context() as patch:
        patch.setattr(app.backend, "store", down)
        work()
    assert result.get() == 5


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        ({"current": 3, "total": 10}, Progress(3, 10)),
        ({"done": 3, "total": 10, "description": "x"}, Progress(3, 10, "x")),
        ({"percent": 30.5}, Progress(30.5, 100)),
        ({"pct": 50}, Progress(50, 100)),
        ({"current": "3"}, None),
        ({"current": True}, None),
        ("30 %", None),
        (None, None),
    ],
)
def test_the_usual_words_are_understood(app, meta, found):
    store(app, "x", "PROGRESS", meta)
    assert app.AsyncResult("x").progress == found
    store(app, "y", states.STARTED, {"current": 1, "pid": 5})
    assert app.AsyncResult("y").progress is None


def test_a_group_tells_how_many_have_ended(app):
    inner = app.GroupResult("inner", [app.AsyncResult("b"), app.AsyncResult("c")])
    group = app.GroupResult("g", [app.AsyncResult("a"), inner])
    store(app, "b", states.SUCCESS, 1)
    store(app, "a", states.FAILURE, ValueError("x"))
    store(app, "c", "PROGRESS", {"current": 1, "total": 2})
    assert group.progress == Progress(2, 3)
    assert str(group.progress) == "2 of 3 (67%)"
    assert [part.id for part in group.missing()] == ["c"]
