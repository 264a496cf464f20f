"""Rate limits as users write them, and the buckets that keep them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from umbel import Umbel, clock
from umbel.errors import ImproperlyConfigured
from umbel.stores.broker import Delivery
from umbel.wire.envelope import Envelope
from umbel.worker.later import MOST, Later
from umbel.worker.ratelimit import LINE, Bucket, RateLimits, per_second
from umbel.worker.worker import rate_limits


@pytest.mark.parametrize(
    ("limit", "rate"), [(None, 0), (10, 10), (0.5, 0.5), ("10", 10), ("10/s", 10), ("30/m", 0.5), ("36/h", 0.01), (0, 0)]
)
def test_a_limit_is_runs_per_unit_of_time(limit: float | str | None, rate: float) -> None:
    assert per_second(limit) == pytest.approx(rate)


@pytest.mark.parametrize(
    "limit", ["ten", "10/d", "-1/s", -1, "nan", float("inf"), "/s", b"1/s", [1], 10**400, 3j, object()], ids=range(12)
)
def test_what_is_no_rate_is_refused_by_name(limit: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="is no rate"):
        per_second(limit)


def test_a_bucket_lets_one_through_each_interval() -> None:
    bucket = Bucket(10.0)
    assert bucket.take(5.0) == 0.0
    assert bucket.take(5.04) == pytest.approx(0.06)
    assert bucket.take(5.1) == 0.0


def test_an_idle_bucket_saves_up_no_runs() -> None:
    bucket = Bucket(10.0)
    assert bucket.take(5.0) == 0.0
    assert bucket.take(500.0) == 0.0
    assert bucket.take(500.0) > 0.0


def test_turns_in_the_line_are_an_interval_apart() -> None:
    bucket = Bucket(10.0)
    assert bucket.take(1000.0) == 0.0
    assert [bucket.turn(1000.0) for _ in range(3)] == pytest.approx([0.2, 0.3, 0.4])


def test_the_line_has_an_end() -> None:
    bucket = Bucket(0.1)
    bucket.take(1000.0)
    assert max(bucket.turn(1000.0) for _ in range(50)) <= LINE


def test_a_bucket_tells_how_long_those_stay_that_it_has_sent_away() -> None:
    bucket = Bucket(0.1)
    assert bucket.away_for(1000.0) == 0.0
    bucket.take(1000.0)
    waits = [
        bucket.send_away((0, number, 1000.0, Delivery(Envelope(str(number), "q", b"", b""), "q", None, 1)), 1000.0)
        for number in range(3)
    ]
    assert bucket.away_for(1000.0) == max(waits) == pytest.approx(40.0)


def numbered(number: int, priority: int = 0) -> Delivery:
    return Delivery(Envelope(str(number), "q", b"", b"", priority=priority), "q", None, 1)


def test_who_is_put_out_of_the_line_comes_back_before_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "monotonic", lambda: 1000.0)
    bucket, later = Bucket(40.0), Later(lambda deliveries: asyncio.sleep(0))
    bucket.take(1000.0)
    assert [later.line_up(numbered(number), bucket) for number in range(MOST)] == [None] * MOST
    away = [later.line_up(numbered(number), bucket) for number in range(MOST, MOST + 20)]
    soonest = min(wait for _, wait in filter(None, away))
    out = [later.line_up(numbered(number, priority=9), bucket) for number in range(1000, 1003)]
    assert [delivery.envelope.id for delivery, _ in filter(None, out)] == [str(MOST - 1), str(MOST - 2), str(MOST - 3)]
    assert all(wait < soonest for _, wait in filter(None, out))
    back = later.line_up(numbered(MOST - 2), bucket)  # and the line is full yet, or again
    assert back is not None
    assert 0 < back[1] < soonest


def test_each_task_has_its_own_bucket() -> None:
    limits = RateLimits()
    limits.set("a", "1/h")
    limits.set("b", "1/h")
    assert limits.buckets["a"].take(1000.0) == 0.0
    assert limits.buckets["b"].take(1000.0) == 0.0
    assert limits.buckets["a"].take(1000.0) == pytest.approx(3600.0)


def test_the_default_holds_for_tasks_without_a_limit() -> None:
    limits = RateLimits(default="2/s")
    limits.set("a", None)
    limits.set("b", 0)
    assert set(limits.buckets) == {"a"}
    assert limits.buckets["a"].take(1000.0) == 0.0
    assert limits.buckets["a"].take(1000.0) == pytest.approx(0.5)


def test_a_limit_can_be_taken_away() -> None:
    limits = RateLimits()
    limits.set("a", "1/h")
    limits.set("a", 0)
    assert limits.buckets == {}


def test_limits_that_are_disabled_let_all_through() -> None:
    limits = RateLimits(disabled=True)
    limits.set("a", "1/h")
    assert limits.buckets == {}


def test_all_limits_that_are_none_are_told_at_start() -> None:
    app = Umbel("rates", broker="memory://rates", set_as_current=False)
    for name, limit in (("first", "often"), ("second", "10/s"), ("third", "10/week")):
        type(app.task(lambda: None, name=name)).rate_limit = limit
    with pytest.raises(ImproperlyConfigured) as caught:
        rate_limits(app)
    first, third = str(caught.value).split("\n")
    assert first.startswith("first: rate_limit 'often'")
    assert third.startswith("third: rate_limit '10/week'")
