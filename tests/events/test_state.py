"""The picture that events draw."""

from __future__ import annotations

import gc
import pickle
import time
from typing import Any

import pytest

from umbel import clock
from umbel.events.seen import Task, heartbeat_expires
from umbel.events.state import State

NOW = 1795212706.0


@pytest.fixture(autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def event(type: str, **fields: Any) -> dict[str, Any]:
    """One as the receiver gives it."""
    told = {"hostname": "w@h", "timestamp": NOW, "local_received": NOW, "clock": 1, "pid": 7, "utcoffset": 0}
    return {**told, "type": type, **fields}


def fed(*events: dict[str, Any], **options: Any) -> State:
    state = State(**options)
    for each in events:
        state.event(each)
    return state


RUN = [
    event("task-sent", uuid="1", name="add", args="(1, 2)", kwargs="{}", queue="q", hostname="gen9@h", clock=1, root_id="1"),
    event("task-received", uuid="1", name="add", args="(1, 2)", kwargs="{}", retries=0, root_id="1", parent_id=None, clock=2),
    event("task-started", uuid="1", clock=3),
    event("task-succeeded", uuid="1", result="3", runtime=0.5, clock=4),
]


def test_each_event_gives_what_it_is_of_and_its_subject():
    state = State()
    assert [str(state.event(each)) for each in RUN] == [
        "((<Task: add(1) PENDING clock:1>, True), 'sent')",
        "((<Task: add(1) RECEIVED clock:2>, False), 'received')",
        "((<Task: add(1) STARTED clock:3>, False), 'started')",
        "((<Task: add(1) SUCCESS clock:4>, False), 'succeeded')",
    ]
    (worker, is_new), subject = state.event(event("worker-heartbeat", freq=2, active=1, processed=4))
    assert (worker.hostname, worker.active, worker.processed, is_new, subject) == ("w@h", 1, 4, False, "heartbeat")
    assert state.event(event("my-own", foo=1)) is None
    assert (state.event_count, state.task_count) == (6, 1)


def test_a_task_knows_what_all_of_them_have_told():
    task = fed(*RUN).tasks["1"]
    found = task.as_dict()
    assert (task.ready, task.origin, task.client) == (True, "w@h.7", "gen9@h")
    assert (found["name"], found["args"], found["result"], found["runtime"], found["state"]) == (
        "add",
        "(1, 2)",
        "3",
        0.5,
        "SUCCESS",
    )
    assert found["sent"] == found["received"] == found["started"] == found["succeeded"] == NOW
    assert set(found) == set(Task._fields)
    assert task.info() == {
        "args": "(1, 2)",
        "kwargs": "{}",
        "retries": 0,
        "result": "3",
        "runtime": 0.5,
        "root_id": "1",
    }


def test_the_order_in_which_they_come_does_not_matter():
    forward, backward = fed(*RUN).tasks["1"], fed(*reversed(RUN)).tasks["1"]
    assert backward.state == forward.state == "SUCCESS"
    assert backward.name == "add"
    assert (backward.sent, backward.received, backward.started) == (NOW, NOW, NOW)


def test_a_retry_begins_again():
    retried = event("task-retried", uuid="1", exception="KeyError('k')", clock=4)
    state = fed(*RUN[:3], retried)
    assert state.tasks["1"].state == "RETRY"
    state.event(event("task-received", uuid="1", name="add", clock=5))
    assert state.tasks["1"].state == "RECEIVED"


def test_a_task_of_a_type_of_ones_own_is_in_a_state_of_that_name():
    assert fed(event("task-progress", uuid="1", done=3)).tasks["1"].state == "PROGRESS"


def test_a_worker_is_alive_for_twice_its_frequency(monkeypatch: pytest.MonkeyPatch):
    state = fed(event("worker-online", freq=2))
    worker = state.workers["w@h"]
    assert (worker.alive, worker.status_string, worker.heartbeat_expires) == (True, "ONLINE", NOW + 4)
    assert list(state.alive_workers()) == [worker]
    monkeypatch.setattr(clock, "now", lambda: NOW + 4)
    assert (worker.alive, list(state.alive_workers())) == (False, [])
    state.event(event("task-started", uuid="1", timestamp=NOW + 4, local_received=NOW + 4))
    assert worker.alive


def test_a_worker_that_says_goodbye_is_offline_at_once():
    state = fed(event("worker-online", freq=2), event("worker-offline", freq=2))
    assert (state.workers["w@h"].alive, state.workers["w@h"].heartbeats) == (False, [])


def test_the_last_heartbeats_are_kept_in_order():
    beats = [event("worker-heartbeat", local_received=NOW + late, timestamp=NOW + late) for late in (0, 3, 1, 2, 4)]
    assert fed(*beats).workers["w@h"].heartbeats == [NOW + late for late in (1, 2, 3, 4)]


def test_workers_that_come_and_go_are_told_of():
    told: list[Any] = []
    state = State(
        on_node_join=lambda worker: told.append(("join", worker.hostname)),
        on_node_leave=lambda worker: told.append(("leave", worker.hostname)),
    )
    for type in ("worker-online", "worker-heartbeat", "worker-offline"):
        state.event(event(type))
    assert told == [("join", "w@h"), ("leave", "w@h")]
    assert len(state.workers) == 0


def test_clocks_that_differ_are_warned_of_once(caplog: pytest.LogCaptureFixture):
    state = State()
    for _ in range(3):
        state.event(event("worker-heartbeat", hostname="drifting@h", timestamp=NOW - 100))
    (record,) = caplog.records
    assert "The clocks of drifting@h and of this machine differ by 100 s" in record.message


def test_tasks_come_by_time_by_name_and_by_worker():
    many = [
        event("task-received", uuid=str(n), name=f"n{n % 2}", hostname=f"w{n % 3}@h", clock=n, timestamp=NOW + n)
        for n in range(6)
    ]
    state = fed(*many)
    assert [uuid for uuid, _ in state.tasks_by_time()] == ["5", "4", "3", "2", "1", "0"]
    assert [uuid for uuid, _ in state.tasks_by_timestamp(limit=2, reverse=False)] == ["0", "1"]
    assert [uuid for uuid, _ in state.tasks_by_type("n1")] == ["5", "3", "1"]
    assert [uuid for uuid, _ in state.tasks_by_worker("w0@h", limit=1)] == ["3"]
    assert {task.uuid for task in state.tasks_by_type["n0"]} == {"0", "2", "4"}
    assert state.task_types() == ["n0", "n1"]
    assert len(list(state.itertasks(limit=4))) == 4
    state.event(event("task-started", uuid="0", hostname="w1@h", clock=9))
    assert [uuid for uuid, _ in state.tasks_by_worker("w0@h")] == ["3"]


def test_parents_and_children_find_each_other_in_either_order():
    child = event("task-received", uuid="c", name="child", parent_id="p", root_id="p")
    parent = event("task-received", uuid="p", name="parent", root_id="p")
    for events in ((child, parent), (parent, child)):
        state = fed(*events)
        assert state.tasks["c"].parent is state.tasks["p"]
        assert state.tasks["c"].root is state.tasks["p"]
        assert state.tasks["p"].as_dict()["children"] == ["c"]


def test_it_keeps_so_many_and_forgets_the_longest_unheard_of():
    state = State(max_tasks_in_memory=3, max_workers_in_memory=2)
    for n in range(5):
        state.event(event("task-received", uuid=str(n), name=f"n{n}", hostname=f"w{n}@h"))
        state.event(event("task-started", uuid="0", hostname="w0@h"))
    assert list(state.tasks) == ["3", "4", "0"]
    assert list(state.workers) == ["w4@h", "w0@h"]


def test_a_flood_of_names_takes_no_more_memory_than_there_are_tasks():
    state = State(max_tasks_in_memory=10)
    for n in range(12_000):
        state.event(event("task-received", uuid=str(n), name=f"n{n}", parent_id=f"p{n}", hostname=f"w{n}"))
    gc.collect()
    assert len(state.tasks_by_type) <= 10_010
    assert len(state.tasks_by_worker) <= 10_010
    assert len(state._orphans) <= 10


class OwnState(State):
    """As packages make theirs, with what no pickle takes."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.counter = lambda: 0


def test_it_comes_out_of_a_pickle_as_it_was():
    child = event("task-received", uuid="c", name="child", parent_id="1", root_id="1", clock=9)
    state = fed(*RUN, child, event("worker-heartbeat", freq=2, active=3))
    own = OwnState(max_tasks_in_memory=7)
    for each in (*RUN, child, event("worker-heartbeat", freq=2, active=3)):
        own.event(each)
    for before in (state, own):
        after = pickle.loads(pickle.dumps(before))
        assert type(after) is type(before)
        assert after.max_tasks_in_memory == before.max_tasks_in_memory
        assert [task.as_dict() for task in after.tasks.values()] == [task.as_dict() for task in before.tasks.values()]
        assert after.tasks["c"].parent is after.tasks["1"]
        assert after.tasks["1"].worker is after.workers["w@h"]
        assert after.workers["w@h"].active == 3
        assert [uuid for uuid, _ in after.tasks_by_type("add")] == ["1"]
        after.event(event("task-succeeded", uuid="c", result="1"))
        assert after.tasks["c"].ready


def test_what_has_ended_can_be_forgotten():
    state = fed(*RUN, event("task-received", uuid="2", name="x"))
    state.clear_tasks()
    assert list(state.tasks) == ["2"]
    assert state.freeze_while(lambda: len(state.tasks), clear_after=True) == 1
    state.clear(ready=False)
    assert (len(state.tasks), len(state.workers), state.event_count) == (0, 0, 0)


def test_a_callback_sees_each_event_and_a_handler_takes_its_group():
    seen: list[str] = []
    state = State(callback=lambda state, event: seen.append(event["type"]))
    state.handlers["my"] = lambda subject, event: subject
    assert state.event(event("my-own")) == ("own", "own")
    assert seen == ["my-own"]


def test_a_thousand_workers_take_a_twentieth_of_a_core():
    """They send five hundred heartbeats in a second."""
    beats = [event("worker-heartbeat", hostname=f"w{n}@h", freq=2, active=0, processed=9) for n in range(1000)]
    state = fed(*beats)
    began = time.process_time()
    for _ in range(5):
        for beat in beats:
            state.event(beat)
    assert time.process_time() - began < 10 * 0.05  # ten seconds' worth of them


@pytest.mark.parametrize(
    "lost", [{"hostname": None}, {"hostname": ["w"]}, {"uuid": None}, {"uuid": 5}, {"type": None}, {"type": 5}]
)
@pytest.mark.parametrize("of", ["task-received", "worker-heartbeat"])
def test_an_event_of_nobody_is_counted_and_nothing_else(of: str, lost: dict[str, Any]) -> None:
    told = {**event(of, uuid="1"), **lost}
    for given in (told, {key: value for key, value in told.items() if key not in lost}):
        state = fed(given)
        assert state.event_count == 1
        assert not state.tasks
        assert bool(state.workers) is (of == "worker-heartbeat" and "uuid" in lost)


def test_a_frequency_that_is_none_is_the_usual_one() -> None:
    for freq in ("x", [1], None, 0):
        assert heartbeat_expires(NOW, freq) == heartbeat_expires(NOW)  # type: ignore[arg-type]
    (worker,) = fed(event("worker-heartbeat", freq="x")).alive_workers()
    assert worker.hostname == "w@h"
