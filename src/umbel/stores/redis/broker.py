"""The broker in Redis: one owner on one server."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

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
from umbel.stores.redis import element
from umbel.stores.redis.backend import RedisBackend
from umbel.stores.redis.bindings import Bindings
from umbel.stores.redis.budget import Budget
from umbel.stores.redis.calls import Calls
from umbel.stores.redis.cemetery import Cemetery
from umbel.stores.redis.depth import as_depth
from umbel.stores.redis.element import PLAIN, URGENT, Written, as_arguments
from umbel.stores.redis.ends import Ends
from umbel.stores.redis.hands import Hands
from umbel.stores.redis.leftovers import Leftovers
from umbel.stores.redis.link import Command, Link, is_unknown
from umbel.stores.redis.names import Names
from umbel.stores.redis.scripts import Scripts
from umbel.stores.redis.server import Server
from umbel.stores.redis.strangers import may_hold
from umbel.stores.redis.survey import Survey
from umbel.stores.redis.watches import Watches
from umbel.stores.slices import slices
from umbel.wire.envelope import Envelope

log = guise.logger("umbel.stores")

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


class RedisBroker(Broker):
    """One owner on the Redis server. Any thread may use it.

    What it holds and knows of itself are its `Hands`. They are new after a fork, as are those who know them: `Ends` concludes,
    `Watches` and `Calls` wait.
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
        self._link = Link(server)
        self._lease = lease
        self._max_deliveries = max_deliveries
        self._visibility_timeout = visibility_timeout
        self._unacked = f"{prefix}{unacked[0]}"
        self._write = partial(element.write, steps=tuple(steps), celery_workers=celery_workers)
        self._bindings = Bindings(self._link, prefix, sep)
        order = (*URGENT, PLAIN, *(str(step) for step in sorted(steps) if step))
        self._names = Names(prefix, sep, order)
        self._scripts = Scripts({"P": prefix, "SEP": sep, "ORDER": order, "UNACKED": unacked[0], "UNACKED_INDEX": unacked[1]})
        self._survey = Survey(self._link, self._scripts, prefix)
        self._cemetery = Cemetery(self._link, self._scripts)
        self._leftovers = Leftovers(
            self._link,
            self._bindings,
            self._scripts,
            unacked,
            prefix=prefix,
            steps=tuple(steps),
            timeout=visibility_timeout,
        )
        self._budget = Budget()
        self._begin(None)
        fork.watch(self)

    def _begin(self, backend: RedisBackend | None) -> None:
        """What is true of a new owner; results go to `backend`."""
        self._closed = False
        self._declare_again = 0.0
        link, scripts, names = self._link, self._scripts, self._names
        self._hands = hands = Hands(link, scripts, self._lease)
        self.owner = hands.owner
        self._ends = Ends(link, scripts, hands, self._budget, self._write, backend)
        self._watches = Watches(link, scripts, names, hands)
        self._calls = Calls(link, scripts, names, hands)

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        if len(envelopes) == 1:
            self._send(envelopes, within)
        elif envelopes:
            sizes = [len(each.body) + len(each.headers) for each in envelopes]
            self._budget.carry(sizes, lambda part: self._send(envelopes[part], within), MOST_SENT)

    def _send(self, envelopes: Sequence[Envelope], within: float | None) -> None:
        now = clock.monotonic()
        if now > self._declare_again:
            self._hands.declared, self._declare_again = set(), now + DAY
        until = None if within is None else now + within
        try:
            self._push(self._write(envelopes), until)
        except BrokerDown:
            self._hands.declared = set()  # the server may come back empty
            raise

    def _push(self, written: Sequence[Written], until: float | None) -> None:
        first = written[0]
        if len(written) == 1 and first.due is None and first.queue in self._hands.declared:  # as nearly all are
            self._link.ask("LPUSH", self._names.list(first.queue, first.step), first.element, until=until)
            return
        queues = {each.queue for each in written}
        self._link.ask_all([*self._declare(queues), *self._pushes(written)], until)
        self._hands.declared |= queues

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        if not messages:
            return []
        written = self._write([each.envelope for each in messages])
        arguments = [(each.stream, repr(each.number), *as_arguments(one)) for each, one in zip(messages, written, strict=True)]
        accepted: list[bool] = []

        def send(part: slice) -> None:  # one after the other: if they overtook each other, numbers would be passed over
            command = self._scripts.once(REMEMBERED, ASTRAY, itertools.chain.from_iterable(arguments[part]))
            accepted.extend(map(bool, self._link.run(command)))

        self._budget.carry([len(one.element) for one in written], send, AT_ONCE)
        return accepted

    def _declare(self, queues: Iterable[str]) -> Iterator[Command]:
        """Let Celery's tools, and umbel's own, know of the queues."""
        new = [queue for queue in queues if queue not in self._hands.declared]
        if new:
            yield self._scripts.declare(new)

    def _pushes(self, written: Sequence[Written]) -> Iterator[Command]:
        ready: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)
        later: list[Any] = []
        for each in written:
            if each.due is None:  # else the server's clock tells whether it is due
                ready[each.queue, each.step].append(each.element)
            else:
                later += as_arguments(each)
        for (queue, step), elements in ready.items():
            for start in range(0, len(elements), PUSHED):
                yield "LPUSH", self._names.list(queue, step), *elements[start : start + PUSHED]
        for start in range(0, len(later), 5 * AT_ONCE):
            yield self._scripts.later(later[start : start + 5 * AT_ONCE])

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        until = clock.monotonic() + wait
        names = tuple(dict.fromkeys(queues))
        if self._closed or not names or limit <= 0:
            return []
        if wait <= 0:
            try:
                return self._hands.take(names, limit).found
            except BaseException:
                self._link.close()  # most likely the other connections are as dead
                raise
        if len(names) > FEW and not self._calls.are_refused:
            try:
                return self._calls.reserve(names, limit, until)
            except BrokerRefused as error:
                if not is_unknown(error):
                    raise
                self._calls.are_refused = True
                log.warning(
                    "%s: %d queues take as many connections, since one for all is refused: %s", self.url, len(names), error
                )
        return self._watches.reserve(names, limit, until)

    def _lost_of(self, deliveries: Sequence[Delivery], command: Command) -> list[Delivery]:
        """Run a script on these deliveries; gives those that were not held."""
        return [deliveries[index] for index in self._link.run(command)]

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        return self._lost_of(early, self._scripts.started(self.owner, map(self._hands.field, early))) if early else []

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        if not undone:
            return []
        lost: list[Delivery] = []
        parts = [*slices([len(each.envelope.body) for each in undone], most=AT_ONCE)]  # the server copies them
        for part in reversed(parts):  # each goes in front of the one before
            command = self._scripts.release(self.owner, delay or 0.0, counted, parked, map(self._hands.field, undone[part]))
            lost = self._lost_of(undone[part], command) + lost
        return lost

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        return self._ends.conclude(conclusions)

    def proceed(self, conclusions: Sequence[Conclusion], queues: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
        names = tuple(dict.fromkeys(queues))
        if not 0 < len(names) <= FEW or self._closed:  # to look at many takes the server as long as a call
            return self._ends.conclude(conclusions), []
        return self._ends.proceed(conclusions, names)

    def renew(self, seconds: float) -> Renewal:
        hands = self._hands
        was_lost = hands.is_lost
        with hands.handouts.telling() as missed:
            kept, told = self._link.run(self._scripts.renew(self.owner, seconds, hands.is_known, missed))
        hands.is_known = True
        if was_lost:  # what a `reserve` in another thread was told meanwhile is for the next time
            hands.is_lost = False
        return Renewal(bool(kept) and not was_lost, float(told))

    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        self._hands.revoked.keep(revocations, seconds)

    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        return self._hands.revoked.behind(after)

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
        hands = self._hands
        with hands.handouts.asking() as handout:
            command = self._scripts.recover(
                self.owner,
                self._lease,
                hands.is_known,
                handout,
                self._max_deliveries,
                self._visibility_timeout,
                ended=math.inf if until is None else until,
            )
            returned, stale, lost, when, is_over, stranded = self._link.run(command)
            if lost:
                hands.is_lost = True
            hands.is_known |= bool(stranded)
            taken = []
            for packed_field, packed in zip(stranded[::2], stranded[1::2], strict=True):
                field = packed_field.decode()
                _, step, queue = field.split(" ", 2)
                taken.append((packed, queue, step, field, float(when)))
            if stale and is_over:
                returned += self._leftovers.restore()
            found = hands.read(taken)
            hands.revoked.look_up(found)
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
        commands = [("ZRANGE", self._names.later(name), 0, limit - 1, "WITHSCORES") for name in names]
        replies = self._link.ask_all(commands)
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
        self._ends.backend = backend
        return True

    def close(self) -> None:
        self._closed = True
        has_no_waits = self._stop_waiting()
        if self._hands.is_known:
            with contextlib.suppress(BrokerError):  # the lease ends by itself, and others then recover what was held
                while not self._link.run(self._scripts.leave(self.owner, has_no_waits)):
                    pass
                self._hands.is_known = False
        self._link.close()

    def _stop_waiting(self) -> bool:
        """End all waits; True if the server has no wait of this owner's left."""
        end = clock.monotonic() + 0.8
        self._watches.waiters.stop()
        self._calls.stop()
        are_over = self._watches.waiters.end(end), self._calls.waiters.end(end)
        return all(are_over)

    def before_fork(self) -> None:
        """Nothing to make ready."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """Another process is another owner."""
        self._begin(self._ends.backend)
