"""Moments as options give them."""

from __future__ import annotations

import datetime

import pytest

from umbel import clock
from umbel.messages import when

NOW = 1_700_000_000.0
BERLIN = datetime.timezone(datetime.timedelta(hours=1))


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


def test_a_countdown_becomes_a_time():
    assert when.start(None, 60) == ("2023-11-14T22:14:20+00:00", NOW + 60)


def test_an_eta_keeps_its_offset_and_a_naive_one_is_utc():
    eta = datetime.datetime(2030, 1, 1, 1, tzinfo=BERLIN)
    assert when.start(eta, None) == ("2030-01-01T01:00:00+01:00", 1_893_456_000.0)
    assert when.start("2030-01-01T00:00:00", None) == ("2030-01-01T00:00:00+00:00", 1_893_456_000.0)


def test_nothing_given_is_at_once():
    assert when.start(None, None) == (None, None)


def test_an_eta_wins_over_a_countdown():
    assert when.start("2030-01-01T00:00:00+00:00", 5)[1] == 1_893_456_000.0


@pytest.mark.parametrize(
    ("expires", "text"),
    [
        (None, None),
        (20, "2023-11-14T22:13:40+00:00"),
        ("2030-01-01", "2030-01-01"),
        (datetime.datetime(2030, 1, 1, tzinfo=BERLIN), "2030-01-01T00:00:00+01:00"),
    ],
)
def test_an_expiry_is_seconds_a_date_or_text(expires, text):
    assert when.expiry(expires) == text
