"""A program sends, a worker process runs, the program reads: with nothing but umbel."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable

import pytest
from tests.trips.project import Project

from umbel.errors import NotRegistered, SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from umbel.testing.waiting import NEVER, factor, pace, patience, until

Make = Callable[..., Project]


def test_a_call_is_run_by_a_worker_and_its_result_read(project: Make) -> None:
    made = project(
        """
        @app.task
        def add(x, y):
            return x + y
        """
    )
    sent = made.app.send_task("proj.add", (2, 3))
    assert sent.state == "PENDING"
    with made.worker("-c", "1") as worker:
        assert sent.get(timeout=patience()) == 5
        assert sent.state == "SUCCESS"
        assert f"Task proj.add[{sent.id}] received" in worker.log
        until(lambda: f"Task proj.add[{sent.id}] succeeded in " in worker.log)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0


def test_an_exception_comes_back_as_itself_with_its_traceback(project: Make) -> None:
    made = project(
        """
        @app.task
        def fail():
            raise ValueError("boom", 42)
        """
    )
    with made.worker("-c", "1") as worker:
        sent = made.app.send_task("proj.fail")
        with pytest.raises(ValueError, match="boom") as caught:
            sent.get(timeout=patience())
        assert caught.value.args == ("boom", 42)
        assert sent.failed()
        assert "raise ValueError" in (sent.traceback or "")
        until(lambda: f"Task proj.fail[{sent.id}] raised unexpected: ValueError('boom', 42)" in worker.log)


def test_a_task_retries_until_it_succeeds(project: Make) -> None:
    made = project(
        """
        @app.task(bind=True, max_retries=5)
        def flaky(self):
            tell("try", self.request.retries)
            if self.request.retries < 3:
                raise self.retry(countdown=0.05, exc=OSError("not yet"))
            return self.request.retries

        @app.task(autoretry_for=(KeyError,), retry_backoff=0.01, retry_jitter=False, max_retries=2)
        def hopeless():
            tell("hopeless")
            raise KeyError("never")
        """
    )
    with made.worker("-c", "1"):
        assert made.app.send_task("proj.flaky").get(timeout=patience()) == 3
        with pytest.raises(KeyError):
            made.app.send_task("proj.hopeless").get(timeout=patience())
    assert [words for words in made.effects() if words[0] == "try"] == [["try", str(n)] for n in range(4)]
    assert made.effects().count(["hopeless"]) == 3


def test_a_task_with_a_countdown_waits_in_the_store_and_runs_at_its_time(project: Make) -> None:
    made = project(
        """
        @app.task
        def now():
            return time.time()
        """
    )
    with made.worker("-c", "1"):
        before, paced = time.time(), pace()
        sent = made.app.send_task("proj.now", countdown=1.0)
        assert made.app.broker.depth(["celery"])["celery"].later == 1
        assert sent.get(timeout=patience()) - before >= 1.0
        assert pace() - paced < 2.5


def test_an_expired_task_is_revoked_not_run(project: Make) -> None:
    made = project(
        """
        @app.task
        def late():
            tell("ran")
        """
    )
    sent = made.app.send_task("proj.late", expires=0.01)
    expired = time.time() + 0.01
    until(lambda: time.time() > expired)
    with made.worker("-c", "1") as worker:
        with pytest.raises(TaskRevokedError, match="expired"):
            sent.get(timeout=patience())
        assert sent.state == "REVOKED"
        assert f"Discarding expired task: proj.late[{sent.id}]" in worker.log
    assert made.effects() == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_soft_limit_raises_inside_the_task(project: Make, kind: str) -> None:
    wait = "await asyncio.sleep(30)" if kind == "async def" else "time.sleep(30)"
    made = project(
        f"""
        from umbel.errors import SoftTimeLimitExceeded

        @app.task(soft_time_limit=0.2)
        {kind} slow():
            try:
                {wait}
            except SoftTimeLimitExceeded:
                return "cleaned up"

        @app.task(soft_time_limit=0.2)
        {kind} careless():
            {wait}
        """
    )
    with made.worker("-c", "1"):
        assert made.app.send_task("proj.slow").get(timeout=patience()) == "cleaned up"
        with pytest.raises(SoftTimeLimitExceeded):
            made.app.send_task("proj.careless").get(timeout=patience())


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_hard_limit_ends_the_task_and_the_worker_goes_on(project: Make, kind: str) -> None:
    wait = "await asyncio.sleep(30)" if kind == "async def" else "time.sleep(30)"
    made = project(
        f"""
        @app.task(time_limit=0.3)
        {kind} stuck():
            {wait}

        @app.task
        def add(x, y):
            return x + y
        """
    )
    with made.worker("-c", "1") as worker:
        sent = made.app.send_task("proj.stuck")
        with pytest.raises(TimeLimitExceeded):
            sent.get(timeout=patience())
        assert made.app.send_task("proj.add", (1, 2)).get(timeout=patience()) == 3
        until(lambda: f"exceeded for proj.stuck[{sent.id}]" in worker.log)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_is_not_acknowledged_on_failure_or_timeout_is_told_and_buried(project: Make, kind: str) -> None:
    wait = "await asyncio.sleep(30)" if kind == "async def" else "time.sleep(30)"
    made = project(
        f"""
        app.conf.task_acks_on_failure_or_timeout = False

        @app.task(time_limit=0.3)
        {kind} stuck():
            {wait}

        @app.task
        {kind} wrong():
            raise KeyError("x")
        """
    )
    with made.worker("-c", "1"):
        for name, error in (("wrong", KeyError), ("stuck", TimeLimitExceeded)):
            with pytest.raises(error):
                made.app.send_task(f"proj.{name}").get(timeout=patience())
        buried = {each.envelope.id: each.reason for each in made.app.broker.buried()}
    assert sorted(buried.values()) == ["hard time limit (0.3s) exceeded", "it failed: KeyError('x')"]


def test_receivers_hear_of_retries_callbacks_and_chains_and_may_change_their_headers(project: Make) -> None:
    """As tracing tools do, which put into each message what goes on where it is sent."""
    made = project(
        """
        from umbel import current_task
        from umbel.signals import after_task_publish, before_task_publish

        @before_task_publish.connect
        def before(sender=None, headers=None, body=None, **kwargs):
            headers["trace"] = getattr(current_task.request, "trace", "") + ">" + sender.removeprefix("proj.")
            tell("before", sender, headers["retries"], body[0][0])

        @after_task_publish.connect
        def after(sender=None, headers=None, **kwargs):
            tell("after", sender, headers["retries"], headers["trace"])

        @app.task(bind=True)
        def first(self, number):
            if self.request.retries < 2:
                raise self.retry(countdown=0)
            tell("run", self.request.trace)
            return number + 1

        @app.task(bind=True)
        def then(self, number):
            tell("run", self.request.trace)
            return number

        @app.task
        def sends(number):
            first.apply_async((number,), link=then.s(), chain=[dict(then.s())])
        """
    )
    with made.worker("-c", "1") as worker:
        made.app.send_task("proj.sends", (1,))
        until(lambda: sum(line[0] == "run" for line in made.effects()) == 3, saying=lambda: (made.effects(), worker.log))
    lines = [" ".join(line) for line in made.effects()]
    assert lines[:8] == [
        "before proj.first 0 1",
        "after proj.first 0 >first",
        "before proj.first 1 1",
        "after proj.first 1 >first>first",
        "before proj.first 2 1",
        "after proj.first 2 >first>first>first",
        "run >first>first>first",
        "before proj.then 0 2",
    ]
    assert lines.count("run >first>first>first>then") == 2


CRASH = """
@app.task(acks_late={late})
def crash():
    tell("ran")
    if len(open("{effects}").readlines()) < {times}:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"
"""


def test_a_late_task_whose_process_died_runs_again(project: Make, tmp_path: object) -> None:
    made = project(CRASH.format(late=True, effects="effects.txt", times=3))
    with made.worker("-c", "1") as worker:
        assert made.app.send_task("proj.crash").get(timeout=patience()) == "survived"
        assert "will run again" in worker.log
    assert made.effects() == [["ran"]] * 3


def test_an_early_task_whose_process_died_is_told_as_lost(project: Make) -> None:
    made = project(CRASH.format(late=False, effects="effects.txt", times=99))
    with made.worker("-c", "1"), pytest.raises(WorkerLostError, match="SIGKILL"):
        made.app.send_task("proj.crash").get(timeout=patience())
    assert made.effects() == [["ran"]]


def test_a_task_that_kills_its_process_every_time_is_buried_and_told(project: Make) -> None:
    made = project(CRASH.format(late=True, effects="effects.txt", times=99))
    with made.worker("-c", "1"):
        sent = made.app.send_task("proj.crash")
        with pytest.raises(WorkerLostError):
            sent.get(timeout=patience())
        (dead,) = until(lambda: made.app.broker.buried())
        assert dead.envelope.id == sent.id
        assert "handed out 5 times" in dead.reason
    assert made.effects() == [["ran"]] * 5


@pytest.mark.parametrize("late", [True, False])
def test_what_a_killed_worker_held_is_taken_over(project: Make, late: bool) -> None:
    made = project(
        f"""
        @app.task(acks_late={late})
        def long(first):
            tell("began", os.getpid())
            if not os.path.exists("{{}}".format("second")):
                time.sleep(60)
            return "done"
        """,
        lease=0.5,
    )
    sent = made.app.send_task("proj.long", (True,))
    with made.worker("-c", "1") as first:
        until(made.effects)
        first.kill_all()
    (made.folder / "second").touch()
    with made.worker("-c", "1"):
        if late:
            assert sent.get(timeout=patience()) == "done"
        else:
            with pytest.raises(WorkerLostError):
                sent.get(timeout=patience())
    assert len(made.effects()) == (2 if late else 1)


def test_a_task_that_no_worker_knows_waits_for_one_that_does(project: Make) -> None:
    made = project("known = app.task(lambda: 'here', name='other.task')\n")
    (made.folder / "stranger.py").write_text((made.folder / "proj.py").read_text().split("known")[0])
    with made.worker("-c", "1", app="stranger") as stranger:
        sent = made.app.send_task("other.task")
        until(lambda: "is left to other workers" in stranger.log)
        with made.worker("-c", "1"):
            assert sent.get(timeout=patience()) == "here"


def test_a_task_that_nobody_knows_is_buried_and_told_never_deleted(project: Make) -> None:
    made = project("app.conf.task_unknown_ttl = 0\n")
    with made.worker("-c", "1") as worker:
        sent = made.app.send_task("no.such.task", (1,))
        with pytest.raises(NotRegistered, match=r"no\.such\.task"):
            sent.get(timeout=patience())
        (dead,) = until(lambda: made.app.broker.buried())
        assert dead.envelope.id == sent.id
        assert "no.such.task" in dead.reason
        assert "Received unregistered task of type 'no.such.task'" in worker.log


def test_forbidden_and_broken_messages_are_buried_with_the_reason(project: Make) -> None:
    made = project(
        """
        @app.task
        def add(x, y):
            return x + y
        """
    )
    made.app.send_task("proj.add", (1, 2), serializer="pickle")
    sent = made.app.send_task("proj.add", (1, 2), countdown=3600)
    assert sent
    with made.worker("-c", "1"):
        (dead,) = until(lambda: made.app.broker.buried())
        assert "pickle" in dead.reason or "python-serialize" in dead.reason
        broken = dead.envelope
        broken.id, broken.headers, broken.content_type = "broken", b"\x00 no json", "application/json"
        made.app.broker.send([broken])
        until(lambda: len(made.app.broker.buried()) == 2)
        assert made.app.send_task("proj.add", (1, 2)).get(timeout=patience()) == 3


def test_a_thousand_sleeps_of_a_second_share_one_process(project: Make) -> None:
    made = project(
        """
        @app.task
        async def nap():
            await asyncio.sleep(1)
            return os.getpid()
        """
    )
    with made.worker("-c", "1"):
        made.app.send_task("proj.nap").get(timeout=patience())
        began = pace()
        with made.app.batch():
            sent = [made.app.send_task("proj.nap") for _ in range(1000)]
        pids = {result.get(timeout=patience()) for result in sent}
        assert pace() - began < 2.0
        assert len(pids) == 1


def test_short_tasks_do_not_wait_behind_a_long_one(project: Make) -> None:
    made = project(
        """
        @app.task
        def mixed(seconds):
            time.sleep(seconds)
            tell(seconds)
        """
    )
    with made.worker("-c", "2"):
        with made.app.batch():
            made.app.send_task("proj.mixed", (NEVER,))
            sent = [made.app.send_task("proj.mixed", (0.001,)) for _ in range(1000)]
        sent[-1].get(timeout=patience())
        for result in sent:
            result.get(timeout=patience())
        assert [str(NEVER)] not in made.effects()


def test_a_rate_limit_holds(project: Make) -> None:
    made = project(
        """
        @app.task(rate_limit="20/s")
        def limited():
            tell(time.time())
        """
    )
    with made.worker("-c", "2"):
        with made.app.batch():
            sent = [made.app.send_task("proj.limited") for _ in range(100)]
        for result in sent:
            result.get(timeout=patience())
    times = sorted(float(words[0]) for words in made.effects())
    assert len(times) == 100
    assert times[-1] - times[0] > 4.5
    assert (times[-1] - times[0]) / factor() < 12


def test_a_result_can_be_awaited(project: Make) -> None:
    made = project(
        """
        @app.task
        def add(x, y):
            return x + y
        """
    )

    async def both() -> list[int]:
        sent = [made.app.send_task("proj.add", (n, n)) for n in range(2)]
        return [await result for result in sent]

    with made.worker("-c", "1"):
        assert asyncio.run(both()) == [0, 2]


def test_the_state_shows_that_a_task_has_started(project: Make) -> None:
    made = project(
        """
        @app.task(track_started=True)
        def wait():
            while not os.path.exists("go"):
                time.sleep(0.01)
        """
    )
    with made.worker("-c", "1") as worker:
        sent = made.app.send_task("proj.wait")
        until(lambda: sent.state == "STARTED")
        info = sent.info
        assert info["hostname"] == "w1@host"
        assert info["pid"] in worker.family()
        (made.folder / "go").touch()
        sent.get(timeout=patience())


@pytest.mark.parametrize("pool", ["prefork", "threads", "asyncio", "solo"])
def test_every_pool_runs_both_kinds_of_tasks(project: Make, pool: str) -> None:
    made = project(
        """
        @app.task(bind=True)
        def plain(self, x):
            return [x, self.request.hostname]

        @app.task
        async def native(x):
            await asyncio.sleep(0.01)
            return x * 2
        """
    )
    with made.worker("-c", "2", "-P", pool) as worker:
        assert made.app.send_task("proj.plain", (1,)).get(timeout=patience()) == [1, "w1@host"]
        assert made.app.send_task("proj.native", (4,)).get(timeout=patience()) == 8
        worker.signal(signal.SIGINT)
        assert worker.wait() == 0


def test_tasks_send_tasks(project: Make) -> None:
    made = project(
        """
        @app.task
        def leaf(x):
            tell("leaf", x)

        @app.task(bind=True)
        def parent(self):
            return [leaf.delay(n).id for n in range(3)]
        """
    )
    with made.worker("-c", "1"):
        sent = made.app.send_task("proj.parent")
        ids = sent.get(timeout=patience())
        until(lambda: len(made.effects()) == 3)
        assert [child.id for child in sent.children or []] == ids
    assert json.dumps(ids)


def test_what_stands_behind_many_that_nobody_knows_runs_once(project: Make) -> None:
    made = project("@app.task\ndef mark(number): tell(number)")
    with made.app.batch():
        for _ in range(2000):
            made.app.send_task("nobody.knows")
        for number in range(100):
            made.app.send_task("proj.mark", (number,))
    with made.worker("-c", "1"):
        until(lambda: len(made.effects()) >= 100)
        until(lambda: made.app.broker.depth(["celery"])["celery"].held == 0)
    assert sorted(made.effects()) == sorted([str(number)] for number in range(100))
    broker, purged = made.app.broker, 0

    def are_purged() -> bool:
        nonlocal purged
        broker.recover()  # those that the worker had just looked at again
        purged += broker.purge("celery")
        return purged >= 2000

    until(are_purged)
    assert purged == 2000
