"""What tasks print without the end of a line is told as theirs, and told at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.trips.project import Project

from umbel.testing.waiting import patience, until

TASKS = """
@app.task
def say(word):
    print(word, end="")
    print(word, end="", file=sys.stderr)

@app.task
async def asay(word):
    print(word, end=" ")
    await asyncio.sleep(0.05)
    print(word, end="")
"""


@pytest.mark.parametrize("pool", ["prefork", "threads", "asyncio", "solo"])
def test_text_without_the_end_of_a_line_is_told_with_the_task_that_printed_it(project: Callable[..., Project], pool: str) -> None:
    made = project(TASKS)
    with made.worker("-c", "1", "-P", pool) as worker:
        sent = {word: made.app.send_task("proj.say", (word,)) for word in ("one", "two", "three")}
        native = {word: made.app.send_task("proj.asay", (word,)) for word in ("four", "five", "six")}
        for each in (*sent.values(), *native.values()):
            each.get(timeout=patience())
        for word, each in sent.items():
            until(lambda line=f"proj.say[{each.id}]: {word}\n": worker.log.count(line) == 2, saying=lambda: worker.log)
        for word, each in native.items():
            until(lambda line=f"proj.asay[{each.id}]: {word} {word}\n": worker.log.count(line) == 1, saying=lambda: worker.log)
