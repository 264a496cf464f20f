"""Schedules beside Celery's, away from clock changes: the same firings, the same `is_due`, the same fields read."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.servers.missing import lacks

from umbel.errors import ScheduleError
from umbel.schedules import crontab, fields, schedule

CELERY = Path(__file__).parents[2] / ".bench" / "celery" / "bin" / "python"
SEED = int(os.environ.get("UMBEL_SEED", "0")) or random.randrange(1, 1 << 32)
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day_of_week": (0, 6), "day_of_month": (1, 31), "month_of_year": (1, 12)}
NAMES = {
    "day_of_week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sunday", "Monday", "FRIDAY"),
    "month_of_year": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "January"),
}
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")
FIRST, LAST = datetime(2001, 1, 1, tzinfo=UTC).timestamp(), datetime(2036, 1, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def choice() -> random.Random:
    print("seed", SEED)
    return random.Random(SEED)


def celery(**questions: list[Any]) -> dict[str, list[Any]]:
    """Celery's answers; without it the test fails on CI, and is skipped at home."""
    if not CELERY.exists():
        lacks("Celery is not in .bench/celery: run scripts/setup celery .bench/celery")
    script = Path(__file__).with_name("celery_answers.py")
    done = subprocess.run([CELERY, script], input=json.dumps(questions), capture_output=True, text=True, check=True)
    answers: dict[str, list[Any]] = json.loads(done.stdout)
    return answers


def words_of(name: str, choice: random.Random) -> str | int | list[int]:
    """Something that both read."""
    low, high = FIELDS[name]

    def number() -> str:
        return choice.choice(NAMES[name]) if name in NAMES and choice.random() < 0.3 else str(choice.randint(low, high))

    def part() -> str:
        kind = choice.randrange(5)
        if kind == 0:
            return "*" + f"/{choice.randint(1, high)}" * choice.randrange(2)
        if kind < 3:
            return number()
        return f"{number()}-{number()}" + f"/{choice.randint(1, high)}" * (kind == 4)

    kind = choice.randrange(10)
    if kind < 3:
        return "*"
    if kind == 3:
        return choice.randint(low, high)
    if kind == 4:
        return [choice.randint(low, high) for _ in range(choice.randint(1, 4))]
    return ",".join(part() for _ in range(choice.choice((1, 1, 1, 2, 3))))


def crontab_words(choice: random.Random) -> list[Any]:
    """Five fields that can come to pass."""
    while True:
        words = [words_of(name, choice) for name in FIELDS]
        try:
            crontab(*words)
        except ScheduleError:
            continue
        return words


def offset(moment: float, zone: str) -> object:
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).utcoffset()


def test_crontabs_fire_when_celerys_do(choice):
    asked = [(crontab_words(choice), choice.choice(ZONES), round(choice.uniform(FIRST, LAST), 3)) for _ in range(10_000)]
    answers = celery(calendar=asked)["calendar"]
    compared, found = 0, []
    for (words, zone, last), theirs in zip(asked, answers, strict=True):
        ours = crontab(*words).next(last, ZoneInfo(zone))
        assert ours is not None
        day = 86_400
        if len({offset(moment, zone) for moment in (last - day, last, last + day, ours - day, ours, ours + day)}) > 1:
            continue
        compared += 1
        if abs(ours - theirs) > 0.001:
            found.append((words, zone, last, ours, theirs))
    assert found == []
    assert compared > 8000


def test_is_due_of_a_crontab_says_what_celerys_says(choice):
    asked = []
    for _ in range(500):
        last = choice.uniform(FIRST, LAST)
        asked.append((crontab_words(choice), "UTC", last, last + choice.choice((60.5, 3600, 86_400 * 3, 86_400 * 40))))
    for (words, _, last, now), (due, wait, told) in zip(asked, celery(due=asked)["due"], strict=True):
        ours = crontab(*words, nowfun=lambda now=now: datetime.fromtimestamp(now, UTC))
        state = ours.is_due(datetime.fromtimestamp(last, UTC))
        assert (state.is_due, state.next) == (due, pytest.approx(wait, abs=0.01)), words
        if all(isinstance(word, (int, str)) for word in words):
            assert repr(ours) == told


def test_intervals_are_due_when_celerys_are(choice):
    asked = []
    for _ in range(1000):
        every = choice.choice((0.5, 1, 30, 59.5, 60, 90, 3600, 5400, 86_400, 100_000, 7 * 86_400)) * choice.randint(1, 3)
        last = choice.uniform(FIRST, LAST)
        asked.append((every, every >= 1 and choice.random() < 0.5, "Asia/Kolkata", last, last + choice.uniform(0, 2 * every)))
    for (every, relative, zone, last, now), answer in zip(asked, celery(interval=asked)["interval"], strict=True):
        ours = schedule(every, relative, nowfun=lambda now=now: datetime.fromtimestamp(now, UTC), timezone=zone)
        run = datetime.fromtimestamp(last, UTC)
        due, wait, remaining, told = answer
        state = ours.is_due(run)
        assert state.is_due == due, (every, relative, last, now)
        assert ours.remaining_estimate(run).total_seconds() == pytest.approx(remaining, abs=0.01), (every, relative, last, now)
        assert state.next == pytest.approx(wait, abs=0.01), (every, relative, last, now)
        assert repr(ours) == told


def malformed(choice: random.Random) -> str:
    """A field with something wrong in it, most of the time."""
    signs = "0123456789*/,-abcdefmonsujat  +_.#@?٣"
    good = str(words_of(choice.choice(list(FIELDS)), choice))
    place = choice.randrange(len(good) + 1)
    return good[:place] + "".join(choice.choices(signs, k=choice.randint(0, 3))) + good[place + choice.randrange(3) :]


def strictly(name: str, words: str) -> bool:
    """True if that is what documentation calls a field: numbers, `*`, names of this field, ranges, steps; nothing behind them."""
    number = "|".join(["[0-9]+", *(f"{full[:3]}[a-z]*" for full in NAMES.get(name, ()))])
    part = rf"\*(/[0-9]+)?|[0-9]+(/[0-9]+)?|{number}|({number})-({number})(/[0-9]+)?"
    return all(re.fullmatch(part, word.strip().lower()) for word in words.split(","))


def test_a_field_admits_what_celerys_does_or_is_refused_for_what_stands_behind_it(choice):
    asked = [(choice.choice(list(FIELDS)), malformed(choice)) for _ in range(2000)]
    both = refused = 0
    for (name, words), theirs in zip(asked, celery(field=asked)["field"], strict=True):
        try:
            ours = sorted(getattr(crontab(**{name: words}), name))
        except ScheduleError:
            ours = None
            refused += 1
        if ours == theirs:
            both += 1
        elif ours is None:  # Celery reads over what follows a good beginning, and takes the names of one field in the others
            assert not strictly(name, words) or misspelt(words), (name, words, theirs)
        else:  # umbel's more: blanks around, Sunday as 7, a step from a number on
            blanks = words != words.strip() or " ," in words or ", " in words
            more = blanks or (name == "day_of_week" and "7" in words) or re.search(r"(^|,)\s*\w+/", words)
            assert theirs is None, (name, words, ours, theirs)
            assert more, (name, words, ours)
    assert both > 1500
    assert refused > 500


def misspelt(words: str) -> bool:
    """True if a name in it only begins like one."""
    names = [full for names in (fields.DAY_OF_WEEK.names, fields.MONTH_OF_YEAR.names) for full in names]
    return any(not any(full.startswith(word) for full in names) for word in re.findall("[a-z]+", words.lower()))
