from __future__ import annotations

import json
import threading

from rich.console import Console
from tests.cli.project import Project

from umbel import Umbel
from umbel.cli.events import picture
from umbel.events.state import State
from umbel.testing.waiting import patience, until


def told(project: Project, *options: str) -> list[str]:
    """The lines that the command prints of two events."""
    watching = project.start("events", "--limit", "2", *options)
    with Umbel("told", broker=f"sqlite:///{project.folder}/q.db", set_as_current=False) as app:
        node, stop = app.events.of_node("w@h"), threading.Event()

        def tell() -> None:
            """Again and again: the command may not listen yet."""
            while not stop.wait(0.01):
                node.send("worker-heartbeat", freq=2)
                node.send("task-started", uuid="1")

        teller = threading.Thread(target=tell)
        teller.start()
        out, err = watching.communicate(timeout=patience())
        stop.set()
        teller.join(patience())
    assert (watching.returncode, err) == (0, "")
    return out.splitlines()


def test_each_event_is_a_line(project: Project) -> None:
    lines = told(project, "--dump")
    assert len(lines) == 2
    assert any("heartbeat: clock=" in line and line.startswith("w@h [") for line in lines)
    assert any("task started: (1) clock=" in line for line in lines)


def test_for_programs_each_is_a_line_of_json(project: Project) -> None:
    lines = [json.loads(line) for line in told(project, "--json")]
    assert {line["type"] for line in lines} == {"worker-heartbeat", "task-started"}
    assert {line["hostname"] for line in lines} == {"w@h"}


def test_it_asks_workers_to_tell_of_tasks_unless_it_is_passive(project: Project) -> None:
    with Umbel("asked", broker=f"sqlite:///{project.folder}/q.db", set_as_current=False) as app:
        asked = app.channel.subscribe(["celery.pidbox"])
        methods: list[str] = []

        def heard(what: str) -> bool:
            methods.extend(json.loads(note.body)["method"] for note in asked.receive(0.1))
            return what in methods

        for options, method in (((), "enable_events"), (("--passive",), "heartbeat")):
            methods.clear()
            watching = project.start("events", "--dump", *options)
            until(lambda method=method: heard(method))
            watching.terminate()
            watching.communicate(timeout=patience())
            assert ("enable_events" in methods) is (not options)
        asked.close()


def test_where_nobody_looks_it_says_what_to_do(project: Project) -> None:
    done = project.umbel("events")
    assert done.code == 64
    assert done.err == "umbel: there is no terminal to draw on; use --dump for lines, --json for programs\n"


def test_the_picture_fits_the_screen_and_shows_no_control_characters() -> None:
    state = State()
    for number in range(100):
        state.event(
            {"type": "worker-heartbeat", "hostname": f"w{number}@h", "timestamp": 1.0, "local_received": 1.0, "loadavg": 3}
        )
        state.event(
            {
                "type": "task-received",
                "hostname": f"w{number}@h",
                "uuid": f"{number}\x1b[2J",
                "name": "add",
                "args": "(1,)",
                "timestamp": 1.0,
                "clock": number,
            }
        )
    console = Console(width=200, height=40, record=True)
    console.print(picture(state, 40, lost=3))
    text = console.export_text()
    assert text.count("\n") <= 41
    assert "\x1b" not in text
    assert "0 of 100 workers online, 100 tasks received, 3 messages lost" in text
