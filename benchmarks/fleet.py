"""What grows with a fleet on one Redis: looking for dead owners, taking from one that held much, connections of many threads.

python benchmarks/fleet.py --url redis://an-empty-server-of-its-own/0 [--owners 1000] [--queues 20]
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Sequence

from umbel.stores.redis.broker import INTAKE, RedisBroker
from umbel.stores.url import open_broker
from umbel.wire.envelope import Envelope

LONG = b"x" * 100_000


def told(broker: RedisBroker, section: str, name: str) -> float:
    """A number that the server tells of itself."""
    found = re.search(rf"{name}:([\d.]+)".encode(), broker._link.ask("INFO", section))
    return float(found[1]) if found else 0.0


def used(broker: RedisBroker) -> float:
    """Processor time of the server so far."""
    return told(broker, "cpu", "used_cpu_sys") + told(broker, "cpu", "used_cpu_user")


def longest(broker: RedisBroker) -> float:
    """Milliseconds of the longest command since the log was emptied."""
    return max((entry[2] / 1000 for entry in broker._link.ask("SLOWLOG", "GET", 1000)), default=0.0)


def idle_fleet(broker: RedisBroker, owners: int, queues: int) -> None:
    """Let so many owners wait for so many queues, and look for dead ones as each does every ten seconds."""
    names = [f"queue-{number}" for number in range(queues)]
    for number in range(owners):
        broker._run("reserve", f"owner-{number}", 3600, 0, 1, "", 1, 0, INTAKE, 1, *names)
    rounds = 30
    broker._link.ask("CONFIG", "RESETSTAT")
    before, begun = used(broker), time.perf_counter()
    for _ in range(rounds):
        broker.recover()
    each = (used(broker) - before) / rounds
    took = (time.perf_counter() - begun) / rounds
    stats = broker._link.ask("INFO", "commandstats").decode()
    calls = sum(int(count) for name, count in re.findall(r"cmdstat_(\S+):calls=(\d+)", stats) if "info" not in name)
    print(
        f"recover with {owners} owners x {queues} queues, nobody dead: {calls / rounds:,.0f} commands, {took * 1e3:.2f} ms; "
        f"all of them every 10 s: {owners / 10 * each:.1%} of the server"
    )


def rich_death(broker: RedisBroker, url: str, count: int) -> None:
    """Take from one dead owner that held much."""
    broker._link.ask("FLUSHALL")
    dying = open_broker(url, lease=3600)
    for start in range(0, count, 100):
        broker.send([Envelope(f"{start + number}", "long", b"{}", LONG) for number in range(100)])
    while dying.reserve(["long"], count, 0):
        pass
    broker._link.ask("ZADD", "umbel.owners", 0, dying.owner)
    broker._link.ask("CONFIG", "SET", "slowlog-log-slower-than", 1000)
    broker._link.ask("SLOWLOG", "RESET")
    begun = time.perf_counter()
    returned = broker.recover().returned
    took = time.perf_counter() - begun
    print(f"recover of {returned} x 100 KB: {took:.2f} s in all, the longest script {longest(broker):.0f} ms")
    dying.close()
    broker._link.ask("FLUSHALL")


def many_threads(broker: RedisBroker, threads: int, sends: int) -> None:
    """Send from many threads of one process."""

    def send() -> None:
        for _ in range(sends):
            broker.send([Envelope("a", "threads", b"{}", b"[]")])

    before = told(broker, "stats", "total_connections_received")
    all_of_them = [threading.Thread(target=send) for _ in range(threads)]
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join()
    made = told(broker, "stats", "total_connections_received") - before
    print(f"{threads} threads that send {threads * sends:,} messages make {made:.0f} connections")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", required=True)
    options.add_argument("--owners", type=int, default=1000)
    options.add_argument("--queues", type=int, default=20)
    options.add_argument("--held", type=int, default=3000)
    asked = options.parse_args(arguments)
    broker = open_broker(asked.url)
    assert isinstance(broker, RedisBroker)
    idle_fleet(broker, asked.owners, asked.queues)
    rich_death(broker, asked.url, asked.held)
    many_threads(broker, 32, 100)
    broker.close()


if __name__ == "__main__":
    main()
