"""The contract of brokers: how envelopes are carried from senders to workers, each at least once.

An implementation keeps all of it, and proves it with `umbel.testing.contracts.BrokerContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from umbel import clock
from umbel.stores.backend import ResultBackend
from umbel.stores.join import Arrival
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result


def _now() -> float:
    """By `clock`, which tests move."""
    return clock.now()


class Delivery(msgspec.Struct, gc=False):
    """One envelope in the hands of one owner, until its lease ends."""

    envelope: Envelope
    queue: str
    receipt: object
    """The broker's mark for this hand-out, and for no other."""
    attempt: int
    """1 at the first hand-out; a clean release does not count, a death does."""
    begun: bool = False
    """True if `started` was told of it: with early ack it must not run again."""
    parked: float | None = None
    """When it was first released as `parked` (the store's clock), if ever."""
    revoked: bool = False
    """True if its task was revoked: it must not run. To conclude it ends the revocation, which is met."""
    when: float = msgspec.field(default_factory=_now)
    """When it was handed out, by the store's clock: what is due then is due, whatever the clock here says."""


class Conclusion(msgspec.Struct, gc=False):
    """How one delivery ends: its results, the messages that follow, what arrives at chords, and whether it is done or buried."""

    delivery: Delivery
    results: Sequence[Result] = ()
    envelopes: Sequence[Envelope] = ()
    buried: str | None = None
    """The reason, if the envelope goes to the dead instead of away."""
    arrivals: Sequence[Arrival] = ()
    """What this does to the chords that the task is a part of."""
    sizes: Sequence[tuple[str, int]] = ()
    """Chords that begin with `envelopes`, and how many parts they have: for who concludes, to `expect` them before."""

    @property
    def leads(self) -> bool:
        """True if something may follow from it; of nearly all nothing does."""
        return bool(self.envelopes or self.arrivals)

    def size(self) -> int:
        """Bytes that are to be written."""
        size = 0
        for result in self.results:
            size += len(result.document)
        if not self.leads:
            return size
        for envelope in self.envelopes:
            size += len(envelope.body) + len(envelope.headers)
        for arrival in self.arrivals:
            size += len(arrival.part or b"")
            if arrival.then is not None:
                size += len(arrival.then.body) + len(arrival.then.headers)
        return size


class Revocation(msgspec.Struct, frozen=True):
    """A task that is not to run."""

    id: str
    signal: str | None = None
    """The name of the signal that is to end a run (`SIGTERM`); None: a run that has begun goes on."""


class Renewal(msgspec.Struct, frozen=True):
    """What `renew` did; true if the lease had not been lost."""

    kept: bool
    time: float
    """The store's clock. Against a clock that only goes forward it tells whether the store's has jumped."""

    def __bool__(self) -> bool:
        return self.kept


class Recovered(msgspec.Struct):
    """What `recover` did."""

    returned: int = 0
    """How many deliveries of dead owners are ready again, their attempt counted."""
    stranded: list[Delivery] = msgspec.field(default_factory=list)
    """Those that must not simply run again: begun with early ack, or handed out `max_deliveries` times.
    They are now held by the caller, who tells and buries or concludes them."""


class Once(msgspec.Struct, frozen=True):
    """One envelope that may be sent by several, and is to be accepted from one: the tick of a schedule."""

    envelope: Envelope
    stream: str
    """What it is one of a sequence of."""
    number: float
    """Its place in the sequence: when it is due, in seconds since 1970."""


REMEMBERED = 30 * 86400.0
"""Seconds for which the last number of a stream is known, counted from that number, or from its acceptance if that is later."""
ASTRAY = 3600.0
"""Seconds: a number further in the future than this came from a clock that was wrong."""


class Depth(msgspec.Struct):
    """How full one queue is."""

    ready: int = 0
    held: int = 0
    later: int = 0
    dead: int = 0
    oldest: float | None = None
    """Age in seconds of the oldest ready message, or of the oldest that tells its age: umbel's do, Celery's do not. None if
    there is none such."""


class Buried(msgspec.Struct):
    """One dead letter."""

    key: str
    """Names it for `revive` and `discard`; unique in the store."""
    envelope: Envelope
    queue: str
    reason: str
    when: float
    attempt: int


class Broker(ABC):
    """Carries envelopes from senders to workers, each at least once.

    1. At least once. When `send` has returned, every envelope survives what the store survives. If it raises `BrokerDown`,
       those before `BrokerDown.accepted` were taken, and any part of the others; sending these again is right, ids make
       doubles visible.
    2. Batch. What crosses a connection is cut by bytes first, by count second, each part one exchange. `BrokerDown.accepted`
       tells of `send` and `conclude` how many from the front were done; where one took too long, the next parts are smaller:
       who goes on from there gets further. Empty batches do nothing.
    3. Leases belong to the owner. An instance is one owner (`owner`), registered by its first `reserve` with a lease of
       `lease` seconds on the store's clock, kept by `renew`. While it lives nobody else gets what it holds.
       The store's clock is the only one that counts for what is kept in it; callers tell it spans, never moments of theirs.
    4. Receipts fence. `started`, `conclude` and `release` of a delivery whose hold is lost change nothing (no result, no
       follow-up, no ack for that delivery), raise nothing, and tell which they were; twice is the same as once.
    5. Any method from any thread; `conclude` while `reserve` blocks; after `fork` a child opens connections of its own
       and is another owner.
    6. Only `BrokerDown` (try again) and `BrokerRefused` (never will) are raised, native errors chained.
    """

    url: str
    """Where it is, without credentials."""
    owner: str
    """Unique name of this instance: host, process, and something random."""
    sees_all = False
    """True if a task that no queue of it has, and that nobody holds, does not run either; false where workers that are not
    umbel's may have taken it out before they run it."""

    @abstractmethod
    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        """Accept all; those with a `due` in the future wait in the store until then.

        A store that has not taken them `within` so many seconds is `BrokerDown`, whatever it waits for; of a long batch that may
        be counted anew for each part that was taken. None: the store's own patience.
        """

    @abstractmethod
    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        """Accept those whose number is beyond the last that was accepted of their stream, as `send` does; tells which were.

        Of any number of senders of the same stream and number one is told True, however they meet; what is not accepted leaves
        no trace. Each is one step, whole or not at all; messages of one stream are taken in the order in which they stand. After
        `BrokerDown` the same may be sent again: False then means that it is there.

        The last number of a stream is known for `REMEMBERED`; one that is `ASTRAY` by the store's clock blocks nothing.
        A store that cannot compare and send in one step sends all of them; then equal ids make doubles visible.
        """

    @abstractmethod
    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        """Hold and give 1 to `limit` due envelopes as soon as there is one; `[]` after `wait` seconds, or once closed.

        The queues share fairly: a full one does not starve the next. Inside a queue the higher priority comes first,
        then first come, first served.
        """

    @abstractmethod
    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        """Record that these run from now on: after a death they are stranded, not re-run. Gives those whose hold was lost."""

    @abstractmethod
    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        """Store results, note arrivals, send follow-ups and drop (or bury) the deliveries, each conclusion whole or not at all.

        Where an arrival completes a chord, its `then` is sent in the same step; of any number of callers, whatever they conclude
        at once, one sends it (`ResultBackend` has the rules). Arrivals of one batch count in their order.

        Gives the deliveries whose hold was lost. Results are written and arrivals noted only if `keeps` is true of the result
        backend; otherwise the caller has stored and told them before (`ResultBackend.arrive`), and passes none.
        """

    def proceed(self, conclusions: Sequence[Conclusion], queues: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
        """`conclude`, and hold at once what it has sent to these queues, for each conclusion that sends anything one at most.

        That happens in the same step, and only if nothing else is ready in any of `queues`, so nobody is passed over; what is
        held so is in all the same as what `reserve` gives. Gives the deliveries whose hold was lost, and what is held now. A
        store that cannot do both in one step only concludes; so does any if it cannot do all of it at once.
        """
        return self.conclude(conclusions), []

    @abstractmethod
    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        """Give back to the queue, in front of what is equally urgent, now or in `delay` seconds. Gives those whose hold was lost.

        `counted`: the attempt stays counted (the process that ran it died). `parked`: the time of the first such
        release is kept and comes back as `Delivery.parked`.
        """

    @abstractmethod
    def renew(self, seconds: float) -> Renewal:
        """Keep this owner's lease for `seconds` more; tells false if it had been lost since the last time.

        What it held then is no longer its own. What it has reserved after that, being registered anew, is.
        """

    @abstractmethod
    def recover(self, until: float | None = None) -> Recovered:
        """Take from owners whose lease has run out all they held. Any process may call it, at any time.

        `until`, a time that the store has told: only from those whose lease had run out by then. Who has judged that time, as
        one that no jump of the store's clock has brought, takes nobody for dead by a later one.
        """

    @abstractmethod
    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        """Keep these for `seconds`, or until they are met: what is handed out from now on of their tasks is marked `revoked`.

        They concern what waits now and what is sent later, a retry included. Twice is the longer of both, and a signal stays.
        """

    @abstractmethod
    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        """Those made behind the mark `after` and not yet met, and the mark to ask from the next time.

        For owners who hold tasks: what they got before it was revoked is not marked.
        """

    @abstractmethod
    def queues(self) -> list[str]:
        """The names of all queues that hold anything (ready, held, later or dead), sorted."""

    @abstractmethod
    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        """How full each of `queues` is; unknown ones are empty.

        All kinds of one are counted at one moment, so that what moves is in one of them; only thousands that are held may be
        counted just after the others.
        """

    @abstractmethod
    def purge(self, queue: str) -> int:
        """Delete what is ready or waits for its time; tells how many. What is held or dead stays."""

    @abstractmethod
    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        """Dead letters of one queue or all, oldest first, from behind the key `after`.

        At most `limit`, and fewer if they are long: only when none come there are no more.
        """

    @abstractmethod
    def revive(self, keys: Sequence[str]) -> int:
        """Send dead letters to their queues again, attempts at zero; tells how many there were."""

    @abstractmethod
    def discard(self, keys: Sequence[str]) -> int:
        """Delete dead letters for good; tells how many there were."""

    def sweep(self, *, most: int | None, seconds: float | None) -> int:
        """Throw away dead letters that are older than so many `seconds`, and of more than `most` the oldest; tells how many went.

        None: without such a limit.
        """
        return 0

    def upcoming(self, queues: Sequence[str], limit: int) -> list[Envelope]:
        """What waits for its time in these queues, the next first, at most so many; each with that time as `due`.

        For people who look. A store that cannot tell gives none.
        """
        return []

    def hasten(self, queues: Sequence[str], within: float) -> int:
        """Let what would be due in these queues within so many seconds be due now, in that order; tells how much it was.

        For who has given back what may run sooner now. Whoever gets something that has a time of its own sends it back to wait.
        A store that cannot do it does nothing.
        """
        return 0

    def may_be_elsewhere(self) -> bool:
        """True if a task that no queue of it has, and that nobody holds, may run all the same, as far as can be seen now."""
        return not self.sees_all

    def doubts(self) -> list[str]:
        """What endangers what is kept here, in words for people: each worker asks at its start, and tells."""
        return []

    def keeps(self, backend: ResultBackend) -> bool:
        """True if `conclude` writes results and arrivals of `backend` in its own atomic step, because both are one store."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Give back what is still held and leave; twice is fine. Ends a blocked `reserve` within a second."""
