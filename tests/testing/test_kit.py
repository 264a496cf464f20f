"""The kit for tests of programs."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time

import pytest

from umbel import Ignore, Reject, TimeoutError, Umbel, allow_join_result, chord, clock, current_app, group, signals
from umbel.errors import ChordError
from umbel.testing.kit import Kit
from umbel.testing.waiting import patience


@pytest.fixture
def app():
    """A program's app, whose stores no test may touch."""
    with Umbel("proj", broker="sqlite:////nowhere/at/all.db", task_routes={"proj.mail": "mail"}, set_as_current=False) as app:
        yield app


@pytest.fixture
def add(app):
    @app.task(name="proj.add")
    def add(x, y):
        return x + y

    return add


@pytest.fixture
def kit(app):
    with Kit(app) as kit:
        yield kit


def test_nothing_runs_until_it_is_stepped(kit, add):
    first, second = add.delay(1, 2), add.delay(3, 4)
    assert (kit.due, first.state, add.app.conf.broker_url[:9]) == (2, "PENDING", "memory://")
    ran = kit.step()
    assert (ran.task, ran.state, ran.text, ran.message.args) == ("proj.add", "SUCCESS", "3", [1, 2])
    assert (first.state, second.state) == ("SUCCESS", "PENDING")
    assert [each.state for each in kit.run()] == ["SUCCESS"]
    assert kit.step() is None
    assert (second.get(), repr(kit)) == (7, "<Kit: 0 due, 0 later, 2 sent>")


def test_tasks_run_in_the_thread_of_the_test(app, kit):
    @app.task
    def here():
        return threading.current_thread().name

    @app.task
    async def later():
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is not None

    results = here.delay(), later.delay()
    kit.run()
    assert [result.get() for result in results] == [threading.current_thread().name, True]


def test_a_retry_in_three_days_takes_no_time(app, kit):
    tries = []

    @app.task(bind=True, max_retries=5)
    def patient(self):
        tries.append((self.request.retries, clock.now()))
        if len(tries) < 3:
            raise self.retry(countdown=3 * 86400)
        return "done"

    began = time.monotonic()
    result = patient.delay()
    assert [ran.state for ran in kit.run()] == ["RETRY"]
    assert (result.state, kit.due, kit.later) == ("RETRY", 0, 1)
    kit.advance(days=2, hours=23)
    assert kit.run() == []
    kit.advance(datetime.timedelta(hours=1))
    assert [ran.state for ran in kit.run()] == ["RETRY"]
    assert [ran.state for ran in kit.drain()] == ["SUCCESS"]
    assert [retries for retries, _ in tries] == [0, 1, 2]
    assert tries[2][1] - tries[0][1] == 6 * 86400
    assert result.get() == "done"
    assert time.monotonic() - began < 3600


def test_the_clock_stands_still_and_may_be_set(app):
    @app.task
    def now():
        return clock.now()

    before = clock.now
    with Kit(app, at=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)) as kit:
        result = now.apply_async(countdown=10)
        kit.drain()
        assert result.get() == datetime.datetime(2030, 1, 1, 0, 0, 10, tzinfo=datetime.UTC).timestamp()
        assert kit.now.isoformat() == "2030-01-01T00:00:10+00:00"
        assert result.date_done == kit.now
        with pytest.raises(ValueError, match="only forward"):
            kit.advance(-1)
    assert clock.now is before


def test_what_was_sent_is_told(app, kit, add):
    @app.task(name="proj.mail")
    def mail(to): ...

    add.apply_async((1,), {"y": 2}, countdown=60, priority=3, headers={"tenant": "a"}, link=mail.s())
    mail.delay("me")
    sent = kit.assert_sent(add, (1,), {"y": 2}, times=1, priority=3, countdown=60)
    assert (sent.queue, sent.headers, sent.link[0]["task"], sent.retries) == ("celery", {"tenant": "a"}, "proj.mail", 0)
    assert kit.assert_sent("proj.mail", ["me"]).queue == "mail"
    kit.drain()
    follow = kit.assert_sent(mail, [3])
    assert (follow.parent_id, len(kit.sent_of(mail))) == (sent.id, 2)
    with pytest.raises(
        AssertionError, match=r"proj.add was not sent with args=\[9\]; sent were\n  proj.add\(1, y=2\)  \[queue celery, in 60"
    ):
        kit.assert_sent(add, (9,))
    with pytest.raises(AssertionError, match=r"proj.mail was sent 2 times, not 3,; sent were"):
        kit.assert_sent(mail, times=3)
    with pytest.raises(AssertionError, match=r"nothing was to be sent of this task; sent were\n  proj.mail\('me'\)"):
        kit.assert_not_sent(mail)
    with pytest.raises(TypeError, match="a message has no 'colour'; it has task, args"):
        kit.assert_sent(mail, colour="red")
    kit.sent.clear()
    kit.assert_not_sent()


def test_how_messages_may_end(app, kit, add):
    @app.task
    def ends(how):
        if how is None:
            raise ValueError("boom")
        raise Ignore if how else Reject("no")

    assert [ran.state for how in (None, True, False) for ran in (ends.delay(how), kit.run())[1]] == [
        "FAILURE",
        "IGNORED",
        "REJECTED",
    ]
    assert [letter.reason for letter in kit.dead] == ["it was rejected: 'no'"]
    add.apply_async((1, 2), expires=5)
    kit.advance(10)
    revoked = add.delay(1, 2)
    revoked.revoke()
    assert [str(ran) for ran in kit.run()] == [
        "proj.add(1, 2)  [queue celery] REVOKED",
        "proj.add(1, 2)  [queue celery] REVOKED",
    ]
    app.send_task("unknown.task")
    assert kit.step().state == ""
    assert [ran.state for ran in kit.drain()][-1] == "FAILURE"
    ends.delay(None)
    with pytest.raises(AssertionError, match=r"FAILURE ValueError\('boom'\)\nTraceback"):
        kit.run(throw=True)


def test_what_never_ends_is_given_up(app, kit):
    @app.task(bind=True)
    def again(self):
        self.delay()

    again.delay()
    with pytest.raises(AssertionError, match="there is still something to run after 20 steps"):
        kit.run(most=20)

    @app.task(bind=True, max_retries=None)
    def retries(self):
        raise self.retry(countdown=1)

    kit.broker.purge("celery")
    retries.delay()
    with pytest.raises(AssertionError, match="there is still something to run after 20 steps"):
        kit.drain(most=20)


def test_who_waits_makes_the_worker_step(app, kit, add):
    @app.task
    def waits():
        with allow_join_result():
            return add.delay(1, 2).get() + sum(add.delay_many([(1, 1), (2, 2)]).get())

    assert waits.delay().get(timeout=patience()) == 9
    later = add.apply_async((1, 2), countdown=60)
    with pytest.raises(TimeoutError, match=f"task {later.id} has not ended, and nothing is due before 60 s"):
        later.get()
    kit.drain()
    with pytest.raises(TimeoutError, match="task x has not ended, and nothing is left to run"):
        app.AsyncResult("x").get()

    async def main():
        result = await add.adelay(5, 6)
        return await result

    assert asyncio.run(main()) == 11


def test_a_step_may_be_made_inside_a_running_loop(app, kit, add):
    @app.task
    async def inner():
        return 5

    async def main():
        results = add.delay(1, 2), inner.delay()
        kit.run()
        return [await result for result in results]

    assert asyncio.run(main()) == [3, 5]


def test_the_app_is_as_before_afterwards(app, add):
    before = app.conf.broker_url, app.conf.task_always_eager
    app.conf.task_always_eager = True
    with Kit(app, task_default_queue="tests") as kit:
        assert current_app._get_current_object() is app
        add.delay(1, 2)
        assert kit.sent[0].queue == "tests"
    assert (app.conf.broker_url, app.conf.task_default_queue) == (before[0], "celery")
    assert add.delay(1, 2).get() == 3
    assert app._broker is None
    with Kit(app) as kit:
        assert (kit.sent, kit.due) == ([], 0)
        add.delay(2, 2)
        assert kit.run()[0].text == "4"


def test_a_kit_has_an_app_of_its_own_if_none_is_given():
    with Kit() as kit:

        @kit.app.task
        def double(x):
            return 2 * x

        assert double.delay(4).get() == 8


def test_canvases_are_run_step_by_step(app, kit, add):
    @app.task
    def whole(parts):
        return sum(parts)

    @app.task
    def fail():
        raise ValueError("no")

    result = chord([add.s(1, 1), add.s(2, 2)])(whole.s())
    assert [str(kit.step().message.args) for _ in range(3)] == ["[1, 1]", "[2, 2]", "[[2, 4]]"]
    assert (kit.step(), result.get(), len(kit.sent)) == (None, 6, 3)
    steps = (add.s(1, 1) | add.s(3) | group(add.s(1), add.s(2))).apply_async()
    assert steps.get() == [6, 7]
    broken = chord([add.s(1, 1), fail.s()])(whole.s())
    kit.run()
    with pytest.raises(ChordError, match=r"raised ValueError\('no'\)"):
        broken.get()
    saved = group(add.s(1, 1), fail.s()).apply_async()
    saved.save()
    kit.drain()
    assert app.GroupResult.restore(saved.id).completed_count() == 1


def test_batches_and_signals_are_as_with_any_worker(app, kit, add):
    seen = []

    def after(sender=None, retval=None, **_):
        seen.append(retval)

    signals.task_postrun.connect(after)
    try:
        with app.batch():
            add.delay(1, 2)
            add.delay(3, 4)
            kit.assert_not_sent()
        kit.run()
    finally:
        signals.task_postrun.disconnect(after)
    assert seen == [3, 7]
