from __future__ import annotations

from collections import deque

from umbel.pools.pace import BATCH, DEEPEST, HAND, MOST, Pace
from umbel.testing.pools import job, jobs


def pace_of(**means: float) -> Pace:
    pace = Pace()
    for task, spent in means.items():
        pace.learn([(job(task), spent)])
    return pace


def test_one_job_while_its_duration_is_unknown():
    waiting = deque(jobs(10, "new"))
    batch = Pace().batch(waiting, load=0.0, count=0, most=MOST)
    assert [each.task for each, _ in batch] == ["new"]
    assert len(waiting) == 9
    assert Pace().batch(waiting, load=batch[0][1], count=1, most=MOST) == []


def test_one_long_job_at_a_time():
    waiting = deque(jobs(10, "long"))
    assert len(pace_of(long=0.1).batch(waiting, load=0.0, count=0, most=MOST)) == 1


def test_short_jobs_come_in_batches_that_are_short_in_time():
    pace = pace_of(short=0.001)
    batch = pace.batch(deque(jobs(100, "short")), load=0.0, count=0, most=MOST)
    assert sum(cost for _, cost in batch) <= HAND
    assert 8 <= len(batch) <= 10
    assert pace.batch(deque(jobs(100, "short")), load=BATCH * 1.1, count=6, most=MOST) == []


def test_an_unknown_or_long_job_waits_behind_short_ones():
    waiting = deque([*jobs(2, "short"), job("new"), *jobs(2, "short")])
    assert len(pace_of(short=0.001).batch(waiting, load=0.0, count=0, most=MOST)) == 2
    assert waiting[0].task == "new"


def test_even_the_shortest_jobs_come_in_bounded_batches():
    pace = pace_of(noop=0.0)
    assert len(pace.batch(deque(jobs(1000, "noop")), load=0.0, count=0, most=MOST)) == MOST
    assert len(pace.batch(deque(jobs(1000, "noop")), load=0.0, count=0, most=7)) == 7


def test_large_bodies_come_in_smaller_batches():
    waiting = deque(jobs(100, "noop", "x" * 100_000))
    assert len(pace_of(noop=0.0).batch(waiting, load=0.0, count=0, most=MOST)) == 3


def test_the_mean_follows_and_forgets():
    pace = pace_of(task=0.001)
    pace.learn([(job("task"), 10.0)])
    assert len(pace.batch(deque(jobs(5, "task")), load=0.0, count=0, most=MOST)) == 1
    for _ in range(60):
        pace.learn([(job("task"), 0.001)])
    assert len(pace.batch(deque(jobs(5, "task")), load=0.0, count=0, most=MOST)) > 1


def test_the_stock_for_each_slot_is_one_job_unless_jobs_are_short():
    pace = Pace()
    assert pace.stock == 1
    pace.learn([(job("long"), 10.0)])
    assert pace.stock == 1
    pace.learn([(each, 0.001) for each in jobs(200, "short")])
    assert 10 <= pace.stock <= 20
    pace.learn([(each, 0.000001) for each in jobs(1000, "noop")])
    assert pace.stock == DEEPEST
