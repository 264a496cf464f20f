"""What grows with a fleet on one Redis: looking for dead owners, taking from one that held much, connections, waiting.

python benchmarks/fleet.py --url redis://an-empty-server-of-its-own/0 [--owners 1000] [--queues 20]
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Sequence

from umbel.stores.broker import Conclusion
from umbel.stores.redis.broker import RedisBroker
from umbel.stores.redis.watches import INTAKE
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


def calls(broker: RedisBroker, command: str) -> float:
    """How often the server was asked for that so far."""
    found = re.search(rf"cmdstat_{command}:calls=(\d+)".encode(), broker._link.ask("INFO", "commandstats"))
    return float(found[1]) if found else 0.0


def longest(broker: RedisBroker) -> float:
    """Milliseconds of the longest command since the log was emptied."""
    return max((entry[2] / 1000 for entry in broker._link.ask("SLOWLOG", "GET", 1000)), default=0.0)


def idle_fleet(broker: RedisBroker, owners: int, queues: int) -> None:
    """Let so many owners wait for so many queues, and look for dead ones as each does every ten seconds."""
    names = [f"queue-{number}" for number in range(queues)]
    for number in range(owners):
        command = broker._scripts.reserve(
            f"owner-{number}", 3600, False, 1, "", 1, turn=0, watch=INTAKE, is_new=True, calls=False, queues=names
        )
        broker._link.run(command)
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


def waiting_fleet(broker: RedisBroker, url: str, owners: int, queues: int) -> None:
    """Let so many owners wait for so many queues, and then send one message after the other."""
    broker._link.ask("FLUSHALL")
    names, late, over = [f"queue-{number}" for number in range(queues)], list[float](), threading.Event()

    def work(mine: RedisBroker) -> None:
        while not over.is_set():
            for held in mine.reserve(names, 1, 10.0):
                late.append(time.time() - float(held.envelope.id))
                mine.conclude([Conclusion(held)])

    fleet = [opened for _ in range(owners) if isinstance(opened := open_broker(url, lease=3600), RedisBroker)]
    threads = [threading.Thread(target=work, args=(mine,)) for mine in fleet]
    for thread in threads:
        thread.start()
    while told(broker, "clients", "blocked_clients") < owners * 0.99:
        time.sleep(0.1)
    time.sleep(5)
    before, begun, commands = used(broker), time.perf_counter(), told(broker, "stats", "total_commands_processed")
    waits = calls(broker, "bzpopmin")
    time.sleep(20)
    took = time.perf_counter() - begun
    waits = (calls(broker, "bzpopmin") - waits) / took
    idle = (told(broker, "stats", "total_commands_processed") - commands) / took
    share, connections = (used(broker) - before) / took, told(broker, "clients", "connected_clients")
    commands, begun, count = told(broker, "stats", "total_commands_processed"), time.perf_counter(), 100
    woken = calls(broker, "bzpopmin")
    for number in range(count):
        broker.send([Envelope(repr(time.time()), names[number * 7 % queues], b"{}", b"[]")])
        time.sleep(0.05)
    took = time.perf_counter() - begun
    each = (told(broker, "stats", "total_commands_processed") - commands - idle * took) / count
    woken = (calls(broker, "bzpopmin") - woken - waits * took) / count
    late.sort()
    print(
        f"{owners} owners wait for {queues} queues: {connections:,.0f} connections, {idle:,.0f} commands/s, "
        f"{share:.1%} of the server; {len(late)} of {count} messages in hand after {late[len(late) // 2] * 1e3:.1f} ms (p50), "
        f"{late[len(late) * 99 // 100] * 1e3:.1f} ms (p99), {each:.0f} commands and {woken:.1f} owners woken for each"
    )
    over.set()
    for mine in fleet:
        mine.close()
    for thread in threads:
        thread.join()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", required=True)
    options.add_argument("--owners", type=int, default=1000)
    options.add_argument("--queues", type=int, default=20)
    options.add_argument("--waiting", type=int, default=200, help="owners that wait, each a thread of this process")
    options.add_argument("--held", type=int, default=3000)
    asked = options.parse_args(arguments)
    broker = open_broker(asked.url)
    assert isinstance(broker, RedisBroker)
    idle_fleet(broker, asked.owners, asked.queues)
    rich_death(broker, asked.url, asked.held)
    many_threads(broker, 32, 100)
    waiting_fleet(broker, asked.url, asked.waiting, asked.queues)
    broker.close()


if __name__ == "__main__":
    main()
