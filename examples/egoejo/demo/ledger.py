"""What has become of everything: the rows of the site, as its own database has them, and the tasks, as workers log them."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crew import Program

PICTURE = "core.tasks.process_image_task"
MAILS = ("core.tasks.send_welcome_email", "core.tasks.send_email_task")
NIGHTLY = "core.tasks.update_all_impact_dashboards"
_TASK = re.compile(r"Task ([\w.]+)\[([^\]]+)\] (received|succeeded|raised|retry)")


@dataclass
class Ledger:
    """Looks, and changes nothing."""

    database: Path
    received: Counter[str] = field(default_factory=Counter)
    """How often each id was handed out."""
    ended: Counter[str] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    ticks: int = 0
    """How often the beat has sent the dashboards."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the site's database answers."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def pictures(self) -> dict[str, tuple[str, str]]:
        """State and reason of each picture, by its path."""
        return {path: (state, reason) for path, state, reason in self.rows("SELECT path, state, reason FROM core_photo")}

    def read(self, program: Program) -> bool:
        """Take in what a program has logged; True if there was anything."""
        lines = program.news()
        for line in lines:
            self.ticks += "Sending due task" in line and NIGHTLY in line
            if found := _TASK.search(line):
                self._note(program, *found.groups())
        return bool(lines)

    def _note(self, program: Program, name: str, id: str, verb: str) -> None:
        self.names[id] = name
        if verb == "received":
            self.received[id] += 1
            program.held[id] = name
            return
        program.held.pop(id, None)
        if verb != "retry":
            self.ended[id] += 1
            program.done += 1
        if verb == "raised":
            self.failed.append(id)

    def runs(self, name: str) -> int:
        """How many calls of a task have ended."""
        return sum(self.names[id] == name for id in self.ended)
