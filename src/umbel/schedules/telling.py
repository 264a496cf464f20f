"""Calendars in words: `at 04:00 every Monday`."""

from __future__ import annotations

from umbel.schedules.fields import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH_OF_YEAR, Field, numbers

_FEW = 4  # as many times of day are listed each


def in_words(minutes: int, hours: int, weekdays: int, days: int, months: int, *, either_day: bool) -> str:
    """When a crontab with these sets fires."""
    parts = [_times(minutes, hours)]
    by_month = days != DAY_OF_MONTH.all
    by_week = weekdays != DAY_OF_WEEK.all
    if by_month:
        parts.append(f"on day {_list(DAY_OF_MONTH, days)}{'' if months != MONTH_OF_YEAR.all else ' of the month'}")
    if by_week:
        week = _list(DAY_OF_WEEK, weekdays)
        parts.append(f"{'or' if either_day else 'if it is'} {week}" if by_month else f"every {week}")
    if months != MONTH_OF_YEAR.all:
        parts.append(f"in {_list(MONTH_OF_YEAR, months)}")
    if len(parts) == 1 and parts[0].startswith("at "):
        parts.append("every day" if hours != HOUR.all else "every hour")
    return " ".join(parts)


def _times(minutes: int, hours: int) -> str:
    count = minutes.bit_count() * hours.bit_count()
    if hours == HOUR.all:
        return _step(MINUTE, minutes) or f"at minute {_list(MINUTE, minutes)}"
    if count <= _FEW:
        return "at " + ", ".join(f"{hour:02}:{minute:02}" for hour in numbers(hours) for minute in numbers(minutes))
    within = f"in the hours {_list(HOUR, hours)}"
    if minutes == 1:
        return _step(HOUR, hours) or f"on the hour at {_list(HOUR, hours)}"
    return f"{_step(MINUTE, minutes) or f'at minute {_list(MINUTE, minutes)}'} {within}"


def _step(field: Field, bits: int) -> str | None:
    """`every 5 minutes`, if the set goes evenly around the field."""
    found = list(numbers(bits))
    size = field.high + 1
    step = size // len(found)
    if found != list(range(0, size, step)) or size % step:
        return None
    return f"every {field.name}" if step == 1 else f"every {step} {field.name}s"


def _list(field: Field, bits: int) -> str:
    """`1-5, 7`, or the names: `Monday-Friday`."""
    found = list(numbers(bits))
    runs: list[list[int]] = []
    for number in found:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    names = [
        field.names[number - field.low].capitalize() if field.names else str(number)
        for number in range(field.low, field.high + 1)
    ]
    told = (
        "-".join(names[number - field.low] for number in (run[0], run[-1]))
        if len(run) > 2
        else ", ".join(names[number - field.low] for number in run)
        for run in runs
    )
    return ", ".join(told)
