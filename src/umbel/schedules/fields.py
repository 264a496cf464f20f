"""The five fields of a crontab: text to sets of numbers, each set an int whose bit n stands for n."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from umbel.errors import ScheduleError

Words = int | str | Iterable[int | str]
"""What a field may be given as: 5, "*/15", "mon-fri", [0, 30]."""


class Field(NamedTuple):
    """What may stand in a field."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """Words for its numbers, from `low` on; three letters are enough."""
    cycle: bool = False
    """True if the number behind `high` is `low` again: weekday 7 is Sunday."""

    @property
    def all(self) -> int:
        """The set of all its numbers."""
        return (2 << self.high) - (1 << self.low)

    @property
    def allowed(self) -> str:
        """What may be written, for people."""
        names = f" or {self.names[0][:3]}-{self.names[-1][:3]}" if self.names else ""
        return f"numbers {self.low}-{self.high + self.cycle}{names}, as *, a, a-b, */n, a-b/n, a/n or a list of these"


_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY_OF_WEEK = Field("day_of_week", 0, 6, _WEEKDAYS, cycle=True)
DAY_OF_MONTH = Field("day_of_month", 1, 31)
MONTH_OF_YEAR = Field("month_of_year", 1, 12, _MONTHS)

_PART = re.compile(r"(?:(\*)|([a-z]+|[0-9]+)(?:-([a-z]+|[0-9]+))?)(?:/([0-9]+))?")


def read(field: Field, words: Words) -> int:
    """The set that the words name; ScheduleError says what is wrong and what is allowed."""
    if isinstance(words, str):
        return _read_text(field, words)
    if isinstance(words, int):
        return _read_text(field, str(int(words)))
    if isinstance(words, (bytes, bytearray)) or not isinstance(words, Iterable):
        raise _fault(field, words, f"{type(words).__name__} is not a number, text or list")
    found = 0
    for word in words:
        if not isinstance(word, (int, str)):
            raise _fault(field, word, f"{type(word).__name__} is neither number nor text")
        found |= read(field, word)
    if not found:
        raise _fault(field, words, "names nothing, so it would never run")
    return found


def write(words: Words) -> str:
    """The words as one text without spaces."""
    if isinstance(words, str):
        return "".join(words.split())
    return str(int(words)) if isinstance(words, int) else ",".join(write(word) for word in words)


def numbers(bits: int) -> Iterator[int]:
    """The numbers of a set, in order."""
    while bits:
        yield lowest(bits)
        bits &= bits - 1


def lowest(bits: int) -> int:
    """The least number of a set that is not empty."""
    return (bits & -bits).bit_length() - 1


@lru_cache(maxsize=1024)
def _read_text(field: Field, text: str) -> int:
    found = 0
    for part in text.lower().split(","):
        found |= _read_part(field, text, part.strip())
    return found


def _read_part(field: Field, text: str, part: str) -> int:
    match = _PART.fullmatch(part)
    if match is None:
        raise _fault(field, text, f"{part!r} cannot be read" if part else "a part is empty")
    star, begin, end, step = match.groups()
    every = int(step) if step else 1
    if not every:
        raise _fault(field, text, "a step of 0 leads nowhere")
    if step and not (star or end or begin.isdigit()):
        raise _fault(
            field, text, f"{part!r}: a step after a name needs a range"
        )  # Celery reads over it: two meanings are too many
    if star:
        run = list(range(field.low, field.high + 1))
    else:
        first = _number(field, text, begin)
        run = _run(field, first, _number(field, text, end) if end else field.high if step else first)
    return sum(1 << number for number in run[::every])


def _run(field: Field, first: int, last: int) -> list[int]:
    """The numbers from first to last, around the end of the field if last is the smaller."""
    size = field.high - field.low + 1
    if field.cycle and last - first == size:  # Sunday to Sunday by both its numbers: the whole week, once
        return list(range(field.low, field.high + 1))
    return [field.low + (number - field.low) % size for number in range(first, first + (last - first) % size + 1)]


def _number(field: Field, text: str, word: str) -> int:
    if word.isdigit():
        number = int(word)
        if not field.low <= number <= field.high + field.cycle:
            raise _fault(field, text, f"{number} is not in {field.low}-{field.high}")
        return number
    for number, name in enumerate(field.names, field.low):
        if len(word) >= 3 and name.startswith(word):
            return number
    raise _fault(field, text, f"{word!r} is no name here")


def _fault(field: Field, words: object, why: str) -> ScheduleError:
    return ScheduleError(f"crontab field {field.name} = {words!r}: {why}; allowed are {field.allowed}")
