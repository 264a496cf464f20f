"""The broker in Redis: one owner on one server."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from umbel import clock, guise
from umbel.errors import BrokerDown, BrokerError, BrokerRefused, DecodeError
from umbel.stores import fork
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import (
    ASTRAY,
    REMEMBERED,
    Broker,
    Buried,
    Conclusion,
    Delivery,
    Depth,
    Once,
    Recovered,
    Renewal,
    Revocation,
)
from umbel.stores.owner import new_owner
from umbel.stores.redis import element, joins, results
from umbel.stores.redis.backend import RedisBackend
from umbel.stores.redis.batch import MOST_ARGUMENTS, Batch
from umbel.stores.redis.bindings import Bindings
from umbel.stores.redis.budget import Budget
from umbel.stores.redis.cemetery import Cemetery
from umbel.stores.redis.depth import as_depth
from umbel.stores.redis.element import PLAIN, URGENT, Written
from umbel.stores.redis.handouts import Handouts
from umbel.stores.redis.joins import Follows
from umbel.stores.redis.leftovers import Leftovers
from umbel.stores.redis.link import Command, Link, is_unknown
from umbel.stores.redis.lookout import CALL, POST, Keys, Lookout
from umbel.stores.redis.revoked import Revoked
from umbel.stores.redis.scripts import Scripts
from umbel.stores.redis.server import Server
from umbel.stores.redis.strangers import may_hold
from umbel.stores.redis.summons import Summons
from umbel.stores.redis.survey import Survey
from umbel.stores.redis.watch import Watch
from umbel.stores.slices import slices
from umbel.wire.brief import encodable
from umbel.wire.envelope import Envelope

log = guise.logger("umbel.stores")

INTAKE = 10.0
"""Seconds for which one look at the queues lets waits fill an intake; `recover` knows of it so long."""
DAY = 86400.0
"""Seconds after which the server is told of a queue again: what nobody was told of for a week is forgotten."""
AT_ONCE = 1000
"""Elements in one LPUSH: more would hold up the others on the server."""
MOST_SENT = 10_000
"""Messages in one exchange: more would fill the memory of both sides."""
PUSHED = 100
"""Elements of one LPUSH: what is packed in one piece of more than 256 KB gets its memory from the system, and takes six times as
long; and the server begins with the first while the next are packed."""
FEW = 4
"""Queues up to which each has a connection that waits; who waits on more is called to one of them (see `summons`)."""
AGAIN, EVERYTHING = 3.0, 300.0
"""Seconds after which one who may be called looks for whether somebody looks out; and after which it looks at all by itself, and
tells again that they are awaited."""
MOST_FOR_ONE = 1_000_000
"""Redis takes so many, and a little more."""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Names one hand-out of one message: no other has the same."""

    owner: str
    field: str


class Served(NamedTuple):
    """What follows from conclusions, where this owner waits for it."""

    queues: tuple[str, ...]
    booked: list[Delivery]
    handouts: list[int]
    """Those under which they were booked."""


class RedisBroker(Broker):
    """One owner on the Redis server.

    Any thread may use it. What it knows of itself (`_known`, `_lost`) is a hint for the scripts, which decide.
    """

    def __init__(
        self,
        server: Server,
        *,
        lease: float = 30.0,
        max_deliveries: int = 5,
        prefix: str = "",
        sep: str = "\x06\x16",
        steps: Sequence[int] = (0, 3, 6, 9),
        visibility_timeout: float = 3600.0,
        celery_workers: bool = False,
        unacked: Sequence[str] = ("unacked", "unacked_index", "unacked_mutex"),
    ):
        self.url = server.url
        self.owner = new_owner()
        self._link = Link(server)
        self._lease = lease
        self._max_deliveries = max_deliveries
        self._prefix = prefix
        self._sep = sep
        self._steps = tuple(steps)
        self._visibility_timeout = visibility_timeout
        self._celery_workers = celery_workers
        self._unacked = f"{prefix}{unacked[0]}"
        self._bindings = Bindings(self._link, prefix, sep)
        self._order = (*URGENT, PLAIN, *(str(step) for step in sorted(steps) if step))
        constants = {"P": prefix, "SEP": sep, "ORDER": self._order, "UNACKED": unacked[0], "UNACKED_INDEX": unacked[1]}
        self._scripts = Scripts(constants)
        self._survey = Survey(self._link, self._scripts, prefix)
        self._cemetery = Cemetery(self._link, self._scripts)
        self._leftovers = Leftovers(
            self._link,
            self._bindings,
            self._scripts,
            unacked,
            prefix=prefix,
            steps=self._steps,
            timeout=visibility_timeout,
        )
        self._budget = Budget()
        self._results: RedisBackend | None = None
        self._turns = itertools.count()
        self._lock = Lock()
        self._begin()
        fork.watch(self)

    def _begin(self) -> None:
        """What is true of a new owner."""
        self._known = self._lost = self._closed = False
        self._handouts = Handouts()
        self._declared: set[str] = set()
        self._declare_again = 0.0
        self._watches: list[Watch] = []
        self._summons: list[Summons] = []
        self._waiting: set[Watch | Summons] = set()
        self._lookout: Lookout | None = None
        self._can_call = True
        self._posts_seen = float("-inf")
        self._revoked = Revoked(self._link, self._scripts)

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        if len(envelopes) == 1:
            self._send(envelopes, within)
        elif envelopes:
            sizes = [len(each.body) + len(each.headers) for each in envelopes]
            self._budget.carry(sizes, lambda part: self._send(envelopes[part], within), MOST_SENT)

    def _send(self, envelopes: Sequence[Envelope], within: float | None) -> None:
        now = clock.monotonic()
        if now > self._declare_again:
            self._declared, self._declare_again = set(), now + DAY
        until = None if within is None else now + within
        written = element.write(envelopes, self._steps, celery_workers=self._celery_workers)
        try:
            self._push(written, until)
        except BrokerDown:
            self._declared = set()  # the server may come back empty
            raise

    def _push(self, written: Sequence[Written], until: float | None) -> None:
        first = written[0]
        if len(written) == 1 and first.due is None and first.queue in self._declared:  # as nearly all are
            self._link.ask("LPUSH", self._list(first.queue, first.step), first.element, until=until)
            return
        queues = {each.queue for each in written}
        self._link.ask_all([*self._declare(queues), *self._pushes(written)], until)
        self._declared |= queues

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        if not messages:
            return []
        envelopes = [each.envelope for each in messages]
        written = element.write(envelopes, self._steps, celery_workers=self._celery_workers)
        arguments = [(each.stream, repr(each.number), *_as_arguments(one)) for each, one in zip(messages, written, strict=True)]
        accepted: list[bool] = []

        def send(part: slice) -> None:  # one after the other: if they overtook each other, numbers would be passed over
            command = self._scripts.once(REMEMBERED, ASTRAY, itertools.chain.from_iterable(arguments[part]))
            accepted.extend(map(bool, self._link.run(command)))

        self._budget.carry([len(one.element) for one in written], send, AT_ONCE)
        return accepted

    def _declare(self, queues: Iterable[str]) -> Iterator[Command]:
        """Let Celery's tools, and umbel's own, know of the queues."""
        new = [queue for queue in queues if queue not in self._declared]
        if new:
            yield self._scripts.declare(new)

    def _pushes(self, written: Sequence[Written]) -> Iterator[Command]:
        ready: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)
        later: list[Any] = []
        for each in written:
            if each.due is None:  # else the server's clock tells whether it is due
                ready[each.queue, each.step].append(each.element)
            else:
                later += _as_arguments(each)
        for (queue, step), elements in ready.items():
            for start in range(0, len(elements), PUSHED):
                yield "LPUSH", self._list(queue, step), *elements[start : start + PUSHED]
        for start in range(0, len(later), 5 * AT_ONCE):
            yield self._scripts.later(later[start : start + 5 * AT_ONCE])

    def _list(self, queue: str, step: str) -> str:
        return f"{self._prefix}{queue}" if step == PLAIN else f"{self._prefix}{queue}{self._sep}{step}"

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        until = clock.monotonic() + wait
        names = tuple(dict.fromkeys(queues))
        if len(names) > FEW and wait > 0 and limit > 0 and self._can_call:
            try:
                return self._reserve_called(names, limit, until)
            except BrokerRefused as error:
                if not is_unknown(error):
                    raise
                self._can_call = False
                log.warning(
                    "%s: %d queues take as many connections, since one for all is refused: %s", self.url, len(names), error
                )
        watch: Watch | None = None
        try:
            if wait > 0 and names and limit > 0:
                watch = self._watch(names)
                if watch.is_quiet and not self._wait(watch, until):
                    return []
                if watch.booked:
                    return self._caught(watch, limit)
            while not self._closed and names and limit > 0:
                taken, soon, waits = self._take(names, limit, watch)
                if taken:
                    return taken
                if clock.monotonic() >= until or watch is None:
                    break
                watch.looked(soon, waits)
                if not self._wait(watch, until):
                    break
                if watch.booked:
                    return self._caught(watch, limit)
        except BaseException:
            if watch:
                self._handouts.miss(watch.asked())
                watch.close()
            self._link.close()  # most likely the other connections are as dead
            raise
        finally:
            if watch:
                self._put_back(watch)
        return []

    def _reserve_called(self, names: tuple[str, ...], limit: int, until: float) -> list[Delivery]:
        """The same for those who wait on many queues."""
        with self._lock:
            mine = next((each for each in self._summons if each.queues == names), None)
            if mine:
                self._summons.remove(mine)
            else:
                mine = Summons(self._link, names, lambda queue: f"{self._prefix}umbel.call.{queue}")
            self._waiting.add(mine)
        try:
            while not self._closed:
                if found := self._look(mine, self._due(mine), limit):
                    return found
                left = until - clock.monotonic()
                if left <= 0:
                    break
                mine.hot = mine.wait(left)
        except BaseException:
            mine.close()
            self._link.close()  # most likely the other connections are as dead
            raise
        finally:
            with self._lock:
                self._waiting.discard(mine)
                is_kept = not self._closed and len(self._summons) < 4
                if is_kept:
                    self._summons.append(mine)
            if not is_kept:
                mine.close()
                self._pass_on(mine.hot)
        return []

    def _pass_on(self, queues: Sequence[str]) -> None:
        """Let somebody else be called to these."""
        keys = [self._keys_of(queue).call for queue in queues]
        with contextlib.suppress(BrokerError):  # a lookout finds out
            self._link.ask_all([each for key in keys for each in (("ZADD", key, 0, ""), ("EXPIRE", key, CALL))])

    def _due(self, mine: Summons) -> Sequence[str]:
        """The queues that are to be looked at now."""
        now = clock.monotonic()
        is_alone = now - self._posts_seen > AGAIN and self._is_alone(now)
        if is_alone or now - mine.looked > EVERYTHING * random.uniform(0.8, 1.2):
            mine.looked = now
            self._join(mine.queues)
            return mine.queues
        if mine.hot and (asked := mine.ask()):
            *_, reply = self._link.ask_all(asked)
            mine.note_hot({*mine.hot, *mine.told(reply)})
        return mine.hot

    def _look(self, mine: Summons, queues: Sequence[str], limit: int) -> list[Delivery]:
        """What is there in these queues."""
        mine.hot = []
        if not queues:
            return []
        found, _, more = self._take(queues, limit, None, calls=True)
        mine.note_hot({*(each.queue for each in found), *(queues[index] for index in more)})
        return found

    def _is_alone(self, now: float) -> bool:
        """True if nobody looks out, or one more should and may be this one."""
        posts = self._link.ask("EXISTS", *(f"{self._prefix}umbel.lookout.{number}" for number in (1, 2)))
        self._posts_seen = now
        is_out = self._lookout is not None and self._lookout.is_alive()
        return not posts or (posts < 2 and not is_out)

    def _join(self, queues: Sequence[str]) -> None:
        """Tell that these are awaited; and look out, if that falls to this owner."""
        number = self._link.run(self._scripts.wait_for(self.owner, int(POST * 1000), queues))
        self._posts_seen = clock.monotonic()
        with self._lock:
            is_out = self._lookout is not None and self._lookout.is_alive()
            if number and not is_out and not self._closed:
                awaited = f"{self._prefix}umbel.awaited"
                self._lookout = Lookout(self._link, number, self.owner, self._scripts, awaited, self._keys_of)
                self._lookout.start()

    def _keys_of(self, queue: str) -> Keys:
        lists = [self._list(queue, step) for step in self._order]
        return Keys(lists, f"{self._prefix}umbel.soonest.{queue}", f"{self._prefix}umbel.call.{queue}")

    def _wait(self, watch: Watch, until: float) -> bool:
        """True if it is time to look; False at the end."""
        while not self._closed:
            left = until - clock.monotonic()
            if left <= 0:
                return False
            if watch.wait(left):
                return True
        return False

    def _watch(self, names: tuple[str, ...]) -> Watch:
        """One that is free and knows these queues, or a new one."""
        with self._lock:
            for watch in self._watches:
                if watch.queues == names:
                    self._watches.remove(watch)
                    break
            else:
                watch = self._new_watch(names)
            self._waiting.add(watch)
        return watch

    def _new_watch(self, names: tuple[str, ...]) -> Watch:
        moves = [(self._list(queue, PLAIN), f"{self._prefix}umbel.intake.{self.owner} {queue}") for queue in names]
        keys = [self._list(queue, step) for queue in names for step in self._order if step != PLAIN]
        times = [f"{self._prefix}umbel.soonest.{queue}" for queue in names]
        return Watch(self._link, names, moves, (keys, times), self._book, INTAKE)

    def _book(self, queue: str) -> tuple[int, Command]:
        """The hand-out and the command that books what a wait has moved from this queue."""
        handout = self._handouts.new()
        return handout, self._scripts.book(self.owner, f"{handout}.1 {PLAIN} {queue}", queue)

    def _caught(self, watch: Watch, limit: int) -> list[Delivery]:
        """What a wait has booked: one message, and seldom one of another queue."""
        found: list[Delivery] = []
        for queue, (field, packed, mark, when, _) in watch.booked:
            found += self._revoked.mark(self._deliveries([(packed, queue, PLAIN, field.decode(), float(when))]), mark)
        self.release(found[limit:])
        watch.taken()
        return found[:limit]

    def _put_back(self, watch: Watch) -> None:
        with self._lock:
            self._waiting.discard(watch)
            if not self._closed and len(self._watches) < 4:
                self._watches.append(watch)
                return
        watch.close()

    def _take(
        self, names: Sequence[str], limit: int, watch: Watch | None, *, calls: bool = False
    ) -> tuple[list[Delivery], float | None, Any]:
        """What is taken; if it is nothing, also in how many seconds the next is due, and how many owners wait.

        With `calls`, instead of these, which of the queues have more, to which somebody else is called.
        """
        if watch:
            watch.will_look()
        is_new = not self._declared.issuperset(names)
        with self._handouts.asking() as handout:
            with self._handouts.telling() as missed:
                command = self._scripts.reserve(
                    self.owner,
                    self._lease,
                    self._known,
                    handout,
                    missed,
                    limit,
                    turn=next(self._turns),
                    watch=INTAKE if watch else 0,
                    is_new=is_new,
                    calls=calls,
                    queues=names,
                )
                lost, soon, waits, mark, when, *groups = self._link.run(command)
            if lost:
                self._lost = True
            self._known = True
            if is_new:
                self._declared |= set(names)
            taken, number, moment = [], 0, float(when)
            for index, packed_step, *chunks in groups:
                queue, step = names[index], packed_step.decode()
                elements = [*itertools.chain.from_iterable(chunks)]
                for place, packed in enumerate(elements, number + 1):
                    taken.append((packed, queue, step, f"{handout}.{place} {step} {queue}", moment))
                number += len(elements)
            return self._revoked.mark(self._deliveries(taken), mark), None if soon is None else float(soon), waits

    def _deliveries(self, taken: Sequence[tuple[bytes, str, str, str, float]]) -> list[Delivery]:
        """Those of (element, queue, step, field, time) that are messages; the others are buried."""
        found: list[Delivery] = []
        strange: list[Conclusion] = []
        owner = self.owner
        for packed, queue, step, field, when in taken:
            try:
                envelope, past = element.read(packed, queue, step)
            except DecodeError as error:
                stray = Delivery(element.strange(packed, queue), queue, Receipt(owner, field), 1)
                strange.append(Conclusion(stray, buried=encodable(str(error))))
                log.error("An element of the queue %r is buried: %s", queue, error)
            else:
                attempts, begun, parked, _ = past or element.NO_PAST
                found.append(Delivery(envelope, queue, Receipt(owner, field), attempts + 1, bool(begun), parked, when=when))
        if strange:
            self.conclude(strange)
        return found

    def _lost_of(self, deliveries: Sequence[Delivery], command: Command) -> list[Delivery]:
        """Run a script on these deliveries; gives those that were not held."""
        return [deliveries[index] for index in self._link.run(command)]

    def _field(self, delivery: Delivery) -> str:
        """Where it stands in what this owner holds; empty if it never did."""
        receipt = delivery.receipt
        return receipt.field if isinstance(receipt, Receipt) and receipt.owner == self.owner else ""

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        return self._lost_of(early, self._scripts.started(self.owner, map(self._field, early))) if early else []

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        if not undone:
            return []
        lost: list[Delivery] = []
        parts = [*slices([len(each.envelope.body) for each in undone], most=AT_ONCE)]  # the server copies them
        for part in reversed(parts):  # each goes in front of the one before
            command = self._scripts.release(self.owner, delay or 0.0, counted, parked, map(self._field, undone[part]))
            lost = self._lost_of(undone[part], command) + lost
        return lost

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        lost: list[Delivery] = []
        if conclusions:
            sizes = [each.size() if each.results or each.envelopes or each.arrivals else 0 for each in conclusions]
            self._budget.carry(sizes, lambda part: lost.extend(self._conclude(conclusions[part])))
        return lost

    def proceed(self, conclusions: Sequence[Conclusion], queues: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
        names = tuple(dict.fromkeys(queues))
        if not 0 < len(names) <= FEW or self._closed:  # to look at many takes the server as long as a call
            return self.conclude(conclusions), []
        lost: list[Delivery] = []
        served = Served(names, [], [])
        sizes = [each.size() for each in conclusions]
        try:
            self._budget.carry(sizes, lambda part: lost.extend(self._conclude(conclusions[part], served)))
        except BaseException:
            self._handouts.miss(served.handouts)  # nobody hears of what they brought
            raise
        return lost, served.booked

    def _conclude(self, conclusions: Sequence[Conclusion], served: Served | None = None) -> list[Delivery]:
        """What goes over in one exchange, unless it is more than a script takes, or some of it arrives at chords."""
        lost: list[Delivery] = []
        arriving: list[Conclusion] = []
        batch = Batch()
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
                batch.documents += self._field(each.delivery), found[0].id, found[0].document
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
        life = results.life(self._results.expires if self._results else None)
        deliveries = batch.deliveries
        met = [text for each in deliveries if each.revoked for text in (self._field(each), each.envelope.id)]
        plain = [self._field(each) for each in batch.plain]
        told, conclude = (met, plain, batch.documents, batch.arguments), self._scripts.conclude
        if served is None or not batch.others:
            return self._lost_of(deliveries, conclude(self.owner, life, "", (), *told, joining=joining))
        with self._handouts.asking() as handout:
            served.handouts.append(handout)
            command, taken = conclude(self.owner, life, handout, served.queues, *told, joining=joining), []
            lost, mark, when, places = self._link.run(command)
            for number, place in enumerate(places, 1):  # in ARGV, which begins behind the script
                queue, step, _, _, packed = command[place : place + 5]
                taken.append((packed, queue, step, f"{handout}.{number} {step} {queue}", float(when)))
            if taken:
                served.booked.extend(self._revoked.mark(self._deliveries(taken), mark))
        return [deliveries[index] for index in lost]

    def _ending(self, each: Conclusion, follows: Follows | None = None) -> list[Any]:
        """One conclusion as the script reads it; with `follows` as that does which counts chords."""
        fate = "-" if each.buried is None else f"+{each.buried}"
        arguments: list[Any] = [self._field(each.delivery), fate, len(each.results), len(each.envelopes)]
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
        written = element.write(envelopes, self._steps, celery_workers=self._celery_workers)
        return itertools.chain.from_iterable(map(_as_arguments, written))

    def renew(self, seconds: float) -> Renewal:
        was_lost = self._lost
        with self._handouts.telling() as missed:
            kept, told = self._link.run(self._scripts.renew(self.owner, seconds, self._known, missed))
        self._known = True
        if was_lost:  # what a `reserve` in another thread was told meanwhile is for the next time
            self._lost = False
        return Renewal(bool(kept) and not was_lost, float(told))

    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        self._revoked.keep(revocations, seconds)

    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        return self._revoked.behind(after)

    def recover(self, until: float | None = None) -> Recovered:
        done, is_over = Recovered(), False
        while not is_over:
            try:
                is_over = self._recover(done, until)
            except BrokerDown:
                if done == Recovered():
                    raise
                break  # the rest is for the next time
        return done

    def _recover(self, done: Recovered, until: float | None = None) -> bool:
        """Take as much as one script may, and add it to what is done; true if that was all."""
        with self._handouts.asking() as handout:
            command = self._scripts.recover(
                self.owner,
                self._lease,
                self._known,
                handout,
                self._max_deliveries,
                self._visibility_timeout,
                ended=math.inf if until is None else until,
            )
            returned, stale, lost, when, is_over, stranded = self._link.run(command)
            if lost:
                self._lost = True
            self._known |= bool(stranded)
            taken = []
            for packed_field, packed in zip(stranded[::2], stranded[1::2], strict=True):
                field = packed_field.decode()
                _, step, queue = field.split(" ", 2)
                taken.append((packed, queue, step, field, float(when)))
            if stale and is_over:
                returned += self._leftovers.restore()
            found = self._deliveries(taken)
            self._revoked.look_up(found)
        done.returned += returned
        done.stranded += found
        return bool(is_over)

    def queues(self) -> list[str]:
        known = {row[0].decode() for row in self._survey.rows()}
        others = self._bindings.queues() - known
        if others:  # which only processes of Celery's may have used so far
            known |= {row[0].decode() for row in self._survey.rows(*others) if any(row[1:5])}
        return sorted(known)

    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        if not queues:
            return {}
        return {row[0].decode(): as_depth(row) for row in self._survey.rows(*queues)}

    def upcoming(self, queues: Sequence[str], limit: int) -> list[Envelope]:
        names = list(dict.fromkeys(queues))
        if not names or limit < 1:
            return []
        keys = [f"{self._prefix}umbel.later.{name}" for name in names]
        replies = self._link.ask_all([("ZRANGE", key, 0, limit - 1, "WITHSCORES") for key in keys])
        found = []
        for name, row in zip(names, replies, strict=True):
            for member, score in zip(row[::2], row[1::2], strict=True):
                step, _, packed = member.split(b" ", 2)
                try:
                    envelope, _ = element.read(packed, name, step.decode())
                except DecodeError:  # it is buried when it is due
                    continue
                found.append((float(score), replace(envelope, due=float(score))))
        found.sort(key=lambda each: each[0])
        return [envelope for _, envelope in found[:limit]]

    def hasten(self, queues: Sequence[str], within: float) -> int:
        total = 0
        for queue in dict.fromkeys(queues):
            count, until = 1, f"+{within!r}"
            while count:  # some at a time: others wait meanwhile; what is put back to wait now is for another call
                count, told = self._link.run(self._scripts.hasten(queue, until))
                total, until = total + count, told.decode()
        return total

    def purge(self, queue: str) -> int:
        count: int = self._link.run(self._scripts.purge(queue))
        return count

    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        return self._cemetery.buried(queue, limit, after)

    def sweep(self, *, most: int | None, seconds: float | None) -> int:
        total, count = 0, 1
        while count:
            command = self._scripts.sweep("" if most is None else most, "" if seconds is None else seconds)
            count = self._link.run(command)
            total += count
        return total

    def revive(self, keys: Sequence[str]) -> int:
        return self._cemetery.dig("revive", keys)

    def discard(self, keys: Sequence[str]) -> int:
        return self._cemetery.dig("discard", keys)

    def may_be_elsewhere(self) -> bool:
        return may_hold(self._link, self._unacked)

    def doubts(self) -> list[str]:
        try:
            memory = self._link.ask("INFO", "memory")
        except BrokerRefused:  # this user is not to know
            return []
        policy = re.search(rb"maxmemory_policy:(\S+)", memory)
        if policy is None or policy[1] == b"noeviction":
            return []
        told = f"its maxmemory-policy is {policy[1].decode()}; set it to noeviction"
        return [f"{self.url} may throw away messages, results and leases when its memory is full: {told}"]

    def keeps(self, backend: ResultBackend) -> bool:
        """True for a backend on the same server, whatever its database."""
        if not isinstance(backend, RedisBackend) or not self._link.server.is_same(backend.server):
            return False
        names = {**backend.names, "DB": str(self._link.server.db), "RESULT_DB": str(backend.server.db)}
        self._scripts.keep_results(names)
        self._results = backend
        return True

    def close(self) -> None:
        self._closed = True
        quiet = self._stop_waiting()
        if self._known:
            with contextlib.suppress(BrokerError):  # the lease ends by itself, and others then recover what was held
                while not self._link.run(self._scripts.leave(self.owner, quiet)):
                    pass
                self._known = False
        self._link.close()

    def _stop_waiting(self) -> bool:
        """End all waits; True if the server has no wait of this owner's left."""
        end = clock.monotonic() + 0.8
        for waiting in list(self._waiting):
            waiting.stop()
        if self._lookout:
            self._lookout.stop()
            self._lookout.join(0.5)
        while self._waiting and clock.monotonic() < end:
            time.sleep(0.001)
        with self._lock:
            idle: list[Watch | Summons] = [*self._watches, *self._summons]
            for each in idle:
                each.close()
            self._watches, self._summons = [], []
            return not self._waiting

    def before_fork(self) -> None:
        """Nothing to make ready."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """Another process is another owner."""
        self.owner = new_owner()
        self._lock = Lock()
        self._begin()


def _as_arguments(each: Written) -> tuple[Any, ...]:
    return each.queue, each.step, "" if each.due is None else repr(each.due), each.order, each.element
