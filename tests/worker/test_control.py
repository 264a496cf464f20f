"""What a worker answers, and does, when it is asked and told from afar; and that nothing that comes can hurt it."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from umbel import Umbel
from umbel.client.remote.request import may_take_for_ever, read
from umbel.errors import DecodeError, TaskRevokedError, TimeLimitExceeded
from umbel.stores.channel import Note
from umbel.testing.waiting import patience, until
from umbel.wire.envelope import Envelope
from umbel.worker.control import answers, control_command, inspect_command, panel
from umbel.worker.later import MOST
from umbel.worker.worker import Worker

Start = Callable[..., Worker]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the task `wait` waits for; opened at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def app(request: pytest.FixtureRequest, gate: threading.Event) -> Iterator[Umbel]:
    with Umbel(request.node.name, broker=f"memory://{request.node.name}", backend=f"memory://{request.node.name}") as app:

        @app.task(name="wait")
        def wait(*args: Any, **kwargs: Any) -> str:
            gate.wait(patience())
            return "waited"

        @app.task(name="add", rate_limit="100/s")
        def add(x: int, y: int) -> int:
            return x + y

        yield app


@pytest.fixture
def start(app: Umbel, gate: threading.Event) -> Iterator[Start]:
    """Starts a worker in a thread, and waits until it answers."""
    begun: list[tuple[Worker, threading.Thread]] = []

    def begin(name: str = "w1@h", pool: str = "threads", concurrency: int = 2, **options: Any) -> Worker:
        worker = Worker(app, hostname=name, pool=pool, concurrency=concurrency, **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        begun.append((worker, thread))
        if app.conf.worker_enable_remote_control:
            until(lambda: app.control.inspect([name], timeout=0.2).ping())
        return worker

    yield begin
    gate.set()
    for worker, thread in begun:
        worker.stop()
        thread.join(patience())
        assert not thread.is_alive()


def tell(app: Umbel, command: str, **arguments: Any) -> Any:
    """What one worker answers."""
    (reply,) = app.control.broadcast(command, arguments, reply=True, timeout=patience())
    (answer,) = reply.values()
    return answer


def ask(app: Umbel) -> Any:
    """To be asked with patience."""
    return app.control.inspect(timeout=patience())


def test_all_who_listen_answer_and_nobody_waits_longer_than_that(app: Umbel, start: Start) -> None:
    assert app.control.ping(timeout=patience()) == []
    assert app.control.inspect().ping() is None
    start("w1@h")
    start("w2@h")
    assert ask(app).ping() == {"w1@h": {"ok": "pong"}, "w2@h": {"ok": "pong"}}
    assert len(app.control.ping(timeout=patience(), limit=1)) == 1
    heard: list[Any] = []
    app.control.ping(timeout=patience(), callback=heard.append)
    assert {name for reply in heard for name in reply} == {"w1@h", "w2@h"}


def test_no_time_is_the_usual_time(app: Umbel, start: Start) -> None:
    start()
    until(lambda: app.control.inspect(timeout=None).ping() == {"w1@h": {"ok": "pong"}})
    until(lambda: app.control.inspect(timeout=0).ping() == {"w1@h": {"ok": "pong"}})
    until(lambda: app.control.ping(timeout=None) == [{"w1@h": {"ok": "pong"}}])


@pytest.mark.parametrize("command", ["add_consumer", "cancel_consumer"])
@pytest.mark.parametrize("queue", [None, 7, {"a": 1}, ["q"]])
def test_a_queue_is_a_name(app: Umbel, start: Start, command: str, queue: object) -> None:
    worker = start()
    before = worker.fetch.queues
    assert "the queue is to be a name, and not" in tell(app, command, queue=queue)["error"]
    assert worker.fetch.queues == before


def test_some_may_be_meant_by_their_names_or_by_a_pattern(app: Umbel, start: Start) -> None:
    for name in ("w1@h", "w2@h", "mail1@h"):
        start(name)

    def answers(**whom: Any) -> set[str]:
        return {name for reply in app.control.ping(timeout=0.3, **whom) for name in reply}

    assert answers(destination=["w2@h", "nobody@h"]) == {"w2@h"}
    assert answers(destination="w2@h,mail1@h") == {"w2@h", "mail1@h"}
    assert answers(destination=[]) == answers(limit=-1) == {"w1@h", "w2@h", "mail1@h"}  # as Celery has it
    assert answers(pattern="w?@*") == {"w1@h", "w2@h"}
    assert answers(pattern="w?@*", matcher="glob") == {"w1@h", "w2@h"}
    assert answers(pattern=r"mail\d+@", matcher="pcre") == {"mail1@h"}
    assert answers(pattern=r"\d", matcher="pcre") == set()
    with pytest.raises(ValueError, match="list of the names"):
        app.control.ping(destination=17)  # type: ignore[arg-type]


def test_what_runs_is_told_with_its_arguments_and_since_when(app: Umbel, start: Start, gate: threading.Event) -> None:
    worker, before = start(), time.time()
    running = [app.tasks["wait"].delay(number, key="x" * 3) for number in range(2)]
    until(lambda: len(ask(app).active()["w1@h"]) == 2)
    waiting = app.send_task("wait", shadow="shown", priority=3)
    active = {task["id"]: task for task in ask(app).active()["w1@h"]}
    assert active.keys() == {each.id for each in running}
    task = active[running[1].id]
    assert (task["name"], task["type"], task["args"], task["kwargs"]) == ("wait", "wait", [1], {"key": "xxx"})
    assert (task["hostname"], task["worker_pid"]) == ("w1@h", worker.pool.pids()[0])
    assert before - 1 < task["time_start"] < time.time() + 1
    assert task["delivery_info"] == {"exchange": "", "routing_key": "celery", "priority": 0, "redelivered": False}
    safe = app.control.inspect(timeout=patience()).active(safe=True)["w1@h"]
    assert {each["args"] for each in safe} == {"(0,)", "(1,)"}
    asked = ask(app).query_task(running[0].id, waiting.id, "nobody")["w1@h"]
    assert asked[running[0].id][0] == "active"
    assert "nobody" not in asked
    gate.set()
    assert waiting.get(timeout=patience()) == "waited"
    until(lambda: ask(app).active() == {"w1@h": []})
    assert ask(app).stats()["w1@h"]["total"] == {"wait": 3}


def test_it_tells_of_itself(app: Umbel, start: Start) -> None:
    worker = start()
    assert ask(app).registered() == {"w1@h": ["add [rate_limit=100/s]", "wait"]}
    assert ask(app).registered("acks_late", "serializer")["w1@h"][1].startswith("wait [acks_late=")
    stats = ask(app).stats()["w1@h"]
    assert stats.keys() == {"total", "pid", "clock", "uptime", "pool", "broker", "prefetch_count", "rusage"}
    assert (stats["pool"]["max-concurrency"], stats["pool"]["processes"]) == (2, worker.pool.pids())
    assert stats["broker"]["transport"] == "memory"
    assert len(stats["rusage"]) == 16
    (queue,) = ask(app).active_queues()["w1@h"]
    assert (queue["name"], queue["exchange"]["name"], queue["routing_key"]) == ("celery", "celery", "celery")
    assert ask(app).clock()["w1@h"]["clock"] > 0
    assert ask(app).memsample()["w1@h"].endswith("MB")
    assert "rss" in ask(app).memdump()["w1@h"]
    assert "software" in ask(app).report()["w1@h"]["ok"]
    assert ask(app).hello("other@h", {"x": 1})["w1@h"]["revoked"] == []
    assert ask(app).hello("w1@h") == {"w1@h": None}
    assert tell(app, "election", id="1", topic="t", action=None) is None
    assert tell(app, "heartbeat") is None
    assert ask(app).objgraph()["w1@h"].keys() <= {"filename", "error"}


def test_settings_are_told_without_what_is_secret(app: Umbel, start: Start) -> None:
    app.conf.update(
        security_key_password="s3cret",
        result_backend_transport_options={"socket_timeout": 3, "sentinel_kwargs": {"password": "s3cret"}},
        task_routes={"a.*": {"queue": "q", "routing_key": "k"}},
    )
    start()
    conf = ask(app).conf()["w1@h"]
    assert "s3cret" not in json.dumps(conf)
    assert conf["result_backend_transport_options"]["socket_timeout"] == 3
    assert conf["task_routes"] == {"a.*": {"queue": "q", "routing_key": "k"}}
    assert "task_serializer" not in conf
    assert ask(app).conf(with_defaults=True)["w1@h"]["task_serializer"] == "json"


def test_a_password_in_a_url_is_masked() -> None:
    from umbel.worker.control.telling import masked

    assert "pass" not in masked("broker_url", "redis://me:pass@host/0")
    assert masked("broker_url", "redis://:pass@host/0") == "redis://:********@host/0"
    assert masked("task_default_routing_key", "mail") == "mail"


def test_what_waits_for_its_rate_limit_is_scheduled_and_freed_when_the_limit_is_lifted(app: Umbel, start: Start) -> None:
    start()
    assert tell(app, "rate_limit", task_name="add", rate_limit="1/h") == {"ok": "new rate limit set successfully"}
    results = [app.tasks["add"].delay(1, number) for number in range(4)]
    until(lambda: len(ask(app).scheduled()["w1@h"]) == 3)
    first = ask(app).scheduled()["w1@h"][0]
    assert first.keys() == {"eta", "priority", "request"}
    assert first["request"]["name"] == "add"
    assert first["request"]["time_start"] is None
    assert tell(app, "query_task", ids=[first["request"]["id"]])[first["request"]["id"]][0] == "scheduled"
    assert "ok" in tell(app, "rate_limit", task_name="add", rate_limit=0)
    assert [each.get(timeout=patience()) for each in results] == [1, 2, 3, 4]
    assert tell(app, "rate_limit", task_name="add", rate_limit="often")["error"].startswith(
        "Invalid rate limit string: ValueError("
    )
    assert tell(app, "rate_limit", task_name="nothing", rate_limit="1/s") == {"error": "unknown task"}


def test_what_workers_tell_each_other_is_shown_to_nobody(app: Umbel, start: Start) -> None:
    app.conf.task_shared_with_celery = True
    worker = start()
    assert worker.fetch.queues == ("celery", "celery.joins")
    assert [queue["name"] for queue in ask(app).active_queues()["w1@h"]] == ["celery"]
    order = Envelope("id", "celery.joins", b"{}", b"[]", due=time.time() + 1000)
    app.broker.send([order])
    assert ask(app).scheduled() == {"w1@h": []}


def test_what_had_no_place_in_a_line_and_waits_in_the_store_is_freed_as_well(app: Umbel, start: Start) -> None:
    """More than the worker keeps at hand went back to the store for a minute, and for hours."""
    start()
    for limit in ("20/m", "1/h"):
        assert "ok" in tell(app, "rate_limit", task_name="add", rate_limit=limit)
        results = [app.tasks["add"].delay(1, number) for number in range(3 * MOST)]
        until(lambda: app.broker.depth(["celery"])["celery"].later > MOST)
        assert "ok" in tell(app, "rate_limit", task_name="add", rate_limit=0)
        assert [each.get(timeout=patience()) for each in results] == [1 + number for number in range(3 * MOST)]


def test_what_has_an_eta_is_scheduled(app: Umbel, start: Start) -> None:
    start()
    later = [app.tasks["add"].apply_async((1, number), countdown=1000 * (3 - number)) for number in range(3)]
    app.tasks["add"].apply_async((1, 1), countdown=1000, queue="another")
    found = ask(app).scheduled()["w1@h"]
    assert [each["request"]["id"] for each in found] == [each.id for each in reversed(later)]
    assert [each["request"]["args"] for each in found] == [[1, 2], [1, 1], [1, 0]]
    assert all(datetime.datetime.fromisoformat(each["eta"]) > datetime.datetime.now(datetime.UTC) for each in found)


def test_time_limits_count_for_what_begins_later(app: Umbel, start: Start) -> None:
    start()
    assert tell(app, "time_limit", task_name="wait", soft=None, hard=0.05) == {"ok": "time limits set successfully"}
    with pytest.raises(TimeLimitExceeded):
        app.tasks["wait"].delay().get(timeout=patience())
    assert tell(app, "time_limit", task_name="nothing", soft=1) == {"error": "unknown task"}
    assert "a number of seconds, not 'long'" in tell(app, "time_limit", task_name="wait", soft="long")["error"]
    # The messages of retries would be refused for it.
    assert "soft_time_limit = 5 is longer than" in tell(app, "time_limit", task_name="wait", soft=5, hard=1)["error"]
    assert app.tasks["wait"].time_limit == 0.05


def test_queues_are_served_and_left(app: Umbel, start: Start) -> None:
    start()
    assert tell(app, "add_consumer", queue="more") == {"ok": "add consumer more"}
    assert tell(app, "add_consumer", queue="more") == {"ok": "already consuming from 'more'"}
    assert app.tasks["add"].apply_async((1, 2), queue="more").get(timeout=patience()) == 3
    for queue in ("more", "celery"):
        assert tell(app, "cancel_consumer", queue=queue) == {"ok": f"no longer consuming from {queue}"}
    assert ask(app).active_queues() == {"w1@h": []}
    until(lambda: not app.broker.reserve(["nobody's"], 1, 0))
    paused = app.tasks["add"].delay(2, 3)
    assert app.control.add_consumer("celery", reply=True, timeout=patience()) == [{"w1@h": {"ok": "add consumer celery"}}]
    assert paused.get(timeout=patience()) == 5
    for wrong in ("", "umbel.x", None, 7):
        assert "error" in tell(app, "add_consumer", queue=wrong)


def test_the_pool_grows_and_shrinks_and_what_runs_goes_on(app: Umbel, start: Start, gate: threading.Event) -> None:
    start(concurrency=1)
    assert tell(app, "pool_grow", n=2) == {"ok": "pool will grow"}
    results = [app.tasks["wait"].delay() for _ in range(3)]
    until(lambda: len(ask(app).active()["w1@h"]) == 3)
    assert tell(app, "pool_shrink", n=2) == {"ok": "pool will shrink"}
    assert ask(app).stats()["w1@h"]["pool"]["max-concurrency"] == 1
    assert "error" in tell(app, "pool_shrink")
    for wrong in (0, -1, 1.5, float("inf"), True, None, [], "x", 1 << 40):
        assert "is no whole number from 1 to 10000" in tell(app, "pool_grow", n=wrong)["error"]
    gate.set()
    assert [each.get(timeout=patience()) for each in results] == ["waited"] * 3
    assert tell(app, "pool_restart") == {"error": "ValueError('Pool restarts not enabled')"}
    assert tell(app, "autoscale", max=3, min=1) == {"error": "ValueError('Autoscale not enabled')"}


def test_a_worker_that_scales_by_itself_grows_while_more_waits_than_runs(app: Umbel, start: Start, gate: threading.Event) -> None:
    start(autoscale=(3, 1))
    assert ask(app).stats()["w1@h"]["pool"]["max-concurrency"] == 1
    results = [app.tasks["wait"].delay() for _ in range(4)]
    until(lambda: len(ask(app).active()["w1@h"]) == 3)
    assert ask(app).stats()["w1@h"]["autoscaler"] == {"max": 3, "min": 1, "current": 3, "qty": 3}
    assert "error" in tell(app, "pool_grow")
    assert tell(app, "autoscale", max=2, min=1) == {"ok": "autoscale now max=2 min=1"}
    assert "error" in tell(app, "autoscale", max=1, min=2)
    gate.set()
    assert [each.get(timeout=patience()) for each in results] == ["waited"] * 4


def test_revoking_is_heard_at_once_and_lasts(app: Umbel, start: Start, gate: threading.Event) -> None:
    start(concurrency=1)
    running = app.tasks["wait"].delay()
    until(lambda: ask(app).active()["w1@h"])
    behind = app.tasks["add"].delay(1, 1)
    told = app.control.revoke(behind.id, reply=True, timeout=patience())
    assert told == [{"w1@h": {"ok": f"tasks {{{behind.id!r}}} flagged as revoked"}}]
    assert tell(app, "revoke", task_id=["from afar"]) == {"ok": "tasks {'from afar'} flagged as revoked"}
    assert set(ask(app).revoked()["w1@h"]) >= {"from afar"}
    assert tell(app, "terminate", signal="SIGTERM", task_id="nobody") == {"ok": "terminate: tasks unknown"}
    assert "error" in tell(app, "terminate", signal="SIGNOTHING", task_id="nobody")
    assert tell(app, "terminate", signal="SIGTERM", task_id=running.id) == {"ok": f"terminate: {running.id}"}
    for each in (running, behind):
        with pytest.raises(TaskRevokedError):
            each.get(timeout=patience())
    later = app.tasks["add"].apply_async((1, 1), task_id="from afar")
    with pytest.raises(TaskRevokedError):
        later.get(timeout=patience())


def test_ids_are_text_uuids_or_results_and_may_be_none(app: Umbel, start: Start) -> None:
    start()
    how = {"reply": True, "timeout": patience()}
    for nothing in (None, [], ()):
        assert app.control.revoke(nothing, **how) == [{"w1@h": {"ok": "tasks set() flagged as revoked"}}]
    for wrong in (5, True, {"a": 1}, ["a", 1]):
        assert tell(app, "revoke", task_id=wrong) == {"error": "ValueError('task ids are text')"}
    assert tell(app, "revoke", task_id=None) == {"ok": "tasks set() flagged as revoked"}
    for ids in ("a", uuid.UUID(int=1), app.AsyncResult("b"), {"c"}, (each for each in ["d", uuid.UUID(int=2)])):
        app.control.revoke(ids)
    assert sorted(ask(app).revoked()["w1@h"]) == sorted(["a", str(uuid.UUID(int=1)), "b", "c", "d", str(uuid.UUID(int=2))])


@pytest.mark.parametrize("ids", [5, b"abc", {"a": 1}, ["a", 5], ["a", None], [b"a"]])
def test_what_is_no_id_is_refused_where_it_is_given(app: Umbel, ids: Any) -> None:
    with pytest.raises(TypeError, match="the id of a task is text, and not"):
        app.control.revoke(ids)
    assert app.broker.revocations(0)[1] == []


def test_tasks_are_revoked_by_their_stamps_also_by_workers_that_come_later(app: Umbel, start: Start) -> None:
    stamped = {"stamped_headers": ["order"], "order": "17"}
    assert app.control.revoke_by_stamped_headers({"order": ["17"]}) is None
    start()
    with pytest.raises(TaskRevokedError):
        app.tasks["add"].apply_async((1, 1), **stamped).get(timeout=patience())
    assert app.tasks["add"].apply_async((1, 1), **{**stamped, "order": "18"}).get(timeout=patience()) == 2
    told = tell(app, "revoke_by_stamped_headers", headers=["order=18"])
    assert told == {"ok": "headers {'order': ['18']} flagged as revoked, but not terminated"}
    with pytest.raises(TaskRevokedError):
        app.tasks["add"].apply_async((1, 1), **{**stamped, "order": "18"}).get(timeout=patience())
    assert ask(app).revoked() == {"w1@h": []}
    assert "error" in tell(app, "revoke_by_stamped_headers", headers=["nonsense"])


def test_a_shutdown_lets_finish_what_runs_and_the_worker_answers_meanwhile(
    app: Umbel, start: Start, gate: threading.Event
) -> None:
    worker = start()
    result = app.tasks["wait"].delay()
    until(lambda: ask(app).active()["w1@h"])
    assert app.control.shutdown(reply=True, timeout=0.2) == []
    app.control.shutdown()
    assert ask(app).ping() == {"w1@h": {"ok": "pong"}}
    gate.set()
    assert result.get(timeout=patience()) == "waited"
    until(lambda: app.control.ping(timeout=0.1) == [])
    assert worker.exitcode == 0


def test_commands_can_be_refused_and_remote_control_switched_off(app: Umbel, start: Start, caplog: Any) -> None:
    app.conf.worker_refused_commands = ("shutdown", "pool_grow")
    start()
    assert "refused" in tell(app, "shutdown")["error"]
    assert "refused" in tell(app, "pool_grow")["error"]
    assert ask(app).ping() == {"w1@h": {"ok": "pong"}}
    app.conf.worker_enable_remote_control = False
    start("w2@h")
    assert app.tasks["add"].delay(1, 1).get(timeout=patience()) == 2
    assert app.control.ping(timeout=0.3) == [{"w1@h": {"ok": "pong"}}]


@pytest.fixture
def own_commands() -> Iterator[None]:
    before = dict(panel.commands)

    @inspect_command(alias="dump_sum", args=[("x", int), ("y", int)], signature="<x> [y=1]")
    def sum_of(state: Any, x: int, y: int = 1) -> int:
        """Adds."""
        return x + y

    @control_command()
    async def rename(state: Any, name: str) -> dict[str, Any]:
        state.hostname = name
        return panel.ok(f"{state.app.main} {state.worker.pool.slots}")

    @inspect_command(name="strange")
    def _strange(state: Any) -> Any:
        return object()

    @control_command(name="bad")
    def _bad(state: Any) -> Any:
        raise KeyError("nothing")

    @control_command(name="leave")
    def _leave(state: Any) -> Any:
        raise SystemExit(3)

    yield
    panel.commands.clear()
    panel.commands.update(before)


@pytest.mark.usefixtures("own_commands")
def test_commands_of_ones_own(app: Umbel, start: Start) -> None:
    start()
    assert ask(app).ask("sum_of", x=1, y=2) == {"w1@h": 3}
    assert ask(app).ask("dump_sum", x=1) == {"w1@h": 2}
    assert tell(app, "rename", name="other") == {"ok": f"{app.main} 2"}
    assert "cannot be sent as json" in tell(app, "strange")["error"]
    assert tell(app, "bad") == {"error": "KeyError('nothing')"}
    assert (
        tell(app, "sum_of") == {"error": "TypeError(\"sum_of() missing 1 required positional argument: 'x'\")"}
        or "sum_of" in tell(app, "sum_of")["error"]
    )
    assert ask(app).ping() == {"w1@h": {"ok": "pong"}}
    assert "SystemExit" in tell(app, "leave")["error"]
    until(lambda: app.control.ping(timeout=0.1) == [])


class Odd(ValueError):
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.usefixtures("own_commands")
@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt(), BaseException("all"), Odd()])
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_command_raises_the_worker_goes_on_to_hear(
    app: Umbel, start: Start, error: BaseException, is_async: bool
) -> None:
    def fall(state: Any) -> Any:
        raise error

    async def fall_in_the_loop(state: Any) -> Any:
        raise error

    inspect_command(name="fall")(fall_in_the_loop if is_async else fall)
    start()
    assert type(error).__name__ in tell(app, "fall")["error"]
    assert ask(app).ping() == {"w1@h": {"ok": "pong"}}


@pytest.mark.usefixtures("own_commands")
def test_a_command_on_the_loop_may_end_the_worker_as_any_other(app: Umbel, start: Start, gate: threading.Event) -> None:
    @control_command(name="leave_later")
    async def _leave(state: Any) -> Any:
        raise SystemExit(3)

    start()
    result = app.tasks["wait"].delay()
    until(lambda: ask(app).active()["w1@h"])
    assert "SystemExit" in tell(app, "leave_later")["error"]
    gate.set()
    assert result.get(timeout=patience()) == "waited"
    until(lambda: app.control.ping(timeout=0.1) == [])


answers.load()


def test_answers_go_into_boxes_of_remote_control_alone(app: Umbel, start: Start, caplog: Any) -> None:
    start()
    body = {"method": "ping", "ticket": "t", "reply_to": {"exchange": "celery", "routing_key": "celery"}}
    with app.channel.box("celery") as box:
        body["reply_to"]["routing_key"] = box.address  # type: ignore[index]
        app.channel.publish([Note("celery.pidbox", "", json.dumps(body).encode())])
        until(lambda: "An answer is refused" in caplog.text)
        assert box.receive(0) == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "((x*)y)*", "(.*){9}", ".*.*.*.*.*.*x", r"(w)\\1", "([ab]+|c)*"])
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    assert may_take_for_ever(pattern)
    body = json.dumps({"method": "ping", "pattern": pattern, "matcher": "pcre"}).encode()
    with pytest.raises(DecodeError, match="could take for ever"):
        read(Note("", body=body), frozenset({"application/json"}))


@pytest.mark.parametrize("pattern", ["w[0-9]+@.*", "(a|b)@host", r"mail\\d+@(one|two)\\.example$", "(ab)+x?", "[(+*]+", "w.*"])
def test_patterns_as_people_write_them_are_taken(pattern: str) -> None:
    assert not may_take_for_ever(pattern)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(sorted(name for name in panel.commands if name != "shutdown"))
WORDS = (
    "n",
    "max",
    "min",
    "queue",
    "task_name",
    "rate_limit",
    "soft",
    "hard",
    "ids",
    "task_id",
    "signal",
    "terminate",
    "headers",
)
ARGUMENTS = st.dictionaries(
    st.sampled_from((*WORDS, "safe", "samples", "from_node", "revoked", "state", "with_defaults", "taskinfoitems", "max"))
    | st.text(max_size=8),
    ANYTHING.filter(lambda value: not (isinstance(value, int) and 3 < value < 20_000)),  # no thousands of threads
    max_size=4,
)
REQUESTS = st.fixed_dictionaries(
    {"method": NAMES | ANYTHING},
    optional={
        "arguments": ARGUMENTS | ANYTHING,
        "destination": st.just(["w1@h"]) | ANYTHING,
        "pattern": st.just("(") | ANYTHING,
        "matcher": st.sampled_from(["glob", "pcre"]) | ANYTHING,
        "ticket": ANYTHING,
        "reply_to": st.fixed_dictionaries({"exchange": ANYTHING, "routing_key": ANYTHING}) | ANYTHING,
    },
)
BODIES = (
    st.binary(max_size=60)
    | ANYTHING.map(lambda value: json.dumps(value).encode())
    | REQUESTS.map(lambda value: json.dumps(value).encode())
)


def test_whatever_comes_the_worker_goes_on(app: Umbel, start: Start, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    start()

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(BODIES, st.dictionaries(st.sampled_from(["clock", "expires", "umbel"]), ANYTHING), st.sampled_from(["utf-8", "x"]))
    def throw(body: bytes, headers: dict[str, Any], codec: str) -> None:
        kinds = "application/json", "application/x-python-serialize", "nonsense"
        for kind in kinds[: 1 + len(body) % 3]:
            app.channel.publish([Note("celery.pidbox", "", body, headers, kind, codec)])

    throw()
    for each in ("add_consumer", "add_consumer"):  # whatever queues it was made to leave
        tell(app, each, queue="celery")
    tell(app, "rate_limit", task_name="add", rate_limit=0)
    tell(app, "time_limit", task_name="add")
    assert app.tasks["add"].delay(1, 2).get(timeout=patience()) == 3
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    told = [each.getMessage() for each in caplog.records if each.name.endswith("worker.control")]
    assert len(told) < 300
