"""A broker of several stores, of which the next is for when one is away: `broker_url = ["redis://a/0", "redis://b/0"]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from msgspec.structs import replace

from umbel import clock, guise, shown
from umbel.errors import BrokerDown, BrokerError
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Buried, Conclusion, Delivery, Depth, Once, Recovered, Renewal, Revocation
from umbel.wire.envelope import Envelope

log = guise.logger("umbel.stores")

T = TypeVar("T")

LOOK = 2.0
"""Seconds between two looks at the stores that are not the first: what was sent there while the first was away is to run, too."""
FIRST_REST, LONGEST_REST = 1.0, 30.0
"""Seconds for which a store that is away is not asked: each attempt may take as long as connecting is given."""
_MARK = "/"


class _Store:
    """One of the stores, and how it is with it. Any thread may use it: a lost update costs one attempt more."""

    def __init__(self, broker: Broker, place: int):
        self.broker = broker
        self.place = place
        self.rest = 0.0
        self.away_until = 0.0
        self.owed: list[Conclusion] = []
        """Conclusions that wait until it is back."""

    @property
    def is_away(self) -> bool:
        return clock.monotonic() < self.away_until

    def lost(self) -> None:
        self.rest = min(self.rest * 2, LONGEST_REST) if self.rest else FIRST_REST
        self.away_until = clock.monotonic() + self.rest

    def found(self) -> None:
        self.rest = self.away_until = 0.0


class Spare(Broker):
    """Sends to the first store that answers, in their order, and takes from all that do; keeps no results of its own.

    What is held of a store that goes away is concluded when it is back, or runs again if its lease ends before.
    """

    def __init__(self, brokers: Sequence[Broker]):
        self._stores = [_Store(broker, place) for place, broker in enumerate(brokers)]
        self.url = ";".join(broker.url for broker in brokers)
        self._marks: dict[int, tuple[int, ...]] = {0: (0,) * len(brokers)}
        self._look_at = 0.0

    @property
    def owner(self) -> str:  # type: ignore[override]  # it is another after a fork
        """That of the first."""
        return self._stores[0].broker.owner

    # -- which of them ------------------------------------------------------------------------------------------------

    def _order(self) -> list[_Store]:
        """In the order in which they are to be tried: those that are away last."""
        return sorted(self._stores, key=lambda store: (store.is_away, store.place))

    def _ask(self, store: _Store, ask: Callable[[Broker], T]) -> T:
        try:
            answer = ask(store.broker)
        except BrokerDown as error:
            if not store.is_away:
                log.warning("%s is away: %s", store.broker.url, error)
            store.lost()
            raise
        if store.rest:
            log.warning("%s is back", store.broker.url)
        store.found()
        return answer

    def _first(self, ask: Callable[[Broker], T]) -> T:
        """What the first says that answers."""
        trouble: BrokerDown | None = None
        for store in self._order():
            try:
                return self._ask(store, ask)
            except BrokerDown as error:
                trouble = error
        raise trouble or BrokerDown(f"{self.url}: none is there")

    def _each(self, ask: Callable[[_Store], T]) -> list[T]:
        """What all say that answer; BrokerDown if none does."""
        found: list[T] = []
        trouble: BrokerDown | None = None
        for store in self._order():
            if found and store.is_away:
                continue
            try:
                found.append(self._ask(store, lambda _, store=store: ask(store)))  # type: ignore[misc]  # bound at once
            except BrokerDown as error:
                trouble = error
        if not found and trouble is not None:
            raise trouble
        return found

    # -- sending ------------------------------------------------------------------------------------------------------

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        """To the first that answers, and what it has not taken to the next; each gets its share of the time."""
        accepted = 0
        share = None if within is None else within / len(self._stores)

        def send(broker: Broker) -> None:
            nonlocal accepted
            try:
                broker.send(envelopes[accepted:], within=share)
            except BrokerDown as error:
                accepted += error.accepted
                raise

        try:
            self._first(send)
        except BrokerDown as error:
            error.accepted = accepted
            raise

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        """To the first that answers. After a change of store one may be sent twice, under the same id."""
        return self._first(lambda broker: broker.send_once(messages))

    # -- taking -------------------------------------------------------------------------------------------------------

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        """From the first that answers, and from the others at each look."""
        if clock.monotonic() >= self._look_at:
            self._look_at = clock.monotonic() + LOOK
            for store in self._order()[1:]:
                if not store.is_away and (found := self._peek(store, queues, limit)):
                    self._look_at = 0.0
                    return found
        first = self._order()[0]
        while True:
            try:
                return self._mark(first, self._ask(first, lambda broker: broker.reserve(queues, limit, wait)))
            except BrokerDown:
                first, before = self._order()[0], first
                if first is before or first.is_away:
                    raise

    def _peek(self, store: _Store, queues: Sequence[str], limit: int) -> list[Delivery]:
        try:
            return self._mark(store, self._ask(store, lambda broker: broker.reserve(queues, limit, 0)))
        except BrokerDown:
            return []

    @staticmethod
    def _mark(store: _Store, deliveries: list[Delivery]) -> list[Delivery]:
        for delivery in deliveries:
            delivery.receipt = (store, delivery.receipt)
        return deliveries

    @staticmethod
    def _bare(delivery: Delivery) -> Delivery:
        """The delivery as its store knows it."""
        receipt: Any = delivery.receipt
        return replace(delivery, receipt=receipt[1]) if type(receipt) is tuple and len(receipt) == 2 else delivery

    def _grouped(self, deliveries: Sequence[Delivery]) -> dict[int, list[Delivery]]:
        groups: dict[int, list[Delivery]] = {}
        for delivery in deliveries:
            groups.setdefault(self._place(delivery), []).append(delivery)
        return groups

    def _place(self, delivery: Delivery) -> int:
        """Which store it is of; one that is of none is of the first, which has no such receipt."""
        receipt: Any = delivery.receipt
        return receipt[0].place if type(receipt) is tuple and receipt and type(receipt[0]) is _Store else 0

    def _told(
        self, deliveries: Sequence[Delivery], ask: Callable[[Broker, list[Delivery]], list[Delivery]], *, away: bool
    ) -> list[Delivery]:
        """Ask the store of each; gives those that it calls lost, and with `away` those whose store is away."""
        lost: list[Delivery] = []
        for place, several in self._grouped(deliveries).items():
            bare = [self._bare(delivery) for delivery in several]
            try:
                gone = {id(each) for each in self._ask(self._stores[place], lambda broker, bare=bare: ask(broker, bare))}  # type: ignore[misc]  # bound at once
            except BrokerDown:
                gone = {id(each) for each in bare} if away else set()
            lost += [delivery for delivery, each in zip(several, bare, strict=True) if id(each) in gone]
        return lost

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        """In the store of each; what cannot be recorded must not run."""
        return self._told(early, lambda broker, several: broker.started(several), away=True)

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        """In the store of each; to one that is away it comes back when the lease ends."""
        return self._told(
            undone,
            lambda broker, several: broker.release(several, delay=delay, counted=counted, parked=parked),
            away=False,
        )

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        """In the store of each; for one that is away, when it is back."""
        lost: list[Delivery] = []
        groups: dict[int, list[Conclusion]] = {}
        for conclusion in conclusions:
            groups.setdefault(self._place(conclusion.delivery), []).append(conclusion)
        for place, several in groups.items():
            store = self._stores[place]
            bare = [replace(each, delivery=self._bare(each.delivery)) for each in several]
            if store.owed or (store.is_away and self._has_other(store)):
                store.owed += bare
                continue
            try:
                gone = {id(each) for each in self._ask(store, lambda broker, bare=bare: broker.conclude(bare))}  # type: ignore[misc]  # bound at once
            except BrokerDown as error:
                if not self._has_other(store):
                    raise  # with what was accepted of it, and nothing else is up that could go on meanwhile
                store.owed += bare[error.accepted :]
                continue
            lost += [each.delivery for each, one in zip(several, bare, strict=True) if id(one.delivery) in gone]
        self._settle()
        return lost

    def _has_other(self, store: _Store) -> bool:
        return any(not other.is_away for other in self._stores if other is not store)

    def _settle(self) -> None:
        """Conclude what is owed to those that are back."""
        for store in self._stores:
            if not store.owed or store.is_away:
                continue
            owed, store.owed = store.owed, []
            try:
                gone = self._ask(store, lambda broker, owed=owed: broker.conclude(owed))  # type: ignore[misc]  # bound at once
            except BrokerDown as error:
                store.owed = owed[error.accepted :] + store.owed
                continue
            if gone:
                log.warning("%s void: %s was away for longer than the lease", shown.count(len(gone), "outcome"), store.broker.url)

    def renew(self, seconds: float) -> Renewal:
        """In all that answer; kept if each says so."""
        found = self._each(lambda store: store.broker.renew(seconds))
        self._settle()
        return Renewal(all(found), found[0].time)

    def recover(self, until: float | None = None) -> Recovered:
        """In all that answer; `until` counts where `renew` has told the time, as the others have clocks of their own."""
        returned, stranded = 0, []
        first = next(iter(self._order()))
        for store, recovered in self._each(lambda store: (store, store.broker.recover(until if store is first else None))):
            returned += recovered.returned
            stranded += self._mark(store, recovered.stranded)
        return Recovered(returned, stranded)

    # -- what is looked at, and called off ------------------------------------------------------------------------------

    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        """In all that answer."""
        self._each(lambda store: store.broker.revoke(revocations, seconds))

    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        """Those of all that answer."""
        marks = list(self._marks.get(after, self._marks[0]))
        found: dict[str, Revocation] = {}
        for place, (mark, several) in self._each(lambda store: (store.place, store.broker.revocations(marks[store.place]))):
            marks[place] = mark
            for each in several:
                if each.id not in found or each.signal:
                    found[each.id] = each
        number = next((known for known, each in self._marks.items() if each == tuple(marks)), max(self._marks) + 1)
        self._marks = {0: self._marks[0], number: tuple(marks)}
        return number, list(found.values())

    def queues(self) -> list[str]:
        """Those of all that answer."""
        return sorted({queue for several in self._each(lambda store: store.broker.queues()) for queue in several})

    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        """Of all that answer, together."""
        total = {queue: Depth() for queue in queues}
        for several in self._each(lambda store: store.broker.depth(queues)):
            for queue, each in several.items():
                of = total[queue]
                of.ready, of.held, of.later, of.dead = (
                    *(of.ready + each.ready, of.held + each.held, of.later + each.later, of.dead + each.dead),
                )
                of.oldest = max((age for age in (of.oldest, each.oldest) if age is not None), default=None)
        return total

    def upcoming(self, queues: Sequence[str], limit: int) -> list[Envelope]:
        """Of all that answer, together."""
        found = [each for several in self._each(lambda store: store.broker.upcoming(queues, limit)) for each in several]
        return sorted(found, key=lambda each: each.due or 0.0)[:limit]

    def hasten(self, queues: Sequence[str], within: float) -> int:
        """In all that answer."""
        return sum(self._each(lambda store: store.broker.hasten(queues, within)))

    def purge(self, queue: str) -> int:
        """In all that answer."""
        return sum(self._each(lambda store: store.broker.purge(queue)))

    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        """Of one store after the other."""
        place, _, key = after.partition(_MARK) if after else ("0", "", "")
        for store in self._stores[int(place) :]:
            found: list[Buried] = []
            with suppress(BrokerDown):
                found = self._page(store, queue, limit, key)
            key = ""
            for each in found:
                each.key = f"{store.place}{_MARK}{each.key}"
            if found:
                return found
        return []

    def _page(self, store: _Store, queue: str | None, limit: int, after: str) -> list[Buried]:
        return self._ask(store, lambda broker: broker.buried(queue, limit=limit, after=after))

    def revive(self, keys: Sequence[str]) -> int:
        """In the store of each."""
        return self._by_key(keys, lambda broker, several: broker.revive(several))

    def discard(self, keys: Sequence[str]) -> int:
        """In the store of each."""
        return self._by_key(keys, lambda broker, several: broker.discard(several))

    def _by_key(self, keys: Sequence[str], ask: Callable[[Broker, list[str]], int]) -> int:
        groups: dict[int, list[str]] = {}
        for key in keys:
            place, _, rest = key.partition(_MARK)
            if place.isdecimal() and int(place) < len(self._stores):
                groups.setdefault(int(place), []).append(rest)
        return sum(
            self._ask(self._stores[place], lambda broker, several=several: ask(broker, several))  # type: ignore[misc]  # bound at once
            for place, several in groups.items()
        )

    def sweep(self, *, most: int | None, seconds: float | None) -> int:
        """In all that answer."""
        return sum(self._each(lambda store: store.broker.sweep(most=most, seconds=seconds)))

    def doubts(self) -> list[str]:
        """Those of all that answer."""
        return [doubt for several in self._each(lambda store: store.broker.doubts()) for doubt in several]

    def keeps(self, backend: ResultBackend) -> bool:
        """False: which store a delivery comes from is not known beforehand."""
        return False

    def close(self) -> None:
        """Leave all."""
        self._settle()
        for store in self._stores:
            try:
                store.broker.close()
            except BrokerError as error:
                log.warning("Cannot leave %s in order: %s", store.broker.url, error)
