"""Celery's classes of events on the face."""

from __future__ import annotations

import subprocess
from pathlib import Path

from umbel.testing.waiting import patience

PROGRAM = """
import os, pickle, threading
from celery import Celery
from celery.events import Event, EventDispatcher, EventReceiver, get_exchange, group_from
from celery.events.state import State, Task, Worker

app = Celery("events", broker="memory://events")
patience = float(os.environ["PATIENCE"])

class Counting(State):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.lock = threading.Lock()  # which no pickle takes

def heard(send, **options):
    found = []
    with app.connection() as connection:
        receiver = EventReceiver(connection, handlers={"*": found.append}, app=app)
        threading.Timer(0.05, send).start()
        receiver.capture(timeout=patience, **options)
    return found

def send():
    with app.events.default_dispatcher() as dispatcher:
        dispatcher.send("task-received", uuid="1", name="add")
        dispatcher.send("task-succeeded", uuid="1", result="3", runtime=0.5)
    with app.events.Dispatcher(hostname="w@h", groups=["worker"], app=app) as dispatcher:
        dispatcher.send("task-never", uuid="1")
        dispatcher.send("worker-online", freq=2)

events = heard(send, limit=3)
assert [event["type"] for event in events] == ["task-received", "task-succeeded", "worker-online"], events
assert events[2]["hostname"] == "w@h" and events[0]["hostname"].startswith("gen")

bound = app.events.State
for kind in (State, Counting, bound):
    state = kind(max_tasks_in_memory=5)
    for event in events:
        state.event(event)
    after = pickle.loads(pickle.dumps(state))
    assert after.tasks["1"].result == "3" and isinstance(after.tasks["1"], Task), after.tasks
    assert isinstance(after, State if kind is bound else kind)
    assert isinstance(after.workers["w@h"], Worker) and after.workers["w@h"].freq == 2

class Own(EventReceiver):
    def process(self, type, event):
        seen.append(type)
        self.should_stop = True

seen = []
receiver = Own(app.connection(), app=app)
threading.Timer(0.05, send).start()
receiver.capture()
assert seen == ["task-received"], seen

dispatcher = EventDispatcher(app=app, enabled=False)
calls = []
dispatcher.on_enabled.add(lambda: calls.append("on"))
dispatcher.on_disabled.add(lambda: calls.append("off"))
assert dispatcher.send("task-x", uuid="1") is None
dispatcher.enable()
dispatcher.disable()
assert calls == ["on", "off"]

type_, event = receiver.event_from_message(Event("task-sent", hostname="h", clock=99, utcoffset=0), now=lambda: 7.0)
assert (type_, event["local_received"], event["clock"] < 99, group_from(type_)) == ("task-sent", 7.0, True, "task")
assert get_exchange(app.connection()).type == "topic"
try:
    EventReceiver(app.connection(), app=app).capture(timeout=0.01)
except TimeoutError:
    print("all as it should be")
"""


def test_events_go_through_celerys_classes(face: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [face, "program.py"], cwd=tmp_path, env={"PATIENCE": str(patience())}, capture_output=True, text=True, timeout=patience()
    )
    assert (done.stdout, done.stderr) == ("all as it should be\n", "")


CAMERAS = """
import threading
from celery import Celery
from celery.beat import BeatPidbox, Service
from celery.events.snapshot import Polaroid
from umbel.testing.waiting import patience, until

app = Celery("cameras", broker="memory://cameras")
log = []

class Calls:
    def __init__(self, seconds, function):
        self.seconds, self.function = seconds, function

    def __call__(self):
        self.function()

    def cancel(self):
        log.append(("cancel", self.seconds))

class Timer:
    def call_repeatedly(self, seconds, function, args=(), kwargs=None):
        log.append(("every", seconds))
        return Calls(seconds, function)

class Camera(Polaroid):
    def on_shutter(self, state):
        log.append("shutter")

    def on_cleanup(self):
        log.append("cleanup")

state = app.events.State()
signals = []
Camera.shutter_signal.connect(lambda sender, **kw: signals.append(sender is state), weak=False)
with Camera(state, freq=2, maxrate="1/h", cleanup_freq=5, timer=Timer(), app=app) as camera:
    camera.capture()
    camera.shutter()
    camera.cleanup()
assert camera.app is app and camera.state is state
assert log == [("every", 2), ("every", 5), "shutter", "cleanup", ("cancel", 2), ("cancel", 5)], log
assert signals == [True]

log.clear()
dispatcher = app.events.Dispatcher(hostname="w@h")
with Camera(state, freq=0.01, app=app), app.connection() as connection:
    receiver = app.events.Receiver(connection, handlers={"*": state.event})
    threading.Timer(0.05, lambda: dispatcher.send("worker-online", freq=2)).start()
    receiver.capture(limit=1, timeout=patience())
    until(lambda: log)
assert set(log) == {"shutter"} and "w@h" in state.workers

service = Service(app, remote_control=True, hostname="b@box")
box = BeatPidbox(service)
assert (box.tick_age(), box.is_stale(), box.max_tick_age, box.fanout_support()) == (0.0, False, 60.0, (True, "memory"))
threading.Thread(target=service.start, daemon=True).start()
until(lambda: app.control.ping(timeout=patience()) == [{"b@box": {"ok": "pong"}}])
service.stop()
print("all as it should be")
"""


def test_cameras_and_beats_are_celerys(face: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CAMERAS)
    done = subprocess.run(
        [face, "program.py"], cwd=tmp_path, env={"PATIENCE": str(patience())}, capture_output=True, text=True, timeout=patience()
    )
    assert (done.stdout, done.stderr) == ("all as it should be\n", "")
