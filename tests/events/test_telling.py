"""Events on their way from one program to another."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from umbel import Umbel
from umbel.errors import BrokerDown
from umbel.events.event import key_of
from umbel.events.sender import TOGETHER, Sender, Waiting
from umbel.events.state import State
from umbel.stores.channel import Channel
from umbel.testing.waiting import patience, until


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Umbel]:
    with Umbel(request.node.name, broker=f"memory://{request.node.name}") as app:

        @app.task(name="add")
        def add(x: int, y: int) -> int:
            return x + y

        yield app


class Listener:
    """Takes in all events in a thread of its own."""

    def __init__(self, app: Umbel, routing_key: str = "#"):
        self.events: list[dict[str, Any]] = []
        self.receiver = app.events.Receiver(handlers={"*": self.events.append}, routing_key=routing_key)
        self.receiver.open()
        self._thread = threading.Thread(target=self.receiver.capture)
        self._thread.start()

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.stop()
        self._thread.join(patience())


def test_what_one_tells_the_other_hears(app: Umbel):
    with Listener(app) as heard:
        told = app.events.Dispatcher("me@here").send("my-own", foo=[1, None])
        until(lambda: heard.events)
    assert {**told, "local_received": heard.events[0]["local_received"]} == heard.events[0]
    assert (told["hostname"], told["pid"], told["foo"]) == ("me@here", os.getpid(), [1, None])


def test_only_what_the_routing_key_asks_for_is_heard(app: Umbel):
    with Listener(app, "task.*") as heard:
        dispatcher = app.events.Dispatcher("me@here")
        dispatcher.send("worker-online")
        dispatcher.send("task-progress", uuid="1")
        until(lambda: heard.events)
    assert heard.types() == ["task-progress"]


def test_a_dispatcher_can_be_switched_off_and_kept_to_groups(app: Umbel):
    dispatcher = app.events.Dispatcher("me@here", groups=["worker"])
    assert dispatcher.send("task-x", uuid="1") is None
    assert dispatcher.send("worker-x") is not None
    dispatcher.disable()
    assert dispatcher.send("worker-x") is None
    dispatcher.enable()
    assert dispatcher.send("worker-x") is not None


def test_a_receiver_takes_so_many_or_gives_up_after_a_silence(app: Umbel):
    dispatcher = app.events.Dispatcher("me@here")
    with app.events.Receiver() as receiver:
        for number in range(3):
            dispatcher.send("my-own", number=number)
        assert [event["number"] for event in receiver.captured(limit=2)] == [0, 1]
    with pytest.raises(TimeoutError, match=r"no event came within 0\.01 s"):
        app.events.Receiver().capture(timeout=0.01)


def test_what_a_handler_raises_comes_to_who_captures(app: Umbel):
    def fail(event: dict[str, Any]) -> None:
        raise ValueError(event["type"])

    with app.events.Receiver(handlers={"my-own": fail}) as receiver:
        app.events.Dispatcher("me@here").send("my-own")
        with pytest.raises(ValueError, match="my-own"):
            receiver.capture(limit=1)


def test_who_begins_to_listen_asks_workers_to_tell_that_they_are_there(app: Umbel):
    asked = app.channel.subscribe(["celery.pidbox"])
    with Listener(app):
        notes = asked.receive(patience())
    assert b'"method":"heartbeat"' in notes[0].body.replace(b" ", b"")
    asked.close()


def test_clients_tell_what_they_send_if_the_settings_say_so(app: Umbel):
    add = app.tasks["add"]
    with Listener(app) as heard:
        add.delay(1, 2)
        app.conf.task_send_sent_event = True
        one = add.delay(1, 2)
        many = add.delay_many([(3, 4), (5, 6)], queue="other")
        with app.batch():
            last = add.apply_async((7, 8), shadow="shown", countdown=60)
            assert "task-sent" not in heard.types()[3:]
        until(lambda: len(heard.events) == 4)
    assert [event["uuid"] for event in heard.events] == [one.id, *[each.id for each in many], last.id]
    common = ("timestamp", "local_received", "clock", "pid", "hostname", "utcoffset")
    assert {key: value for key, value in heard.events[0].items() if key not in common} == {
        "type": "task-sent",
        "uuid": one.id,
        "root_id": one.id,
        "parent_id": None,
        "name": "add",
        "args": "(1, 2)",
        "kwargs": "{}",
        "retries": 0,
        "eta": None,
        "expires": None,
        "queue": "celery",
        "exchange": "",
        "routing_key": "celery",
    }
    assert heard.events[1]["queue"] == "other"
    assert heard.events[3]["eta"] is not None


def test_a_picture_is_drawn_of_them(app: Umbel):
    state: State = app.events.State()
    with app.events.Receiver(handlers={"*": state.event}) as receiver:
        app.conf.task_send_sent_event = True
        sent = app.tasks["add"].delay(1, 2)
        receiver.capture(limit=1, timeout=patience())
    assert state.tasks[sent.id].name == "add"


class Hanging(Channel):
    """A store that does not answer."""

    url = "hanging://"

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.notes: list[Any] = []
        self.is_down = False

    def publish(self, notes):
        self.entered.set()
        self.go_on.wait(patience())
        if self.is_down:
            raise BrokerDown("gone")
        self.notes += notes
        return 1

    def subscribe(self, topics, *, name=""):
        raise NotImplementedError

    def box(self, exchange=""):
        raise NotImplementedError

    def reply(self, exchange, address, notes):
        raise NotImplementedError

    def close(self):
        pass


def waiting(number: int, type: str = "task-x") -> Waiting:
    event = {"number": number}
    return Waiting("h", [event], "task", several=True) if type.startswith("task") else Waiting("h", event, key_of(type))


def test_nobody_waits_for_a_store_that_hangs_and_what_is_dropped_is_counted():
    channel = Hanging()
    sender = Sender(lambda: channel, most=100)
    sender.send([waiting(0)])
    assert channel.entered.wait(patience())
    for number in range(1, 1000):  # returns at once each time, or this test would take a thousand minutes
        sender.send([waiting(number)])
    assert sender.lost == 999 - 99
    channel.go_on.set()
    assert sender.flush(patience())
    assert sum(note.body.count(b"number") for note in channel.notes) == 100
    sender.close(patience())


def test_a_store_that_is_away_is_told_of_once_and_found_again(caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr("umbel.events.sender.PAUSE", 0.01)
    channel = Hanging()
    channel.go_on.set()
    channel.is_down = True
    sender = Sender(lambda: channel)
    for number in range(3):
        sender.send([waiting(number)])
        assert sender.flush(patience())
    assert (sender.lost, len(caplog.records)) == (3, 1)
    channel.is_down = False
    sender.send([waiting(4)])
    assert sender.flush(patience())
    assert len(channel.notes) == 1
    sender.close(patience())


def test_tasks_events_travel_together_and_all_in_order():
    channel = Hanging()
    channel.go_on.set()
    sender = Sender(lambda: channel)
    sender.send(
        [waiting(0, "worker-online"), *[waiting(number) for number in range(1, TOGETHER + 2)], waiting(9, "worker-offline")]
    )
    assert sender.flush(patience())
    assert [note.key for note in channel.notes] == ["worker.online", "task.multi", "task.multi", "worker.offline"]
    assert channel.notes[0].body == b'{"number":0}'
    assert channel.notes[1].body.startswith(b'[{"number":1},{"number":2}')
    assert {note.topic for note in channel.notes} == {"celeryev"}
    assert channel.notes[0].headers == {"hostname": "h"}
    sender.close(patience())
    sender.send([waiting(1)])  # a new thread takes it
    assert sender.flush(patience())
    assert len(channel.notes) == 5
    sender.close(patience())


def test_what_json_has_not_travels_as_celery_writes_it_or_by_another_serializer():
    channel = Hanging()
    channel.go_on.set()
    for serializer, content in (("json", "application/json"), ("yaml", "application/x-yaml")):
        sender = Sender(lambda: channel, serializer=serializer)
        sender.send([Waiting("h", {"text": "\ud800" if serializer == "json" else "x"}, "my.own")])
        assert sender.flush(patience())
        assert channel.notes[-1].content_type == content
        sender.close(patience())


def test_what_nobody_listens_to_is_not_made_and_who_begins_to_listen_misses_nothing(app: Umbel):
    sender = Sender(lambda: app.channel)
    asked: list[int | None] = []

    def batch(*numbers: int) -> Waiting:
        def made(most: int | None) -> list[dict[str, int]]:
            asked.append(most)
            return [{"number": number} for number in numbers][:most]

        return Waiting("h", made, "task", several=True, count=len(numbers))

    for _ in range(3):
        sender.send([batch(1, 2), batch(3)])
        assert sender.flush(patience())
    assert asked == [None, None, 1, 1]
    numbers: list[int] = []
    with app.channel.subscribe(["celeryev/task.*"]) as heard:
        for start in (10, 20):
            sender.send([batch(start, start + 1), batch(start + 2)])
            assert sender.flush(patience())
        while len(numbers) < 6:
            for note in heard.receive(patience()):
                numbers += [event["number"] for event in json.loads(note.body)]
    assert numbers == [10, 11, 12, 20, 21, 22]
    assert sender.lost == 0
    sender.close(patience())


def test_one_event_is_told_once_to_who_has_just_begun_to_listen(app: Umbel):
    sender = Sender(lambda: app.channel)
    sender.send([waiting(1)])
    assert sender.flush(patience())
    with app.channel.subscribe(["celeryev/task.*"]) as heard:
        sender.send([waiting(2)])
        assert sender.flush(patience())
        sender.send([waiting(3)])
        assert sender.flush(patience())
        notes = []
        while len(notes) < 2:
            notes += heard.receive(patience())
    assert [json.loads(note.body) for note in notes] == [[{"number": 2}], [{"number": 3}]]
    sender.close(patience())


def test_types_become_routing_keys():
    assert key_of("worker-elect-ack") == "worker.elect.ack"


def test_it_is_known_whether_anybody_listens_to_workers_whatever_else_is_told(app: Umbel):
    node, sender = app.events.of_node("w@h"), app.events.sender
    node.send("worker-heartbeat")
    assert sender.flush(patience())
    assert sender.reached == 0
    with app.channel.subscribe(["celeryev/worker.*"]):
        node.send("worker-heartbeat")
        assert sender.flush(patience())
        node.send("task-x", uuid="1")
        assert sender.flush(patience())
        assert sender.reached == 1
