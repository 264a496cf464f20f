from __future__ import annotations

import asyncio
import copy
import datetime
import pickle
import threading

import pytest

from umbel import AsyncResult, GroupResult, ImproperlyConfigured, TimeoutError, states
from umbel.client.results.eager_result import EagerResult
from umbel.client.results.result import result_from_tuple
from umbel.errors import RemoteTraceback
from umbel.testing.waiting import pace, patience, until
from umbel.wire import result as wire


@pytest.fixture
def add(app):
    @app.task
    def add(x, y):
        return x + y

    return add


@pytest.fixture
def boom(app):
    @app.task
    def boom():
        raise ValueError("no", 42)

    return boom


def store(app, id_, state, value, **more):
    app.backend.store([wire.encode(id_, state, value, **more)])


def test_a_result_waits_for_what_comes_later(app, add):
    result = add.delay(1, 2)
    threading.Timer(0.05, lambda: store(app, result.id, states.SUCCESS, 3)).start()
    assert result.get(timeout=patience()) == 3


def test_a_result_that_does_not_come_is_a_timeout(add):
    result = add.delay(1, 2)
    with pytest.raises(TimeoutError, match=f"task {result.id} did not end within 0.01 s; its state is PENDING"):
        result.get(timeout=0.01)


def test_what_the_task_raised_is_raised_here_with_the_workers_traceback(boom, work):
    result = boom.delay()
    work()
    with pytest.raises(ValueError, match="no") as caught:
        result.get(timeout=patience())
    assert caught.value.args == ("no", 42)
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "in boom" in str(caught.value.__cause__)
    with pytest.raises(ValueError, match="no"):
        result.get()
    assert caught.value.__cause__.__cause__ is None
    assert (result.state, result.failed(), result.ready(), result.successful()) == ("FAILURE", True, True, False)
    assert "Traceback" in result.traceback


def test_what_came_before_what_the_task_raised_stands_between(app, work):
    @app.task
    def wrapped():
        try:
            raise KeyError("first")
        except KeyError as first:
            raise ExceptionGroup("several", [ValueError("a"), LookupError("b")]) from first

    result = wrapped.delay()
    work()
    with pytest.raises(ExceptionGroup, match="several") as caught:
        result.get(timeout=patience())
    assert [repr(each) for each in caught.value.exceptions] == ["ValueError('a')", "LookupError('b')"]
    assert repr(caught.value.__cause__) == "KeyError('first')"
    assert "in wrapped" in str(caught.value.__cause__.__cause__)


def test_an_exception_may_be_had_as_a_value(boom, work):
    result = boom.delay()
    work()
    assert isinstance(result.get(propagate=False), ValueError)
    assert isinstance(result.result, ValueError)
    assert isinstance(result.maybe_throw(propagate=False), ValueError)
    with pytest.raises(ValueError, match="no"):
        result.maybe_throw()


def test_a_failure_that_is_no_exception_is_raised_as_one(app):
    store(app, "odd", states.FAILURE, {"any": "thing"})
    with pytest.raises(Exception, match="thing"):
        app.AsyncResult("odd").get(timeout=patience())


def test_a_callback_gets_id_and_value(add, work):
    result = add.delay(1, 2)
    work()
    seen = []
    assert result.get(callback=lambda *both: seen.append(both)) == 3
    assert result.maybe_throw(callback=lambda *both: seen.append(both)) == 3
    assert seen == [(result.id, 3)] * 2


def test_the_interval_function_is_called_while_it_waits(add):
    calls = []
    result = add.delay(1, 2)

    def tick():
        calls.append(1)
        if len(calls) == 3:
            store(result.app, result.id, states.SUCCESS, 3)

    assert result.get(timeout=patience(), interval=0.01, on_interval=tick) == 3
    assert len(calls) >= 3


def test_a_parent_that_failed_fails_what_would_follow(app, boom, work):
    parent = boom.delay()
    work()
    child = AsyncResult("never", app=app, parent=parent)
    with pytest.raises(ValueError, match="no"):
        child.get(timeout=patience())
    with pytest.raises(TimeoutError):
        child.get(timeout=0.01, follow_parents=False)


def test_everything_about_a_result_can_be_looked_at(app):
    extra = {"name": "add", "args": [1], "kwargs": {"a": 2}, "worker": "w@h", "retries": 3, "queue": "q"}
    store(app, "x", states.SUCCESS, 5, extra=extra, children=[(("child", None), None)])
    result = app.AsyncResult("x")
    assert (result.name, result.args, result.kwargs, result.worker, result.retries, result.queue) == (
        "add",
        [1],
        {"a": 2},
        "w@h",
        3,
        "q",
    )
    assert (result.status, result.info, result.task_id, result.exists()) == ("SUCCESS", 5, "x", True)
    assert isinstance(result.date_done, datetime.datetime)
    assert result.children == [AsyncResult("child")]


def test_of_an_unknown_task_nothing_is_known(app):
    result = app.AsyncResult("unknown")
    assert (result.state, result.result, result.traceback, result.children, result.date_done, result.name) == (
        "PENDING",
        *[None] * 5,
    )
    assert not result.exists()
    assert not result.ready()


def test_a_state_that_is_not_final_is_asked_for_again(app):
    result = app.AsyncResult("x")
    store(app, "x", "PROGRESS", {"done": 1})
    assert (result.state, result.info) == ("PROGRESS", {"done": 1})
    store(app, "x", "PROGRESS", {"done": 2})
    assert result.info == {"done": 2}


def test_a_final_result_is_remembered(app):
    result = app.AsyncResult("x")
    store(app, "x", states.SUCCESS, 1)
    assert result.get(timeout=patience()) == 1
    app.backend.forget(["x"])
    assert result.get(timeout=0) == 1
    result.forget()
    assert result.state == "PENDING"


def test_results_are_equal_by_id(app):
    result = AsyncResult("x", app=app)
    assert result == AsyncResult("x")
    assert result == "x"
    assert result != AsyncResult("y")
    assert result != 5
    assert hash(result) == hash(AsyncResult("x"))
    assert (str(result), repr(result)) == ("x", "<AsyncResult: x>")
    assert copy.copy(result) == pickle.loads(pickle.dumps(result)) == result


def test_a_result_becomes_a_tuple_and_back():
    result = AsyncResult("c", parent=AsyncResult("b", parent=AsyncResult("a")))
    assert result.as_tuple() == (("c", (("b", (("a", None), None)), None)), None)
    assert result.as_list() == ["c", "b", "a"]
    back = result_from_tuple(result.as_tuple())
    assert back.as_list() == ["c", "b", "a"]
    assert result_from_tuple("x").id == "x"


def test_without_a_result_store_that_is_said(make_app):
    app = make_app(backend="disabled://")

    @app.task
    def job(): ...

    result = job.delay()
    for ask in (lambda: result.get(timeout=patience()), lambda: result.state, lambda: result.forget()):
        with pytest.raises(ImproperlyConfigured, match=f"no results are kept: set result_backend .* task {result.id}"):
            ask()


def test_results_of_many_raise_the_first_failure(app, add):
    results = add.delay_many([(1, 1), (2, 2)])
    store(app, results.ids[0], states.SUCCESS, 2)
    with pytest.raises(TimeoutError, match=r"1 of 2 tasks did not end within 0.01 s"):
        results.get(timeout=0.01)
    store(app, results.ids[1], states.FAILURE, KeyError("k"))
    with pytest.raises(KeyError):
        results.get(timeout=patience())
    assert isinstance(results.get(timeout=patience(), propagate=False)[1], KeyError)
    assert repr(results) == "<Results: 2>"


def test_an_eager_result_answers_like_another():
    good, bad = EagerResult("g", 5, states.SUCCESS, name="job"), EagerResult("b", "text", states.FAILURE, traceback="tb")
    assert (good.get(), good.result, good.state, good.name, good.exists(), good.maybe_throw()) == (
        5,
        5,
        "SUCCESS",
        "job",
        True,
        5,
    )
    assert (good.children, good.date_done, repr(good), bad.traceback) == (None, None, "<EagerResult: g>", "tb")
    good.forget()
    seen = []
    good.maybe_throw(callback=lambda *both: seen.append(both))
    assert seen == [("g", 5)]
    with pytest.raises(Exception, match="text"):
        bad.get()
    assert asyncio.run(good.aget()) == 5


def test_in_a_batch_nobody_waits_for_what_is_not_sent_yet(app, add, work):
    before = add.delay(1, 1)
    work()
    with app.batch():
        assert before.get(timeout=patience()) == 2
        result = add.delay(1, 2)
        results = add.delay_many([(1, 2), (3, 4)])
        body = AsyncResult("body", app=app, parent=GroupResult("g", [result], parent=before, app=app))
        for wait in (
            result.get,
            results.get,
            body.get,
            lambda: asyncio.run(result.aget()),
            lambda: asyncio.run(results.aget()),
            lambda: GroupResult("g", [body], app=app).join(),
        ):
            with pytest.raises(RuntimeError, match=r"task .* is not sent yet: it leaves at the end of `with app.batch\(\):`"):
                wait()
    work()
    assert (result.get(timeout=patience()), results.get(timeout=patience())) == (3, [3, 7])


@pytest.fixture
def doubtful(monkeypatch):
    """Those who wait without a timeout have doubts at once."""
    from umbel.client.results import hope

    monkeypatch.setattr(hope, "FIRST_DOUBT", 0.01)
    monkeypatch.setattr("umbel.client.results.result.FIRST_DOUBT", 0.01)
    monkeypatch.setattr(hope, "NEXT_DOUBT", 0.01)


@pytest.mark.usefixtures("doubtful")
def test_nobody_waits_for_ever_for_what_is_nowhere(app, add, work):
    unknown = app.AsyncResult("unknown")
    ignored = add.apply_async((1, 2), ignore_result=True)
    work()
    lost = "nothing is known of task {}, no queue has it, and no worker holds it: there never was such a task, or it was purged"
    for wait in (unknown.get, lambda: asyncio.run(unknown.aget())):
        with pytest.raises(TimeoutError, match=lost.format("unknown")):
            wait()
    with pytest.raises(TimeoutError, match=lost.format(ignored.id)):
        app.AsyncResult(ignored.id).get()
    both = GroupResult("g", [unknown, AsyncResult("other")], app=app)
    for wait in (both.get, both.join, lambda: asyncio.run(both.aget()), lambda: list(both.iterate())):
        with pytest.raises(TimeoutError, match=r"task unknown \(and 1 others\), no queue"):
            wait()


@pytest.mark.usefixtures("doubtful")
def test_what_waits_or_runs_is_waited_for(app, add, work):
    result, seen = add.delay(1, 2), []
    with pytest.raises(StopIteration):
        result.get(interval=0.01, on_interval=lambda: next(iter([])) if len(seen) > 5 else seen.append(1))
    (held,) = app.broker.reserve(app.queues(), 1, 0.0)
    threading.Timer(0.05, store, (app, result.id, states.SUCCESS, 3)).start()
    assert result.get() == 3
    assert held


@pytest.mark.usefixtures("doubtful")
def test_where_others_may_have_taken_it_the_wait_ends_when_results_do(app, add):
    app.broker.sees_all = False
    app.conf.result_expires = 0.05
    with pytest.raises(TimeoutError, match=r"nothing is known of task unknown for 0 s, as long as results are kept"):
        app.AsyncResult("unknown").get()


# -- asyncio


def test_a_result_is_awaited_while_the_loop_goes_on(app, add):
    result = add.delay(1, 2)
    ticks = 0

    async def main():
        nonlocal ticks

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                if ticks == 6:  # there is nothing to wait for if the loop stands still
                    store(app, result.id, states.SUCCESS, 3)
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        value = await result
        ticking.cancel()
        return value, await result  # the second time it is known

    assert asyncio.run(main()) == (3, 3)
    assert ticks > 5


def test_hundreds_of_results_are_awaited_at_once(app, add):
    results = add.delay_many((i, i) for i in range(300))

    async def main():
        async def finish():
            for id_ in results.ids:
                store(app, id_, states.SUCCESS, "done")
                await asyncio.sleep(0)

        finishing = asyncio.create_task(finish())
        values = await asyncio.gather(*(result.aget(timeout=patience()) for result in results))
        await finishing
        return values

    started = pace()
    assert asyncio.run(main()) == ["done"] * 300
    assert pace() - started < 10


def test_an_awaited_result_times_out(add):
    result = add.delay(1, 2)
    with pytest.raises(TimeoutError, match=f"task {result.id} did not end within 0.02 s; its state is PENDING"):
        asyncio.run(result.aget(timeout=0.02))


def test_an_awaited_failure_is_raised(boom, work):
    result = boom.delay()
    work()
    with pytest.raises(ValueError, match="no"):
        asyncio.run(result.aget(timeout=patience()))
    assert isinstance(asyncio.run(result.aget(propagate=False)), ValueError)


def test_an_ignored_result_is_awaited_at_once(add):
    result = add.apply_async((1, 2), ignore_result=True)
    assert asyncio.run(result.aget()) is None


def test_a_task_is_sent_from_asyncio(add, work):
    async def main():
        return await add.adelay(1, y=2), await add.aapply_async((3, 4), priority=1)

    first, second = asyncio.run(main())
    work()
    assert (first.get(), second.get()) == (3, 7)


def test_a_store_that_fails_is_told_to_those_who_await(app, add, monkeypatch):
    from umbel.client.results import waiter
    from umbel.errors import BrokerDown, UmbelError

    monkeypatch.setattr(waiter, "PATIENCE", 0.01)
    result = add.delay(1, 2)
    backend = app.backend

    def down(*args):
        raise BrokerDown("gone")

    def odd(*args):
        raise OSError("odd")

    try:
        backend.wait = down
        with pytest.raises(BrokerDown, match="gone"):
            asyncio.run(result.aget(timeout=patience()))
        backend.wait = odd
        with pytest.raises(UmbelError, match="odd"):
            asyncio.run(result.aget(timeout=patience()))
    finally:
        del backend.wait


def test_a_cancelled_wait_leaves_no_trace(add):
    from umbel.client.results import waiter

    result = add.delay(1, 2)

    async def main():
        waiting = asyncio.create_task(result.aget())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return waiter._waiters[result.app.backend]

    found = asyncio.run(main())
    until(lambda: found._thread is None)
    assert found._open == {}
