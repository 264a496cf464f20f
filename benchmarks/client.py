"""What sending costs: microseconds for each message, with a store that does nothing and with SQLite; milliseconds of imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from umbel import Umbel

ROUNDS = 5
MANY, FEW = 100_000, 5_000
STARTS = 15


class Nowhere:
    """A broker that loses all it gets."""

    def send(self, envelopes: object, *, within: float | None = None) -> None:
        """Take them."""


def each(call: Callable[[], object], count: int) -> float:
    """Median of the microseconds that one of `count` messages costs."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) / count * 1e6)
    return statistics.median(times)


def starting(code: str) -> float:
    """Median of the milliseconds that a program takes longer for `code`."""

    def run(program: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return (time.perf_counter() - began) * 1e3

    run(code)  # compiles, where Python may keep what it compiled
    return statistics.median(run(code) - run("pass") for _ in range(STARTS))


def main() -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory() as place, Umbel("bench", broker=f"sqlite:///{Path(place) / 'bench.db'}") as app:

        @app.task
        def noop() -> None: ...

        @app.task
        def add(x: int, y: int) -> int:
            return x + y

        def single() -> None:
            for _ in range(FEW):
                add.delay(2, 3)

        for store in ("SQLite", "nowhere"):
            if store == "nowhere":
                app.outbox._broker = Nowhere()  # type: ignore[assignment]
            print(f"{store:8} delay {each(single, FEW):6.2f} µs", end="")
            print(f"   delay_many no-op {each(lambda: noop.delay_many(() for _ in range(MANY)), MANY):5.2f} µs", end="")
            print(f"   with arguments {each(lambda: add.delay_many((i, 3) for i in range(MANY)), MANY):5.2f} µs")
    print(f"import umbel {starting('import umbel'):.1f} ms   Umbel() {starting('from umbel import Umbel; Umbel()'):.1f} ms")


if __name__ == "__main__":
    main()
