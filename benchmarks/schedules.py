"""What schedules cost: microseconds for the next firing of some crontabs, and 100,000 of them in memory.

python benchmarks/schedules.py
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from umbel.schedules import Schedule, crontab, schedule, solar

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 10, 20, tzinfo=UTC).timestamp()
LINES = ("*/5 * * * *", "0 4 * * mon", "15,45 8-17 * * 1-5", "30 2 1 1 *", "*/7 3 31 * *", "0 4 29 2 *", "0 4 29 2 mon")


def cost(when: Schedule, turns: int) -> float:
    """Microseconds for one firing after another, through clock changes."""
    moment = START
    when.next(moment, BERLIN)  # works out the zone
    begin = time.perf_counter()
    for _ in range(turns):
        moment = when.next(moment, BERLIN) or START
        if moment > START + 86_400 * 365 * 2:
            moment = START
    return (time.perf_counter() - begin) / turns * 1e6


def main() -> None:
    """Print the figures."""
    cases: list[tuple[Schedule, int]] = [(crontab(line), 5_000) for line in LINES]
    cases += [(schedule(10), 20_000), (schedule(86_400, relative=True), 20_000), (solar("sunset", 52.5, 13.4), 1_000)]
    for when, turns in cases:
        print(f"{cost(when, turns):8.1f} µs  {when!r}")
    tracemalloc.start()
    begin = time.perf_counter()
    kept = [crontab(number % 60, number // 60 % 24, number % 7) for number in range(100_000)]
    seconds = time.perf_counter() - begin
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{len(kept)} crontabs: {seconds:.2f} s to read (traced), {size / 1e6:.0f} MB, {sys.getsizeof(kept[0])} bytes each")


if __name__ == "__main__":
    main()
