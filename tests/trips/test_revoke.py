"""Tasks that are revoked, before any worker is there and after they have begun."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from tests.trips.project import Project

from umbel import AsyncResult
from umbel.errors import SoftTimeLimitExceeded, TaskRevokedError
from umbel.testing.waiting import patience, until

Make = Callable[..., Project]

TASKS = """
from umbel import signals

@signals.task_revoked.connect
def revoked(request, terminated, signum, expired, **kwargs):
    tell("signal", request.id, terminated, signum, expired)

@app.task
def note(word):
    tell("ran", word)
    return word

@app.task(bind=True, max_retries=None)
def again(self):
    tell("try", self.request.retries)
    while not os.path.exists("go"):
        time.sleep(0.01)
    raise self.retry(countdown=0.01)

@app.task
def hang(word):
    tell("began", word)
    time.sleep(60)
    tell("ended", word)

@app.task
async def hang_async(word):
    tell("began", word)
    await asyncio.sleep(60)
    tell("ended", word)

@app.task
def linger():
    tell("began", "linger")
    while not os.path.exists("go"):
        time.sleep(0.01)
    return "done"
"""


def refused(sent: AsyncResult[object]) -> str:
    """With which words the task was told as revoked."""
    with pytest.raises(TaskRevokedError) as caught:
        sent.get(timeout=patience())
    assert sent.state == "REVOKED"
    return str(caught.value)


def began(made: Project, *words: str) -> None:
    """Wait until these run."""
    until(lambda: all(["began", word] in made.effects() for word in words), saying=made.effects)


def test_what_is_revoked_before_any_worker_starts_never_runs(project: Make) -> None:
    made = project(TASKS)
    sent = [made.app.send_task("proj.note", (word,)) for word in "abcd"]
    unknown = made.app.send_task("proj.unknown")
    made.app.control.revoke([sent[0].id, sent[2].id, unknown.id])
    assert sent[0].state == "PENDING"
    with made.worker("-c", "1") as worker:
        assert refused(sent[0]) == refused(sent[2]) == refused(unknown) == "revoked"
        assert sent[1].get(timeout=patience()) == "b"
        until(lambda: f"Discarding revoked task: proj.note[{sent[0].id}]" in worker.log, saying=lambda: worker.log)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    later = made.app.send_task("proj.note", ("later",), countdown=1.0)
    later.revoke()
    with made.worker("-c", "1"):
        assert refused(later) == "revoked"
        assert sent[3].get(timeout=patience()) == "d"
    words = made.effects()
    assert sorted(word for kind, word, *_ in words if kind == "ran") == ["b", "d"]
    assert ["signal", sent[0].id, "False", "None", "False"] in words
    assert made.app.broker.revocations()[1] == []


def test_what_runs_goes_on_and_its_retry_is_met(project: Make) -> None:
    made = project(TASKS)
    sent = made.app.send_task("proj.again")
    with made.worker("-c", "1"):
        until(lambda: ["try", "0"] in made.effects())
        sent.revoke()
        (made.folder / "go").touch()
        assert refused(sent) == "revoked"
    assert [words for words in made.effects() if words[0] == "try"] == [["try", "0"]]


@pytest.mark.parametrize("pool", ["prefork", "asyncio"])
def test_a_run_is_ended_if_that_is_asked_for(project: Make, pool: str) -> None:
    made = project(TASKS)
    name = "proj.hang" if pool == "prefork" else "proj.hang_async"
    sent = [made.app.send_task(name, (word,)) for word in "ab"]
    waits = [made.app.send_task(name, (word,)) for word in "cd"]
    with made.worker("-c", "2", "-P", pool) as worker:
        began(made, "a", "b")
        made.app.control.revoke([sent[0].id, waits[0].id], terminate=True)
        assert refused(sent[0]) == "terminated"
        assert refused(waits[0]) == "revoked"
        began(made, "d")
        sent[1].revoke(terminate=True, signal="SIGUSR1")
        with pytest.raises(SoftTimeLimitExceeded):
            sent[1].get(timeout=patience())
        made.app.control.terminate(waits[1].id, signal="KILL")
        assert refused(waits[1]) == "terminated"
        assert f"Task {name}[{sent[0].id}] was ended on request" in worker.log
    words = made.effects()
    assert [word for kind, word, *_ in words if kind in {"ended", "ran"}] == []
    assert ["began", "c"] not in words
    assert ["signal", sent[0].id, "True", "15", "False"] in words
    assert ["signal", waits[0].id, "False", "None", "False"] in words
    assert [each.id for each in made.app.broker.revocations()[1]] == [sent[1].id]


def test_a_task_in_a_thread_is_told_as_ended_and_its_thread_is_left_to_itself(project: Make) -> None:
    made = project(TASKS)
    sent = made.app.send_task("proj.linger")
    waits, comes = made.app.send_task("proj.note", ("never",)), made.app.send_task("proj.note", ("then",))
    with made.worker("-c", "1", "-P", "threads") as worker:
        began(made, "linger")
        made.app.control.revoke([sent.id, waits.id], terminate=True)
        assert refused(sent) == "terminated"
        assert refused(waits) == "revoked"
        comes.get(timeout=patience())  # in the thread that has taken the other's place
        assert worker.log.count("is left to itself in its thread") == 1
        (made.folder / "go").touch()
    assert sent.state == "REVOKED"


def test_an_unknown_signal_is_refused_where_it_is_asked_for(project: Make) -> None:
    made = project(TASKS)
    with pytest.raises(ValueError, match="there is no signal 'SIGNONE'"):
        made.app.control.revoke("an id", terminate=True, signal="SIGNONE")


def test_what_a_killed_worker_had_begun_is_not_run_again(project: Make) -> None:
    made = project(TASKS, lease=1.0)
    sent = made.app.send_task("proj.hang", ("a",))
    with made.worker("-c", "1") as worker:
        began(made, "a")
        worker.kill_all()
    sent.revoke()
    with made.worker("-c", "1"):
        assert refused(sent) == "revoked"
    assert made.effects().count(["began", "a"]) == 1
