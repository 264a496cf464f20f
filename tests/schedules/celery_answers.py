"""Run by Celery's interpreter: reads questions about schedules as JSON, prints Celery's answers."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.schedules import crontab, schedule

apps: dict[str, Celery] = {}


def app_in(zone: str) -> Celery:
    """An app whose timezone that is."""
    if zone not in apps:
        apps[zone] = Celery(set_as_current=False)
        apps[zone].conf.timezone = zone
    return apps[zone]


def calendar(words: list[Any], zone: str, last: float) -> float | None:
    """When a crontab fires first after `last`."""
    run = datetime.fromtimestamp(last, UTC)
    found = crontab(*words, nowfun=lambda: run, app=app_in(zone))
    return last + found.remaining_estimate(run).total_seconds()


def interval(every: float, relative: bool, zone: str, last: float, now: float) -> list[Any]:
    """The answer of `is_due`, and the estimate."""
    run = datetime.fromtimestamp(last, app_in(zone).timezone)
    found = schedule(every, relative, nowfun=lambda: datetime.fromtimestamp(now, UTC), app=app_in(zone))
    state = found.is_due(run)
    return [state.is_due, state.next, found.remaining_estimate(run).total_seconds(), repr(found)]


def due(words: list[Any], zone: str, last: float, now: float) -> list[Any]:
    """The answer of a crontab's `is_due`, and its repr."""
    found = crontab(*words, nowfun=lambda: datetime.fromtimestamp(now, UTC), app=app_in(zone))
    state = found.is_due(datetime.fromtimestamp(last, UTC))
    return [state.is_due, state.next, repr(found)]


def field(name: str, words: Any) -> list[int] | None:
    """The numbers that the words admit; None if they are refused."""
    try:
        return sorted(getattr(crontab(**{name: words}), name))
    except Exception:  # its ParseException is neither a ValueError nor a TypeError
        return None


QUESTIONS = {"calendar": calendar, "interval": interval, "due": due, "field": field}
asked = json.load(sys.stdin)
json.dump({kind: [QUESTIONS[kind](*question) for question in questions] for kind, questions in asked.items()}, sys.stdout)
