"""What one owner holds on the server, and what it knows of itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from umbel import guise
from umbel.errors import DecodeError
from umbel.stores.broker import Delivery
from umbel.stores.owner import new_owner
from umbel.stores.redis import element
from umbel.stores.redis.batch import head
from umbel.stores.redis.handouts import Handouts
from umbel.stores.redis.link import Link
from umbel.stores.redis.revoked import Revoked
from umbel.stores.redis.scripts import Scripts
from umbel.wire.brief import encodable

log = guise.logger("umbel.stores")


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Names one hand-out of one message: no other has the same."""

    owner: str
    field: str


Held = tuple[bytes, str, str, str, float]
"""An element that this owner holds, its queue and step, its field in what is held, and the server's time of the hand-out."""


class Look(NamedTuple):
    """What a look at the queues has given."""

    found: list[Delivery]
    soon: float | None
    """In how many seconds the next is due, if nothing was found."""
    others: Any
    """How many owners wait, if nothing was found. If it calls others: the places of queues to which it has called one."""


class Hands:
    """One owner. Any thread may use it; that it is known, or was lost, are hints for the scripts, which decide."""

    def __init__(self, link: Link, scripts: Scripts, lease: float):
        self.owner = new_owner()
        self.handouts = Handouts()
        self.revoked = Revoked(link, scripts)
        self.declared: set[str] = set()
        """Queues of which it has told the server."""
        self.is_known = self.is_lost = False
        self._link = link
        self._scripts = scripts
        self._lease = lease
        self._turns = itertools.count()

    def take(self, queues: Sequence[str], limit: int, *, watch: float = 0, calls: bool = False) -> Look:
        """Look at these queues, and hold what there is.

        If that is nothing, waits may fill the owner's intakes for `watch` seconds. With `calls` somebody else is called to each
        queue that has more.
        """
        is_new = not self.declared.issuperset(queues)
        with self.handouts.asking() as handout:
            with self.handouts.telling() as missed:
                command = self._scripts.reserve(
                    self.owner,
                    self._lease,
                    self.is_known,
                    handout,
                    missed,
                    limit,
                    turn=next(self._turns),
                    watch=watch,
                    is_new=is_new,
                    calls=calls,
                    queues=queues,
                )
                lost, soon, others, mark, when, *groups = self._link.run(command)
            if lost:
                self.is_lost = True
            self.is_known = True
            if is_new:
                self.declared |= set(queues)
            taken, number, moment = [], 0, float(when)
            for index, packed_step, *chunks in groups:
                queue, step = queues[index], packed_step.decode()
                elements = [*itertools.chain.from_iterable(chunks)]
                for place, packed in enumerate(elements, number + 1):
                    taken.append((packed, queue, step, f"{handout}.{place} {step} {queue}", moment))
                number += len(elements)
            return Look(self.revoked.mark(self.read(taken), mark), None if soon is None else float(soon), others)

    def read(self, taken: Sequence[Held]) -> list[Delivery]:
        """Those that are messages; the others are buried."""
        found: list[Delivery] = []
        strange: list[Any] = []
        owner = self.owner
        for packed, queue, step, field, when in taken:
            try:
                envelope, past = element.read(packed, queue, step)
            except DecodeError as error:
                strange += head(field, encodable(str(error)))
                log.error("An element of the queue %r is buried: %s", queue, error)
            else:
                attempts, begun, parked, _ = past or element.NO_PAST
                found.append(Delivery(envelope, queue, Receipt(owner, field), attempts + 1, bool(begun), parked, when=when))
        if strange:
            self._link.run(self._scripts.conclude(owner, "", "", (), (), (), (), strange))
        return found

    def field(self, delivery: Delivery) -> str:
        """Where it stands in what this owner holds; empty if it never did."""
        receipt = delivery.receipt
        return receipt.field if isinstance(receipt, Receipt) and receipt.owner == self.owner else ""
