"""Result backends that take values, with Celery's methods, as stores of umbel's."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from umbel import Umbel, states
from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.by_value import ByValue
from umbel.stores.join import Arrival
from umbel.stores.url import open_backend
from umbel.testing.joining import Joining
from umbel.testing.waiting import patience
from umbel.wire import result
from umbel.wire.encoding import accept_types
from umbel.worker.worker import Worker

JSON = accept_types(["json"])


class Shelf:
    """Somebody's result backend."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.calls: list[Any] = []
        self.fails: Exception | None = None

    def store_result(self, task_id, result, state, traceback=None, request=None, **kwargs):
        if self.fails:
            raise self.fails
        self.calls.append((task_id, result, state, traceback, request))
        self.rows[task_id] = {"task_id": task_id, "status": state, "result": result, "traceback": traceback}

    def get_task_meta(self, task_id):
        return self.rows.get(task_id, {"status": "PENDING", "result": None})

    def exception_safe_to_retry(self, error):
        return isinstance(error, LookupError)


class Tidy(Shelf):
    """One that can do more."""

    subpolling_interval = 0.01

    def forget(self, task_id):
        self.rows.pop(task_id, None)

    def cleanup(self):
        self.calls.append("cleanup")

    def process_cleanup(self):
        self.calls.append("process_cleanup")


def test_it_is_given_values_exceptions_and_what_is_known_of_the_call() -> None:
    shelf = Shelf()
    store = ByValue(shelf, "shelf://")
    facts = {"name": "proj.add", "args": [2, 3], "worker": "w@h", "queue": "mail", "retries": 1, "periodic_task_name": "daily"}
    store.store(
        [
            result.encode(
                "a", states.SUCCESS, {"sum": 5}, extra=facts, group_id="g", parent_id="p", children=[[["c", "a"], None]]
            ),
            result.encode("b", states.FAILURE, ValueError("no"), traceback="Traceback …"),
        ]
    )
    (id, value, state, traceback, call), (_, error, _, text, bare) = shelf.calls
    assert (id, value, state, traceback) == ("a", {"sum": 5}, "SUCCESS", None)
    assert (call.id, call.task, call.args, call.hostname, call.retries) == ("a", "proj.add", [2, 3], "w@h", 1)
    assert (call.group, call.parent_id, call.periodic_task_name, call.children) == ("g", "p", "daily", [[["c", "a"], None]])
    assert call.delivery_info == {"routing_key": "mail"}
    assert isinstance(error, ValueError)
    assert (error.args, text, bare.task, bare.get("chord"), bare.get("color", 1)) == (("no",), "Traceback …", None, None, 1)


def test_what_it_has_comes_back_as_documents() -> None:
    store = ByValue(Tidy(), "shelf://")
    store.store([result.encode("a", states.SUCCESS, 5), result.encode("b", states.FAILURE, KeyError("k"), traceback="here")])
    found = store.fetch(["a", "b", "c"])
    assert sorted(found) == ["a", "b"]
    assert result.decode(found["a"], JSON).result == 5
    failed = result.decode(found["b"], JSON)
    assert (failed.status, type(failed.result), failed.traceback) == ("FAILURE", KeyError, "here")
    store.forget(["a"])
    assert sorted(store.fetch(["a", "b"])) == ["b"]


def test_a_success_stays_and_a_start_replaces_no_end() -> None:
    store = ByValue(Shelf(), "shelf://")
    for state in (states.STARTED, states.FAILURE, states.STARTED, states.SUCCESS, states.FAILURE):
        store.store([result.encode("a", state, ValueError() if state == states.FAILURE else 1)])
    assert store.fetch(["a"])["a"].state == states.SUCCESS


def test_a_wait_ends_with_the_first_result_with_its_time_or_with_the_store() -> None:
    store = ByValue(Tidy(), "shelf://")
    assert store.wait(["a"], 0.02) == {}
    store.store([result.encode("a", states.STARTED, 1)])
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(store.wait(["a", "b"], patience())))
    waiting.start()
    store.store([result.encode("b", states.SUCCESS, 1)])
    waiting.join(patience())
    assert [list(each) for each in found] == [["b"]]
    closing = threading.Thread(target=lambda: found.append(store.wait(["a"], patience())))
    closing.start()
    store.close()
    store.close()
    closing.join(patience())
    assert found[1] == {}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (LookupError("busy"), BrokerDown),
        (ConnectionResetError(), BrokerDown),
        (TypeError("no"), BrokerRefused),
        (sqlite3.OperationalError("database is locked"), BrokerDown),
        (sqlite3.InterfaceError("connection already closed"), BrokerDown),
        (sqlite3.IntegrityError("NOT NULL constraint failed"), BrokerRefused),
        (sqlite3.OperationalError(2006, "MySQL server has gone away"), BrokerDown),
        (sqlite3.OperationalError(1213, "Deadlock found when trying to get lock"), BrokerDown),
        (sqlite3.OperationalError(1366, "Incorrect string value"), BrokerRefused),
    ],
)
def test_its_errors_are_tried_again_if_it_says_so(error: Exception, kind: type[Exception]) -> None:
    shelf = Shelf()
    shelf.fails = error
    renewed: list[int] = []
    with pytest.raises(kind, match="shelf://") as told:
        ByValue(shelf, "shelf://", renew=lambda: renewed.append(1)).store([result.encode("a", states.SUCCESS, 1)])
    assert told.value.__cause__ is error
    assert bool(renewed) is (kind is BrokerDown)


def test_what_it_cannot_do_is_told_or_needs_nothing() -> None:
    store = ByValue(Shelf(), "shelf://")
    store.forget(["a"])
    assert store.sweep() == 0
    assert store.arrive([]) == []
    for refused in (lambda: store.expect("c", 1), lambda: store.arrive([Arrival("c", "a", 0, b"")]), lambda: store.group("g")):
        with pytest.raises(BrokerRefused, match="shelf:// does not count the parts of chords, or keep groups"):
            refused()
    store.close()
    tidy = Tidy()
    store = ByValue(tidy, "shelf://")
    store.sweep()
    store.close()
    assert tidy.calls == ["cleanup", "process_cleanup"]


class TestJoinsOfAnother(Joining):
    """Chords are counted where it was told to."""

    @pytest.fixture
    def another(self, tmp_path):
        opened: list[ByValue] = []

        def open_one(expires: float | None = 60.0) -> ByValue:
            joins = partial(open_backend, f"sqlite:///{tmp_path}/joins.db", expires=expires)
            opened.append(ByValue(Shelf(), "shelf://", joins=joins))
            return opened[-1]

        yield open_one
        for store in opened:
            store.close()


class Shelved(Umbel):
    """An app whose results are on a shelf."""

    shelf: Shelf

    def open_result_store(self):
        return ByValue(self.shelf, "shelf://")

    @property
    def backend(self):
        return self.shelf


@contextmanager
def working(app: Umbel, pool: str) -> Iterator[None]:
    worker = Worker(app, hostname="w@h", pool=pool, concurrency=4)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(patience())
    assert not thread.is_alive()


def test_an_app_may_have_one_for_its_store(tmp_path) -> None:
    app = Shelved("shelved", broker="memory://by_value")
    app.shelf = shelf = Tidy()

    @app.task(name="add")
    def add(x, y):
        return x + y

    sent = add.delay(2, 3)
    assert app.backend is shelf
    with working(app, "solo"):
        assert sent.get(timeout=patience()) == 5
    ((_, _, _, _, call),) = shelf.calls
    assert (call.task, call.args, call.hostname) == ("add", [2, 3], "w@h")


@pytest.mark.parametrize("pool", ["solo", "threads", "asyncio"])
def test_that_a_task_has_started_is_told_before_what_it_tells_itself(pool: str) -> None:
    app = Shelved("shelved", broker=f"memory://by_value_{pool}")
    app.shelf = shelf = Tidy()

    @app.task(bind=True, track_started=True)
    def plain(self):
        self.update_state(state="PROGRESS", meta={"at": 1})

    @app.task(bind=True, track_started=True)
    async def waiting(self):
        self.update_state(state="PROGRESS", meta={"at": 1})

    @app.task(track_started=True, ignore_result=True)
    def quiet():
        pass

    quiet.delay()
    sent = [task.delay() for _ in range(10) for task in (plain, waiting)]
    with working(app, pool):
        for result_ in sent:
            result_.get(timeout=patience())
    told: dict[str, list[str]] = {}
    for id, _, state, *_ in (call for call in shelf.calls if isinstance(call, tuple)):
        told.setdefault(id, []).append(state)
    assert told == {result_.id: ["STARTED", "PROGRESS", "SUCCESS"] for result_ in sent}


def test_a_task_runs_though_nobody_can_be_told_that_it_starts(caplog) -> None:
    app = Shelved("shelved", broker="memory://by_value_fails")

    class Picky(Tidy):
        def store_result(self, task_id, result, state, traceback=None, request=None, **kwargs):
            if state == states.STARTED:
                raise ValueError("not that one")
            super().store_result(task_id, result, state, traceback, request, **kwargs)

    app.shelf = Picky()

    @app.task(track_started=True)
    def one():
        return 1

    sent = one.delay()
    with working(app, "solo"):
        assert sent.get(timeout=patience()) == 1
    assert "has started could not be told" in caplog.text
    assert "shelf://: ValueError: not that one" in caplog.text
