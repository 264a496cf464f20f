"""Bytes to events: what anybody may have sent."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from umbel import clock
from umbel.events.event import is_meant, utc_offset
from umbel.events.reading import FURTHEST, Reader
from umbel.wire.lamport import Lamport
from umbel.wire.typed_json import to_json

JSON = frozenset({"application/json"})
ANY_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)
FIELDS = some.sampled_from(["type", "hostname", "uuid", "clock", "timestamp", "utcoffset", "pid", "local_received"])


def reader(value: int = 0) -> Reader:
    return Reader(Lamport(value), JSON)


def read(reader: Reader, value: object) -> list[dict]:
    return reader.read(to_json(value), "application/json", "utf-8")


GOOD = {"type": "task-started", "hostname": "w@h", "uuid": "1", "clock": 5, "timestamp": 3.0, "utcoffset": utc_offset()}


def test_one_event_or_many_are_read_and_get_when_they_came(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clock, "now", lambda: 7.0)
    found = read(reader(), GOOD)
    assert found == [{**GOOD, "local_received": 7.0}]
    assert read(reader(), [GOOD, GOOD]) == found * 2


def test_the_clock_goes_on_beyond_what_was_heard():
    it = reader(10)
    read(it, [{**GOOD, "clock": 50}, {**GOOD, "clock": 20}])
    assert it._clock.value == 52


def test_what_a_client_sends_comes_before_what_was_heard_last():
    (found,) = read(reader(10), {**GOOD, "type": "task-sent", "clock": 99})
    assert found["clock"] == 9


def test_times_are_told_by_the_clock_on_this_wall():
    (found,) = read(reader(), {**GOOD, "utcoffset": utc_offset() - 2})
    assert found["timestamp"] == 3.0 + 2 * 3600


def test_each_kind_of_nonsense_is_refused_and_logged_once(caplog: pytest.LogCaptureFixture):
    it = reader()
    bad = [
        3,
        {"type": "task-x"},
        {"hostname": "h"},
        {**GOOD, "uuid": None},
        {**GOOD, "timestamp": "noon"},
        {**GOOD, "timestamp": True},
        {**GOOD, "utcoffset": 1e9},
        {**GOOD, "clock": -1},
        {**GOOD, "clock": 2 * FURTHEST},
        {**GOOD, "clock": "5"},
    ]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert read(it, bad) == []
    assert sum(it.refused.values()) == 3 * len(bad)
    assert len(caplog.records) == len(it.refused) == 5
    assert read(it, [*bad, GOOD]) != []


def test_bytes_that_are_nothing_and_types_that_are_not_taken_are_refused():
    it = reader()
    assert it.read(b"\xff\x00", "application/json", "utf-8") == []
    assert it.read(b"\x80\x04N.", "application/x-python-serialize", "binary") == []
    assert it.read(b"[" * 100_000, "application/json", "utf-8") == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_JSON | some.dictionaries(FIELDS, ANY_JSON) | some.lists(some.dictionaries(FIELDS, ANY_JSON)))
def test_nothing_that_is_json_ends_it(value):
    for event in read(reader(), value):
        assert isinstance(event["type"], str)
        assert isinstance(event["hostname"], str)
        assert isinstance(event["clock"], int)


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("#", "task.sent", True),
        ("task.#", "task.sent", True),
        ("task.#", "task", True),
        ("task.*", "task.sent", True),
        ("task.*", "task", False),
        ("worker.#", "task.sent", False),
        ("worker.heartbeat", "worker.heartbeat", True),
        ("*.heartbeat", "worker.heartbeat", True),
    ],
)
def test_routing_keys_fit_patterns(pattern, key, fits):
    assert is_meant(pattern, key) is fits
