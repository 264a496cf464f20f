"""What happens in and around runs, to the letter of Celery: in a real worker, in threads of this process."""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import threading
from typing import Any

import pytest
from tests.worker.serving import serving

from umbel import Task, Umbel, current_app, signals
from umbel.client.current import Proxy
from umbel.errors import ImproperlyConfigured, MaxRetriesExceededError, Reject
from umbel.testing.waiting import patience, until


@pytest.fixture
def app():
    with Umbel("letter", broker="memory://letter") as made:
        yield made


def gets(result: Any) -> Any:
    return result.get(timeout=patience())


# -- which app


def with_tasks(app: Umbel) -> Umbel:
    for function in (where, send, asend):
        app.task(name=function.__name__)(function)
    return app


def where():
    return current_app.main


def send():
    return current_app.tasks["where"].delay().id


async def asend():
    await asyncio.sleep(0)
    return current_app.tasks["where"].delay().id


@pytest.mark.parametrize("pool", ["threads", "solo", "asyncio"])
def test_two_apps_of_one_process_have_workers_of_their_own(pool: str) -> None:
    with (
        with_tasks(Umbel("one", broker="memory://one")) as one,
        with_tasks(Umbel("two", broker="memory://two")) as two,
        serving(one, hostname="one@test", pool=pool),
        serving(two, hostname="two@test", pool=pool),
    ):
        for app in (one, two, one):
            assert gets(app.send_task("where")) == app.main
            for name in ("send", "asend"):
                inner = gets(app.send_task(name))
                assert gets(app.AsyncResult(inner)) == app.main


# -- how runs end


def test_what_is_rejected_to_be_requeued_goes_behind_the_others_and_does_not_spin(app: Umbel) -> None:
    ran: list[tuple[str, bool]] = []
    enough = threading.Event()

    @app.task(bind=True, name="picky")
    def picky(self):
        ran.append(("picky", self.request.delivery_info["redelivered"]))
        raise Reject("not now", requeue=not enough.is_set())

    @app.task(name="other")
    def other(number):
        ran.append((str(number), False))

    picky.delay()
    for number in range(20):
        other.delay(number)
    with serving(app, pool="solo"):
        until(lambda: len([name for name, _ in ran if name == "picky"]) >= 5)
        enough.set()
        until(lambda: len(app.broker.buried()) == 1)
    assert [name for name, _ in ran[1:11]] == [str(number) for number in range(10)]
    assert [redelivered for name, redelivered in ran if name == "picky"][:3] == [False, True, True]
    assert len(ran) < 40


def test_hooks_and_receivers_read_the_result_as_if_it_was_there(app: Umbel) -> None:
    told: list[tuple[str, str, Any]] = []

    def look(what: str, id: str) -> None:
        found = app.AsyncResult(id)
        told.append((what, found.state, repr(found.result)))

    class Looking(Task):
        def before_start(self, task_id, args, kwargs):
            look("before", task_id)

        def on_success(self, retval, task_id, args, kwargs):
            look("success", task_id)

        def on_failure(self, exc, task_id, args, kwargs, einfo):
            look("failure", task_id)

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            look("retry", task_id)

        def after_return(self, status, retval, task_id, args, kwargs, einfo):
            look("after", task_id)

    @signals.task_postrun.connect
    def postrun(task_id, **_):
        look("postrun", task_id)

    @app.task(base=Looking, name="well")
    def well():
        return 1

    @app.task(base=Looking, name="badly", bind=True, max_retries=1, default_retry_delay=0)
    def badly(self):
        raise self.retry(exc=ValueError("x"))

    with serving(app):
        gets(well.delay())
        assert told == [(each, *end) for each, end in zip(
            ("before", "success", "after", "postrun"), [("PENDING", "None"), *[("SUCCESS", "1")] * 3], strict=True
        )]  # fmt: skip
        told.clear()
        with pytest.raises(ValueError, match="x"):
            gets(badly.delay())
        error = repr(ValueError("x"))
        assert told == [
            ("before", "PENDING", "None"),
            ("retry", "RETRY", error),
            ("postrun", "RETRY", error),
            ("before", "RETRY", error),
            ("failure", "FAILURE", error),
            ("after", "FAILURE", error),
            ("postrun", "FAILURE", error),
        ]
    signals.task_postrun.disconnect(postrun)


def test_what_a_call_returns_decides_whether_it_is_awaited(app: Umbel) -> None:
    ran = []

    async def add(x, y):
        await asyncio.sleep(0)
        ran.append((x, y))
        return x + y

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    app.task(logged(add), name="decorated")
    app.task(name="lambda", typing=False)(lambda x, y: add(x, y))
    app.task(name="unwanted", ignore_result=True)(lambda: add(5, 5))

    @app.task(name="generates")
    def generates():
        yield 1

    @app.task(name="generates.unwanted", ignore_result=True, store_errors_even_if_ignored=True)
    def generates_unwanted():
        yield 1

    @app.task(name="agenerates")
    async def agenerates():
        yield 1

    with serving(app):
        assert gets(app.send_task("decorated", (1, 2))) == 3
        assert gets(app.send_task("lambda", (2, 2))) == 4
        app.send_task("unwanted")
        until(lambda: (5, 5) in ran)
        for name in ("generates", "agenerates"):
            with pytest.raises(TypeError, match=f"{name} returned a generator, whose code has not run"):
                gets(app.send_task(name))
        result = app.send_task("generates.unwanted", ignore_result=None)
        until(lambda: app.AsyncResult(result.id).state == "FAILURE")
    assert app.tasks["decorated"].apply((1, 2)).get() == 3


@pytest.mark.parametrize("pool", ["threads", "asyncio"])
def test_a_cancelled_error_from_inside_is_the_failure_of_its_task(app: Umbel, pool: str) -> None:
    @app.task(name="plain")
    def plain():
        raise asyncio.CancelledError("mine")

    @app.task(name="within")
    async def within():
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel("mine")
        await inner

    with serving(app, pool=pool):
        for task in (plain, within):
            found = app.AsyncResult(task.delay().id)
            until(found.ready)
            assert (found.state, type(found.result).__name__) == ("FAILURE", "CancelledError")


# -- what tasks and signals have


def test_tasks_have_what_celerys_have(app: Umbel) -> None:
    @app.task(bind=True, name="add")
    def add(self, x):
        return self.request.id, self.request.called_directly, x

    assert add.MaxRetriesExceededError is MaxRetriesExceededError
    assert add.backend is app.backend
    add.push_request(id="mine", args=(1,))
    assert (add.request.id, add.request_stack.top.args, len(add.request_stack)) == ("mine", (1,), 1)
    assert add.run(5) == ("mine", False, 5)
    assert add.pop_request().id == "mine"
    assert add.request.id is None


def test_the_request_of_signals_has_what_celerys_has(app: Umbel) -> None:
    found: dict[str, Any] = {}

    @signals.task_received.connect
    def received(sender, request, **_):
        found.update(
            {name: getattr(request, name) for name in (
                "id", "task_id", "name", "task_name", "type", "args", "kwargs", "argsrepr", "kwargsrepr", "root_id", "parent_id",
                "eta", "expires", "time_limits", "delivery_info", "correlation_id", "reply_to", "group", "acknowledged",
                "content_type", "app", "task", "body", "store_errors", "utc", "errbacks", "chord",
            )}, info=request.info(), human=request.humaninfo(),
        )  # fmt: skip

    add = app.task(lambda x, y: x + y, name="add")
    with serving(app):
        result = add.apply_async((1,), {"y": 2}, time_limit=9, expires=60)
        gets(result)
    signals.task_received.disconnect(received)
    assert (found["id"], found["type"], found["args"], found["kwargs"]) == (result.id, "add", [1], {"y": 2})
    assert found["root_id"] == found["correlation_id"] == result.id
    assert (found["time_limits"], found["argsrepr"], found["eta"]) == ((9, None), "(1,)", None)
    assert found["expires"].tzinfo is not None
    assert found["human"] == f"add[{result.id}]"
    assert found["info"]["delivery_info"]["routing_key"] == "celery"
    assert found["app"] is app


def test_broadcasts_are_refused(app: Umbel) -> None:
    class Exchange:
        name, type = "all", "fanout"

    class Broadcast:
        name, exchange, routing_key = "all", Exchange(), ""

    for queues in ([Broadcast()], {"all": {"exchange": "all", "exchange_type": "fanout"}}):
        app.conf.task_queues = queues
        with pytest.raises(ImproperlyConfigured, match="queue 'all' is a broadcast"):
            app.send_task("add")
        with pytest.raises(ImproperlyConfigured, match="queue 'all' is a broadcast"), serving(app):
            pass


def test_proxies_copy_and_pickle(app: Umbel) -> None:
    app.task(name="add")(where)
    task = Proxy(lambda: app.tasks["add"])
    assert copy.copy(task) is task
    assert copy.deepcopy({"task": task})["task"] is task
    assert pickle.loads(pickle.dumps(task)).name == "add"
    assert copy.copy(current_app) is current_app
