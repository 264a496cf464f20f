"""What code for Celery does with schedules and schedulers."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from umbel import Umbel
from umbel.beat.scheduler import Scheduler, event_t
from umbel.schedules import crontab, schedule

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize("made", [crontab(hour=4, minute=0), schedule(30)])
def test_the_zone_of_a_schedule_can_be_set(made: Any) -> None:
    made.tz = "Europe/Paris"
    assert made.tz == PARIS
    made.tz = datetime.UTC
    assert made.tz is datetime.UTC
    made.tz = None
    assert str(made.tz) == "UTC"


def test_a_crontab_takes_its_clock_and_its_app_by_place() -> None:
    app = Umbel("clock", timezone="Europe/Paris", set_as_current=False)
    now = datetime.datetime(2026, 3, 14, 3, 0, tzinfo=PARIS)
    made = crontab(0, 4, "*", "*", "*", lambda: now, app)
    assert made.remaining_estimate(now) == datetime.timedelta(hours=1)


def test_a_scheduler_hands_on_what_celerys_tick_takes() -> None:
    class Mine(Scheduler):
        ticked: tuple[Any, ...] = ()

        def tick(self, *args: Any, **kwargs: Any) -> float:
            self.ticked = args
            return super().tick(*args, **kwargs)

    with Umbel("ticks", broker="memory://ticks", set_as_current=False) as app:
        mine = Mine(app=app, lazy=True)
        assert mine.tick(event_t, min, heappop=None) >= 0
        assert mine.ticked == (event_t, min)
