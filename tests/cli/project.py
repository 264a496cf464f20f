"""A project whose folder holds an app and its queue, and the program run on it, in this process or as one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from umbel.cli.main import run
from umbel.stores.broker import Broker, Conclusion
from umbel.stores.url import open_broker
from umbel.wire import protocol
from umbel.wire.ids import new_id
from umbel.wire.message import Headers, Message

PROJECT = """
from umbel import Umbel

app = Umbel("proj", broker="sqlite:///q.db")


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("it is broken")
"""


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """A folder with the module `proj…` in it, whose app keeps its queue in `q.db`."""

    folder: Path
    name: str
    capsys: pytest.CaptureFixture[str]

    def umbel(self, *arguments: str) -> Done:
        """Run `umbel -A proj …` in this process."""
        return self.bare("-A", self.name, *arguments)

    def bare(self, *arguments: str) -> Done:
        """Run `umbel …` in this process."""
        self.capsys.readouterr()
        code = run(arguments)
        shown = self.capsys.readouterr()
        return Done(code, shown.out, shown.err)

    def start(self, *arguments: str, before: Sequence[str] = (), **kwargs: object) -> subprocess.Popen[str]:
        """Start `umbel -A proj …` as a process of its own, by the program `before` it if there is one."""
        command = [*before, sys.executable, "-m", "umbel", "-A", self.name, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | kwargs
        return subprocess.Popen(command, cwd=self.folder, **pipes)  # type: ignore[call-overload,no-any-return]

    def write(self, text: str) -> None:
        """Make this the project's module."""
        (self.folder / f"{self.name}.py").write_text(text)

    def broker(self) -> Broker:
        """The project's broker."""
        return open_broker(f"sqlite:///{self.folder}/q.db")

    def send(self, *names: str, queue: str = "celery", due: float | None = None) -> list[str]:
        """Put messages that call tasks of these names into a queue; gives their ids."""
        messages = [Message(Headers(task=name, id=new_id()), (1, "two")) for name in names]
        broker = self.broker()
        broker.send([protocol.encode(message, queue=queue, due=due) for message in messages])
        broker.close()
        return [message.headers.id for message in messages]

    def bury(self, *names: str, queue: str = "celery", reason: str = "nobody knows it") -> list[str]:
        """Put dead letters there; gives the ids of their tasks."""
        ids = self.send(*names, queue=queue)
        broker = self.broker()
        held = broker.reserve([queue], len(names), 5.0)
        broker.conclude([Conclusion(delivery, buried=reason) for delivery in held])
        broker.close()
        return ids
