"""How fast stores of schedules are with 100,000 entries: medians in milliseconds, beside what is asked of them.

python benchmarks/schedule_stores.py [URL]     a file in a temporary directory, or redis://localhost/9
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

from umbel.stores.broker import Once
from umbel.stores.schedule import Ticks
from umbel.stores.url import open_broker, open_schedule
from umbel.wire.envelope import Envelope

ENTRIES = 100_000


def measure(what: str, work: Callable[[], object], rounds: int = 1, target: str = "") -> None:
    """Print the median of `work`."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    print(f"{what:<44} {statistics.median(times) * 1e3:10.3f} ms   {target}", flush=True)


def run(url: str) -> None:
    """All verbs."""
    store, broker = open_schedule(url), open_broker(url)
    names = [f"entry-{number:06d}" for number in range(ENTRIES)]
    entries = [(name, name.encode() + b"x" * 300) for name in names]
    envelopes = [Envelope(f"{number}", "q", b'{"a": "%b"}' % (b"x" * 440), b"y" * 70) for number in range(100)]
    steps = iter(range(1_000_000))
    now = time.time()

    def tick(spread: int) -> None:
        step = next(steps)
        store.tick([Ticks(names[(number * spread + step) % ENTRIES], now + step, 1) for number in range(100)])

    def send_once() -> None:
        step = next(steps)
        broker.send_once([Once(each, f"beat:{number}", now + step) for number, each in enumerate(envelopes)])

    measure("save 100,000 new entries", lambda: store.save(entries))
    measure("save them again, unchanged", lambda: store.save(entries))
    measure("read all of them", store.changes, 3, "below 2,000")
    version = store.changes().version
    measure("ask for changes in vain", lambda: store.changes(version), 500)
    measure("note 100 ticks, neighbours", lambda: tick(1), 200, "at most 1 (Redis), 2 (SQLite)")
    measure("note 100 ticks, far apart", lambda: tick(997), 200, "at most 1 (Redis), 2 (SQLite)")
    measure("send 100 messages", lambda: broker.send(envelopes), 200)
    measure("send 100 messages once", send_once, 200)
    measure("lead on", lambda: store.lead("one", 3), 200)
    measure("ask to lead in vain", lambda: store.lead("two", 3), 200)
    measure("disable all", lambda: store.enable(names, enabled=False))
    measure("remove all", lambda: store.remove(names))
    broker.purge("q")
    for each in (store, broker):
        each.close()


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="an empty store")
    url = parser.parse_args().url
    with tempfile.TemporaryDirectory() as directory:
        run(url or f"sqlite:///{directory}/queue.db")


if __name__ == "__main__":
    main()
