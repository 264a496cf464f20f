"""How fast a store is by itself, SQLite or the one at a URL: medians of several runs, in microseconds for each message.

python benchmarks/stores.py [--waiting 1000000] [--directory DIR] [--url redis://an-empty-server/0]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.url import open_backend, open_broker
from umbel.wire.envelope import Envelope
from umbel.wire.ids import new_ids
from umbel.wire.result import Result

ROUNDS = 200
BATCH = 256
CALM, IDLE = 12, 5
"""Seconds after which nobody waits as eagerly as at first, and seconds that are then observed."""


def envelopes(count: int, queue: str = "celery", priority: int = 0, due: float | None = None) -> list[Envelope]:
    """Envelopes as large as those of a small task: 450 bytes of headers, 70 of body."""
    ids = new_ids(count)
    headers = [f'{{"id":"{id}","x":"{os.urandom(197).hex()}"}}'.encode() for id in ids]
    return [Envelope(id, queue, told, b"x" * 70, priority=priority, due=due) for id, told in zip(ids, headers, strict=True)]


def measure(what: str, count: int, work: Callable[[], object], share: float = 1.0) -> None:
    """Print median and mean of `work`, which does `count` messages at a time, in so many times the usual number of rounds."""
    times = []
    for _ in range(max(int(ROUNDS * share), 1)):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) / count)
    median, mean = statistics.median(times), statistics.fmean(times)
    print(f"{what:<58} {median * 1e6:8.2f} µs  mean {mean * 1e6:8.2f} µs  {1 / median:10,.0f}/s", flush=True)


def finish(delivery: Delivery, *, with_result: bool) -> Conclusion:
    """Done, with or without a result of 200 bytes."""
    return Conclusion(delivery, [Result(delivery.envelope.id, "SUCCESS", b"y" * 200)] if with_result else ())


def drain(broker: Broker, queues: list[str], *, with_results: bool) -> None:
    """Reserve and conclude one batch."""
    held = broker.reserve(queues, BATCH, 0)
    assert len(held) == BATCH
    broker.conclude([finish(each, with_result=with_results) for each in held])


def verbs(broker: Broker, queues: list[str]) -> None:
    """All that the hot path does."""
    thousand, one = envelopes(1000), envelopes(1)
    measure("send, 1,000 at a time", 1000, lambda: broker.send(thousand))
    measure("send, one at a time", 1, lambda: broker.send(one), 10)
    measure("reserve and conclude, 256 at a time", BATCH, lambda: drain(broker, queues, with_results=False))
    measure("the same with a result each", BATCH, lambda: drain(broker, queues, with_results=True))
    measure("reserve and conclude, one at a time", 1, lambda: single(broker, queues), 5)
    busy = threading.Event()
    thread = threading.Thread(target=spin, args=(busy,))
    thread.start()
    measure("send, 1,000 at a time, beside a busy thread", 1000, lambda: broker.send(thousand), 0.25)
    measure("reserve and conclude, 256, beside a busy thread", BATCH, lambda: drain(broker, queues, with_results=False), 0.25)
    busy.set()
    thread.join()


def single(broker: Broker, queues: list[str]) -> None:
    """Reserve and conclude one."""
    broker.conclude([Conclusion(each) for each in broker.reserve(queues, 1, 0)])


def spin(until: threading.Event) -> None:
    """Keep the interpreter busy."""
    while not until.is_set():
        sum(range(1000))


def idle(broker: Broker) -> None:
    """What waiting costs."""
    broker.reserve(["nothing"], 1, CALM)
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    for _ in range(IDLE):
        broker.reserve(["nothing"], 1, 1)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{'idle: processor used while waiting':<58} {used / (time.perf_counter() - begun):8.2%}", flush=True)


def crowd(broker: Broker, count: int) -> None:
    """Fill the store: other queues, priorities, and messages that are not due."""
    for start in range(0, count, 10_000):
        broker.send(envelopes(min(count - start, 10_000)))
    for number in range(20):
        broker.send([each for priority in range(10) for each in envelopes(50, f"other{number}", priority)])
    broker.send(envelopes(count // 20, due=time.time() + 3600))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure with an empty store, then with a full one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=1_000_000)
    options.add_argument("--directory", default=None)
    options.add_argument("--url", default=None)
    asked = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=asked.directory) as directory:
        url = asked.url or f"sqlite:///{Path(directory) / 'bench.db'}"
        broker, backend = open_broker(url), open_backend(url, expires=86400)
        assert broker.keeps(backend)
        verbs(broker, ["celery"])
        idle(broker)
        crowd(broker, asked.waiting)
        print(f"\nwith {asked.waiting:,} waiting, 21 queues, 10 priorities, {asked.waiting // 20:,} not due:")
        verbs(broker, ["celery"])
        elsewhere = envelopes(1000, "other7", 5)
        measure("send, 1,000 at a time, to a queue that is not the first", 1000, lambda: broker.send(elsewhere))
        measure("depth of a full queue", 1, lambda: broker.depth(["celery"]), 0.1)
        broker.close()
        backend.close()


if __name__ == "__main__":
    main()
