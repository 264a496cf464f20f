"""A file to which each task appends a line when it begins and when it is done, so that the demo can tell what really happened."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Line:
    """One thing that happened."""

    verb: str
    """begun, done, broken"""
    task: str
    what: str
    worker: str
    pid: int
    when: float


def _append(line: dict[str, Any]) -> None:
    path = os.environ.get("ALBUM_DIARY")
    if path:
        with open(path, "a") as file:  # one write of one line: lines of several processes do not mix
            file.write(json.dumps({**line, "when": time.time()}) + "\n")


@contextmanager
def written(request: Any, task: str, what: str) -> Iterator[dict[str, Any]]:
    """Write `begun` before and `done` after the block (or the verb that the block puts into the line, if it raises)."""
    worker = str(request.hostname or "").partition("@")[0]
    line: dict[str, Any] = {"verb": "begun", "task": task, "what": what, "worker": worker, "pid": os.getpid()}
    _append(line)
    try:
        yield line
    except BaseException:
        if line["verb"] != "begun":
            _append(line)
        raise
    _append({**line, "verb": "done"})


class Diary:
    """Reads the file as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.touch()
        self._place = 0

    def news(self) -> list[Line]:
        """The lines written since the last call."""
        with self.path.open() as file:
            file.seek(self._place)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._place += len(whole)
        return [Line(**json.loads(line)) for line in whole.splitlines()]
