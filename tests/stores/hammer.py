"""One process of several that hammer a store: `python hammer.py URL LOCKS QUEUE…`, until it is killed or its input ends.

While it holds a message it holds a lock on the byte of that number in the file LOCKS, which dies with the process: a lock that is
taken already means that two held the same message at once. It says so on its output and goes on.
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
import threading
import time

from umbel.errors import BrokerDown
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.url import open_broker
from umbel.wire.envelope import Envelope

LEASE = 2.0


class Hammer:
    """A broker, and the locks of what it holds."""

    def __init__(self, url: str, locks: str, queues: list[str]):
        self.broker: Broker = open_broker(url, lease=LEASE, max_deliveries=50)
        self.locks = os.open(locks, os.O_RDWR)
        self.queues = queues
        self.mine: set[int] = set()
        self.guard = threading.Lock()
        self.random = random.Random()

    def take(self, delivery: Delivery) -> None:
        number = int(delivery.envelope.id)
        with self.guard:
            twice = number in self.mine
            self.mine.add(number)
            try:
                fcntl.lockf(self.locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                twice = True
        if twice:
            print("TWICE", number, flush=True)

    def give(self, delivery: Delivery) -> None:
        number = int(delivery.envelope.id)
        with self.guard:
            self.mine.discard(number)
            fcntl.lockf(self.locks, fcntl.LOCK_UN, 1, number)

    def end(self, deliveries: list[Delivery]) -> None:
        """Conclude or release; each message leaves exactly one behind in the queue `done`."""
        for delivery in deliveries:
            self.give(delivery)
        if self.random.random() < 0.2:
            lost = self.broker.release(deliveries, delay=self.random.choice([None, 0.01]))
        else:
            lost = self.broker.conclude(
                [Conclusion(each, envelopes=[Envelope(each.envelope.id, "done", b"{}", b"")]) for each in deliveries]
            )
        if lost:
            print("LOST", len(lost), flush=True)

    def work(self) -> None:
        while True:
            held = self.broker.reserve(self.queues, self.random.randint(1, 6), 0.05)
            for delivery in held:
                self.take(delivery)
            if self.random.random() < 0.3:
                self.broker.started(held)
            time.sleep(0.002)
            self.end(held)

    def lead(self) -> None:
        while True:
            if not self.broker.renew(LEASE):
                print("LATE", flush=True)
            stranded = self.broker.recover().stranded
            for delivery in stranded:
                self.take(delivery)
            self.end(stranded)
            time.sleep(0.1)


def endless(work) -> None:
    try:
        work()
    except BrokerDown as error:
        print("DOWN", error, flush=True)
        os._exit(1)


if __name__ == "__main__":
    hammer = Hammer(sys.argv[1], sys.argv[2], sys.argv[3:])
    hammer.broker.renew(LEASE)
    for job in (hammer.work, hammer.work, hammer.lead):
        threading.Thread(target=endless, args=(job,), daemon=True).start()
    print("READY", flush=True)
    sys.stdin.read()
    os._exit(0)
