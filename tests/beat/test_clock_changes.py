"""A beat that runs while the clocks of Paris are changed: the machine's time is moved to just before that, and then goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.beat.messages import drain, waiting

from umbel import Umbel, clock
from umbel.testing.waiting import until

SPRING = "2027-03-28T01:00:00"
AUTUMN = "2027-10-31T01:00:00"
"""When the clock is changed, in UTC: 02:00 becomes 03:00, and 03:00 becomes 02:00."""


def to(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture
def passes(app: Umbel, start: Callable, moved: Callable) -> Callable[..., None]:
    """`passes(when, *sent)`: the clock is set to a second before `when`; these are sent by a beat that runs until it is past."""
    app.conf.timezone = "Europe/Paris"
    running: list = []

    def pass_by(when: str, *sent: tuple[str, str]) -> None:
        moved(to(when) - 1.0 - clock.now())
        if not running:
            running.append(start(app).leads())
        until(lambda: clock.now() > to(when) + 0.5)
        until(lambda: waiting(app) >= len(sent))
        found = [(each["periodic_task_name"], datetime.fromtimestamp(each["due"], app.timezone)) for each in drain(app)]
        assert sorted((name, f"{due:%H:%M %Z}") for name, due in found) == list(sent)

    return pass_by


def entries(app: Umbel, **schedules: str) -> None:
    app.conf.beat_schedule = {name: {"task": "add", "schedule": each} for name, each in schedules.items()}


def test_in_spring_what_the_clock_leaves_out_is_sent_as_soon_as_it_goes_on(app, passes):
    entries(app, gap="30 2 * * *", both="0,30 2,3 * * *", behind="0 3 * * *", hourly="0 * * * *", later="30 3 * * *")
    passes(SPRING, *((name, "03:00 CEST") for name in ("behind", "both", "gap", "hourly")))
    passes("2027-03-28T01:30:00", ("both", "03:30 CEST"), ("later", "03:30 CEST"))


def test_in_autumn_what_comes_twice_is_sent_once_and_a_rhythm_goes_on(app, passes):
    entries(app, twice="0 2 * * *", later="30 2 * * *", hourly="0 * * * *", three="0 3 * * *")
    passes("2027-10-31T00:00:00", ("hourly", "02:00 CEST"), ("twice", "02:00 CEST"))
    passes("2027-10-31T00:30:00", ("later", "02:30 CEST"))
    passes(AUTUMN, ("hourly", "02:00 CET"))
    passes("2027-10-31T01:30:00")
    passes("2027-10-31T02:00:00", ("hourly", "03:00 CET"), ("three", "03:00 CET"))
