"""The broker in SQLite: one owner in one file."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Sequence

import msgspec

from umbel import clock
from umbel.errors import BrokerError
from umbel.stores import fork
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Buried, Conclusion, Delivery, Depth, Once, Recovered, Renewal, Revocation
from umbel.stores.owner import new_owner
from umbel.stores.sqlite import broom, cemetery, holds, joins, lines, once, revoked, survey
from umbel.stores.sqlite.backend import SqliteBackend, keep
from umbel.stores.sqlite.file import Mark, Transaction, file_at
from umbel.stores.sqlite.pack import to_json
from umbel.stores.sqlite.space import give_room
from umbel.stores.sqlite.take import Receipt, take
from umbel.wire.envelope import Envelope

LOOK = 0.5
"""Seconds after which one who waits looks though nobody rang."""
NOBODY = 0
"""No owner has this number."""


class Served(msgspec.Struct):
    """The queues for which an owner has a place, and what it holds of that which conclusions have sent there."""

    queues: list[str]
    held: list[Delivery] = msgspec.field(default_factory=list)


class SqliteBroker(Broker):
    """One owner in the SQLite file at `path`.

    What it knows of itself (its number, whether its lease was lost) is written inside transactions only: under the file's lock.
    """

    sees_all = True

    def __init__(
        self,
        path: str,
        *,
        lease: float = 30.0,
        max_deliveries: int = 5,
        synchronous: str = "normal",
        timeout: float = 30.0,
    ):
        self.url = f"sqlite:///{path}"
        self.owner = new_owner()
        self._file = file_at(path, synchronous=synchronous, timeout=timeout)
        self._lease = lease
        self._max_deliveries = max_deliveries
        self._results_expire: float | None = 86400.0
        self._unswept = 0
        self._number = NOBODY
        self._lost = False
        self._closed = False
        self._vain = False
        self._handouts = itertools.count(1)
        self._turns = itertools.count()
        self._bells = self._file.bells
        self._file.join(self)
        fork.watch(self)

    def send(self, envelopes: Sequence[Envelope], *, within: float | None = None) -> None:
        now, mail = clock.now(), None
        if len(envelopes) == 1 and envelopes[0].due is None:
            (envelope,) = envelopes
            values = (now, lines.encode(envelope), envelope.queue, envelope.priority, now)
        elif envelopes:
            mail = lines.sort(envelopes, now)
        else:
            return
        with Transaction(self._file, within) as connection:
            if mail is None and not connection.execute(lines.APPEND, values).rowcount:
                mail = lines.sort(envelopes, now)
            if mail is not None:
                lines.put(connection, mail, now)
        if mail is not None:
            self._bells.ring(mail.queues)
        elif self._bells.flags[self._bells.places[envelope.queue]]:
            self._bells.ring((envelope.queue,))

    def send_once(self, messages: Sequence[Once]) -> list[bool]:
        if not messages:
            return []
        now = clock.now()
        with Transaction(self._file) as connection:
            accepted = once.accept(connection, messages, now)
            mail = lines.sort([each.envelope for each, is_next in zip(messages, accepted, strict=True) if is_next], now)
            lines.put(connection, mail, now)
        self._bells.ring(mail.queues)
        return accepted

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        until = clock.monotonic() + wait
        names = to_json(list(dict.fromkeys(queues))).decode()
        seen: Mark | None = None
        pipes: list[int] | None = None
        while not self._closed and limit > 0:
            # After a vain attempt look first, so that those who wait do not hinder those who work.
            pause = self._ready_in(names) if self._vain else 0.0
            if not pause:
                with Transaction(self._file) as connection:
                    found = [
                        lines.Segment(*row)
                        for row in connection.execute(lines.LINES, (self._number, self.owner, names)).fetchall()
                    ]
                    if any(line.due is not None and line.due <= clock.now() for line in found):
                        found = lines.wake_all(connection, found, clock.now())
                    # What a thread takes after another has closed would never be given back.
                    ready = [] if self._closed else [line for line in found if line.ready]  # type: ignore[redundant-expr]
                    self._vain = not ready
                    if ready:
                        owner, turn = self._number if ready[0].owner_lives else self._register(connection), next(self._turns)
                        taken = take(connection, ready, limit, turn=turn, owner=owner, handout=next(self._handouts))
                if ready:
                    is_left = sum([line.ready for line in ready]) > len(taken) or ready[0].returned == lines.MOST_RETURNED
                    if others := {line.queue for line in found if is_left or line.due is not None}:
                        self._bells.ring(others)  # who works does not watch over what is left, or will be due
                    return taken
            now = clock.monotonic()
            if now >= until:
                break
            if pipes:
                self._bells.wait(pipes, min(until - now, pause, LOOK))
            elif pipes is not None:
                seen = self._file.wait(seen, min(until, now + pause))
            pipes = self._bells.listen(queues)  # then look again
        return []

    def _ready_in(self, names: str) -> float:
        """Seconds until something is ready, 0 if it is; at most one, so that a moved clock is noticed."""
        found = [lines.Segment(*row) for row in self._file.rows(lines.LINES, (self._number, self.owner, names))]
        left = min([line.due - clock.now() for line in found if line.due is not None], default=1.0)
        return 0.0 if left <= 0 or any(line.ready for line in found) else min(max(left, 0.0005), 1.0)

    def _register(self, connection: sqlite3.Connection) -> int:
        """The number of this owner; a new one if it is not registered, or was taken for dead."""
        sql = "SELECT 1 FROM owner WHERE number = ? AND name = ?"
        if connection.execute(sql, (self._number, self.owner)).fetchone():
            return self._number
        self._lost |= self._number != NOBODY
        values = (self.owner, clock.now() + self._lease)
        self._number = connection.execute("INSERT INTO owner VALUES (NULL, ?, ?)", values).lastrowid or NOBODY
        return self._number

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        if not early:
            return []
        with Transaction(self._file) as connection:
            kept, lost = holds.sift(connection, early, self._number)
            holds.begin(connection, holds.places_of(kept))
            return lost

    def conclude(self, conclusions: Sequence[Conclusion], served: Served | None = None) -> list[Delivery]:
        if not conclusions:
            return []
        now = clock.now()
        lost: list[Delivery] = []
        receipts = [each.delivery.receipt for each in conclusions if isinstance(each.delivery.receipt, Receipt)]
        places = to_json([receipt.place for receipt in receipts]).decode()
        with Transaction(self._file) as connection:
            held = connection.execute(holds.HELD, (places, self._number)).fetchone()[0]
            if held != to_json(receipts).decode() or not len(set(receipts)) == len(receipts) == len(conclusions):
                conclusions, lost = self._sift(connection, conclusions)
                places = holds.places_of([each.delivery for each in conclusions])
            if any(each.buried is not None for each in conclusions):
                holds.bury(connection, conclusions, now)
            connection.execute(holds.FREE, (places,))
            connection.execute(holds.DROP, (places,))
            if met := [each.delivery.envelope.id for each in conclusions if each.delivery.revoked]:
                revoked.meet(connection, met)
            if results := [result for each in conclusions for result in each.results]:
                keep(connection, results, now, self._results_expire)
                self._unswept += len(results)
                if self._unswept >= broom.EVERY:
                    self._unswept = 0
                    broom.sweep(connection, now)
            mail = None
            envelopes = [envelope for each in conclusions for envelope in each.envelopes]
            if arrivals := [arrival for each in conclusions for arrival in each.arrivals]:
                envelopes += joins.note(connection, arrivals, now, self._results_expire)
            if envelopes:
                mail = lines.sort(envelopes, now)
                lines.put(connection, mail, now)
                if served and not self._closed:
                    most = sum(each.leads for each in conclusions)
                    served.held += self._take_sent(connection, mail, served.queues, most)
        if mail and not (served and len(served.held) == len(envelopes)):
            self._bells.ring(mail.queues)
        return lost

    def proceed(self, conclusions: Sequence[Conclusion], queues: Sequence[str]) -> tuple[list[Delivery], list[Delivery]]:
        served = Served(list(dict.fromkeys(queues)))
        return self.conclude(conclusions, served), served.held

    def _take_sent(self, connection: sqlite3.Connection, mail: lines.Mail, queues: list[str], most: int) -> list[Delivery]:
        """Hold so many of what was just sent to these queues, if nothing else is ready there."""
        values = (self._number, self.owner, to_json(queues).decode())
        found = [lines.Segment(*row) for row in connection.execute(lines.LINES, values).fetchall()]
        now, ready = clock.now(), [line for line in found if line.ready]
        sent = sum(len(blobs) for (queue, _), blobs in mail.ready.items() if queue in queues)
        if (
            not sent
            or sum(line.ready for line in ready) > sent
            or any(line.due is not None and line.due <= now for line in found)
        ):
            return []
        turn, handout = next(self._turns), next(self._handouts)
        return take(connection, ready, most, turn=turn, owner=self._number, handout=handout)

    def _sift(self, connection: sqlite3.Connection, conclusions: Sequence[Conclusion]) -> tuple[list[Conclusion], list[Delivery]]:
        """Those whose delivery is still held, and the deliveries that are not."""
        kept, lost = holds.sift(connection, [each.delivery for each in conclusions], self._number)
        of_each = {id(conclusion.delivery): conclusion for conclusion in reversed(conclusions)}
        return [of_each[id(delivery)] for delivery in kept], lost

    def release(
        self, undone: Sequence[Delivery], *, delay: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        if not undone:
            return []
        with Transaction(self._file) as connection:
            kept, lost = holds.sift(connection, undone, self._number)
            places, now = holds.places_of(kept), clock.now()
            due = None if delay is None else now + delay
            holds.give_back(connection, places, now, due=due, counted=counted, parked=parked, begun=counted)
        self._bells.ring({each.queue for each in kept})
        return lost

    def renew(self, seconds: float) -> Renewal:
        with Transaction(self._file) as connection:
            self._register(connection)
            lost, self._lost = self._lost, False
            now = clock.now()
            connection.execute("UPDATE owner SET until = ? WHERE number = ?", (now + seconds, self._number))
            return Renewal(not lost, now)

    def recover(self, until: float | None = None) -> Recovered:
        now, done = clock.now(), Recovered()
        ended = now if until is None else min(now, until)
        if self._file.rows("SELECT 1 FROM owner WHERE until <= ? AND number <> ?", (ended, self._number)):
            with Transaction(self._file) as connection:
                connection.execute("DELETE FROM owner WHERE until <= ? AND number <> ?", (ended, self._number))
                again, never = holds.orphans(connection, self._max_deliveries)
                done.returned = holds.count(again)
                holds.give_back(connection, again, now, due=None, counted=True, parked=False, begun=True)
                if holds.count(never):
                    done.stranded = holds.adopt(connection, never, self._register(connection), next(self._handouts), now)
            self._bells.ring()
        give_room(self._file)
        return done

    def revoke(self, revocations: Sequence[Revocation], seconds: float) -> None:
        if not revocations:
            return
        now = clock.now()
        with Transaction(self._file) as connection:
            revoked.keep(connection, revocations, now, now + seconds)
            revoked.sweep(connection, now)

    def revocations(self, after: int = 0) -> tuple[int, list[Revocation]]:
        return self._file.read(lambda connection: revoked.behind(connection, after, clock.now()))

    def queues(self) -> list[str]:
        return self._file.read(survey.queues)

    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        now = clock.now()
        return self._file.read(lambda connection: {name: survey.depth(connection, name, now) for name in queues})

    def upcoming(self, queues: Sequence[str], limit: int) -> list[Envelope]:
        now = clock.now()
        return self._file.read(lambda connection: survey.upcoming(connection, queues, limit, now))

    def hasten(self, queues: Sequence[str], within: float) -> int:
        now, total, count = clock.now(), 0, 1
        while count:
            with Transaction(self._file) as connection:
                count = lines.hasten(connection, queues, now, now + within)
            total += count
        if total:
            self._bells.ring(set(queues))
        return total

    def purge(self, queue: str) -> int:
        total = 0
        for segment, end in self._file.read(lambda connection: survey.ends(connection, queue)):
            count = 1
            while count:
                with Transaction(self._file) as connection:
                    count = survey.purge(connection, segment, end)
                total += count
        return total

    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        return self._file.read(lambda connection: cemetery.letters(connection, queue, limit, after))

    def sweep(self, *, most: int | None, seconds: float | None) -> int:
        oldest, total = None if seconds is None else clock.now() - seconds, 0
        while self._file.read(lambda connection: cemetery.has_old(connection, most, oldest)):
            with Transaction(self._file) as connection:
                total += cemetery.sweep(connection, most, oldest)
        return total

    def revive(self, keys: Sequence[str]) -> int:
        if not keys:
            return 0
        with Transaction(self._file) as connection:
            count = cemetery.revive(connection, keys, clock.now())
        self._bells.ring()
        return count

    def discard(self, keys: Sequence[str]) -> int:
        if not keys:
            return 0
        with Transaction(self._file) as connection:
            return cemetery.discard(connection, keys)

    def keeps(self, backend: ResultBackend) -> bool:
        """True for a backend on the same file; what `conclude` writes then expires as that backend says."""
        if not isinstance(backend, SqliteBackend) or backend.file is not self._file:
            return False
        self._results_expire = backend.expires
        return True

    def close(self) -> None:
        self._closed = True
        self._file.rouse()
        if self._number:
            with contextlib.suppress(BrokerError):  # the lease ends by itself, and others then recover what was held
                self._leave()
        self._file.leave(self)

    def _leave(self) -> None:
        with Transaction(self._file) as connection:
            gone = connection.execute("DELETE FROM owner WHERE number = ? AND name = ?", (self._number, self.owner))
            if gone.rowcount:  # else its lease was lost, and with it what it held
                places = holds.held_by(connection, self._number)
                holds.give_back(connection, places, clock.now(), due=None, counted=False, parked=False, begun=True)
        self._number = NOBODY
        self._bells.ring()

    def before_fork(self) -> None:
        """Nothing to make ready: the file does."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """Another process is another owner."""
        self.owner = new_owner()
        self._number = NOBODY
        self._lost = self._vain = False
