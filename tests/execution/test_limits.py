"""Soft limits of sync tasks."""

from __future__ import annotations

import collections
import contextlib
import functools
import operator
import signal
import threading
import time
import traceback

import pytest

from umbel.errors import SoftTimeLimitExceeded
from umbel.execution import limits
from umbel.execution.outcome import Kind
from umbel.testing.waiting import NEVER, pace, patience, until


def spin(seconds):
    """Work for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


@pytest.fixture(autouse=True)
def nothing_stays_behind():
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_a_task_that_ends_in_time_is_left_alone():
    assert limits.call(spin, (0.001,), {}, 20) == "done"


@pytest.mark.parametrize("work", [spin, time.sleep])
def test_a_task_that_goes_on_is_interrupted(work):
    began = pace()
    with pytest.raises(SoftTimeLimitExceeded):
        limits.call(lambda: work(20), (), {}, 0.02)
    assert pace() - began < 10


def test_a_function_written_in_c_is_interrupted_too():
    with pytest.raises(SoftTimeLimitExceeded):
        limits.call(time.sleep, (20,), {}, 0.01)


def test_an_alarm_that_comes_just_before_the_task_blocks_is_not_lost():
    """It rings while C code runs that does not look, and then waits: nothing would wake it but another alarm."""
    busy, blocked = functools.partial(sum, range(3_000_000)), functools.partial(time.sleep, NEVER)
    with pytest.raises(SoftTimeLimitExceeded):
        limits.call(collections.deque, (map(operator.call, (busy, blocked)), 0), {}, 0.001)


def test_a_task_that_has_heard_of_its_limit_hears_no_more_alarms():
    def task():
        with contextlib.suppress(SoftTimeLimitExceeded):
            spin(20)
        return signal.getitimer(signal.ITIMER_REAL)

    assert limits.call(task, (), {}, 0.01) == (0.0, 0.0)


def test_a_task_may_clean_up_for_as_long_as_it_likes():
    def task():
        try:
            spin(20)
        except SoftTimeLimitExceeded:
            return spin(0.05)

    assert limits.call(task, (), {}, 0.01) == "done"


def test_a_limit_of_nothing_strikes_inside_the_task():
    def task():
        try:
            spin(20)
        except SoftTimeLimitExceeded:
            return "inside"

    assert limits.call(task, (), {}, 0) == "inside"


def test_a_limit_that_ends_with_the_task_strikes_inside_or_not_at_all():
    """Thousands of tasks as long as their limit: whatever the alarm hits, it is never our own code."""

    def task():
        try:
            spin(0.001)
        except SoftTimeLimitExceeded:
            return "inside"
        return "done"

    def end():
        try:
            return limits.call(task, (), {}, 0.001)
        except SoftTimeLimitExceeded as error:  # before its `try`, or behind that
            return traceback.extract_tb(error.__traceback__)[-2].name

    assert {end() for _ in range(500)} <= {"inside", "done", "task"}


def test_an_alarm_after_the_end_does_nothing():
    limit = limits._Limit(1)
    limit.ring(signal.SIGALRM, None)
    assert not limit.live


def test_an_alarm_in_our_own_frame_is_tried_again():
    class Frame:
        f_code = limits._Limit.call.__code__

    limit = limits._Limit(1)
    limit.live = True
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))  # without a handler it would end this process
    try:
        limit.ring(signal.SIGALRM, Frame)
        assert limit.live
        until(lambda: rang)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_timer_and_handler_of_the_user_s_are_given_back():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0)
        limits.call(spin, (0.03,), {}, 20)
        deadline = time.monotonic() + 10
        while not rang and time.monotonic() < deadline:
            time.sleep(0.001)
        assert rang == [1]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_task_that_takes_the_alarm_for_itself_keeps_it():
    def task():
        signal.signal(signal.SIGALRM, own)

    def own(*_):
        pass

    limits.call(task, (), {}, 20)
    assert signal.getsignal(signal.SIGALRM) is own
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0), "an alarm of ours is not for it"
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_limits_may_lie_inside_each_other():
    def outer():
        with pytest.raises(SoftTimeLimitExceeded):
            limits.call(spin, (20,), {}, 0.01)
        spin(20)

    with pytest.raises(SoftTimeLimitExceeded):
        limits.call(outer, (), {}, 0.1)


def test_outside_the_main_thread_there_is_no_limit():
    ends = []
    thread = threading.Thread(target=lambda: ends.append(limits.call(spin, (0.02,), {}, 0.001)))
    thread.start()
    thread.join()
    assert ends == ["done"]


def test_another_thread_can_be_interrupted():
    ends, ready = [], threading.Event()

    def work():
        ready.set()
        try:
            spin(20)
        except SoftTimeLimitExceeded:
            ends.append("interrupted")

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    assert limits.interrupt(thread.ident)
    thread.join(patience())
    assert ends == ["interrupted"]
    assert not limits.interrupt(thread.ident)


def test_what_is_taken_back_does_not_come_any_more():
    ends = []

    def work():
        for _ in range(100):
            try:
                limits.interrupt(threading.get_ident())
                limits.calm()
            except SoftTimeLimitExceeded:
                ends.append("came at once")
            ends.append("calm")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(patience())
    assert ends.count("calm") == 100
    assert ends[-1] == "calm"


def test_the_executor_keeps_the_job_s_limit(house):
    @house.task
    def slow():
        spin(20)

    @house.task
    def partial():
        return functools.partial(spin, 0.001)()

    outcome = house.run(slow, soft=0.01)
    assert (outcome.kind, outcome.text) == (Kind.FAILURE, "SoftTimeLimitExceeded()")
    assert "execution/execute.py" not in outcome.traceback
    assert house.run(partial, soft=20).text == "'done'"
