"""The ends of deliveries: what the script is told of each conclusion, and how many go in one exchange."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from umbel.errors import BrokerRefused
from umbel.stores.broker import Conclusion, Delivery
from umbel.stores.redis import joins, results
from umbel.stores.redis.backend import RedisBackend
from umbel.stores.redis.batch import MOST_ARGUMENTS, Batch, head
from umbel.stores.redis.budget import Budget
from umbel.stores.redis.element import Written, as_arguments
from umbel.stores.redis.hands import Hands
from umbel.stores.redis.joins import Follows
from umbel.stores.redis.link import Link
from umbel.stores.redis.scripts import Scripts
from umbel.stores.slices import slices
from umbel.wire.envelope import Envelope

MOST_FOR_ONE = 1_000_000
"""Redis takes so many, and a little more."""


class Served(NamedTuple):
    """What follows from conclusions, where this owner waits for it."""

    queues: tuple[str, ...]
    booked: list[Delivery]
    handouts: list[int]
    """Those under which they were booked."""


class Ends:
    """Ends deliveries of one owner. Any thread may use it."""

    def __init__(
        self,
        link: Link,
        scripts: Scripts,
        hands: Hands,
        budget: Budget,
        write: Callable[[Sequence[Envelope]], list[Written]],
        backend: RedisBackend | None,
    ):
        """`backend` is where results go in the same step."""
        self._link = link
        self._scripts = scripts
        self._hands = hands
        self._budget = budget
        self._write = write
        self.backend = backend

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        """As in the broker's contract."""
        lost: list[Delivery] = []
        if conclusions:
            sizes = [each.size() if each.results or each.envelopes or each.arrivals else 0 for each in conclusions]
            self._budget.carry(sizes, lambda part: lost.extend(self._conclude(conclusions[part])))
        return lost

    def proceed(self, conclusions: Sequence[Conclusion], queues: tuple[str, ...]) -> tuple[list[Delivery], list[Delivery]]:
        """The same, for an owner that serves these few queues."""
        lost: list[Delivery] = []
        served = Served(queues, [], [])
        sizes = [each.size() for each in conclusions]
        try:
            self._budget.carry(sizes, lambda part: lost.extend(self._conclude(conclusions[part], served)))
        except BaseException:
            self._hands.handouts.miss(served.handouts)  # nobody hears of what they brought
            raise
        return lost, served.booked

    def _conclude(self, conclusions: Sequence[Conclusion], served: Served | None = None) -> list[Delivery]:
        """What goes over in one exchange, unless it is more than a script takes, or some of it arrives at chords."""
        lost: list[Delivery] = []
        arriving: list[Conclusion] = []
        batch, field = Batch(), self._hands.field
        for each in conclusions:
            found = each.results
            if each.arrivals:
                arriving.append(each)
            elif each.envelopes or each.buried is not None or len(found) > 1 or (found and not results.is_plain(found[0])):
                mine = self._ending(each)
                if not batch.has_room(len(mine)):
                    lost += self._end(Batch(others=batch.others, arguments=batch.arguments), served)
                    batch.others, batch.arguments = [], []
                batch.others.append(each.delivery)
                batch.arguments += mine
            elif found:
                batch.kept.append(each.delivery)
                batch.documents += field(each.delivery), found[0].id, found[0].document
            else:
                batch.plain.append(each.delivery)
        for part in batch.parts():
            lost += self._end(part, served)
        return lost + self._arrive(arriving, served) if arriving else lost

    def _arrive(self, conclusions: Sequence[Conclusion], served: Served | None) -> list[Delivery]:
        """The same for those that arrive at chords."""
        lost: list[Delivery] = []
        sizes = [4 * len(each.results) + 5 * len(each.envelopes) + 13 * len(each.arrivals) for each in conclusions]
        for part in slices(sizes, MOST_ARGUMENTS):
            follows = Follows()
            arguments = [argument for each in conclusions[part] for argument in self._ending(each, follows)]
            arguments[:0] = len(follows.envelopes), *self._messages(follows.envelopes)
            batch = Batch(others=[each.delivery for each in conclusions[part]], arguments=arguments)
            lost += self._end(batch, served, joining=True)
        return lost

    def _end(self, batch: Batch, served: Served | None, *, joining: bool = False) -> list[Delivery]:
        """End these deliveries; gives those that were not held. What follows may be booked at once, where it is `served`."""
        if len(batch.arguments) > MOST_FOR_ONE:
            raise BrokerRefused(
                f"task {batch.others[0].envelope.id} leads to more messages at once than Redis takes: send them in parts"
            )
        hands, conclude, deliveries = self._hands, self._scripts.conclude, batch.deliveries
        field = hands.field
        life = results.life(self.backend.expires if self.backend else None)
        met = [text for each in deliveries if each.revoked for text in (field(each), each.envelope.id)]
        told = met, [field(each) for each in batch.plain], batch.documents, batch.arguments
        if served is None or not batch.others:
            lost = self._link.run(conclude(hands.owner, life, "", (), *told, joining=joining))
            return [deliveries[index] for index in lost]
        with hands.handouts.asking() as handout:
            served.handouts.append(handout)
            command, taken = conclude(hands.owner, life, handout, served.queues, *told, joining=joining), []
            lost, mark, when, places = self._link.run(command)
            for number, place in enumerate(places, 1):  # in ARGV, which begins behind the script
                queue, step, _, _, packed = command[place : place + 5]
                taken.append((packed, queue, step, f"{handout}.{number} {step} {queue}", float(when)))
            if taken:
                served.booked.extend(hands.revoked.mark(hands.read(taken), mark))
        return [deliveries[index] for index in lost]

    def _ending(self, each: Conclusion, follows: Follows | None = None) -> list[Any]:
        """One conclusion as the script reads it; with `follows` as that does which counts chords."""
        arguments = head(self._hands.field(each.delivery), each.buried, len(each.results), len(each.envelopes))
        if follows is not None:
            arguments.append(len(each.arrivals))
        for result in each.results:
            arguments += results.as_arguments(result)
        if each.envelopes:
            arguments += self._messages(each.envelopes)
        if follows is not None:
            for arrival in each.arrivals:
                arguments += joins.as_arguments(arrival, follows.number(arrival))
        return arguments

    def _messages(self, envelopes: Sequence[Envelope]) -> Iterator[Any]:
        return itertools.chain.from_iterable(map(as_arguments, self._write(envelopes)))
