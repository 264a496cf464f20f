"""The broker in SQLite: one owner in one file."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from umbel import clock
from umbel.errors import BrokerError
from umbel.stores import fork
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker, Buried, Conclusion, Delivery, Depth, Recovered
from umbel.stores.owner import new_owner
from umbel.stores.sqlite import cemetery, holds, lines, results, survey
from umbel.stores.sqlite.backend import SqliteBackend
from umbel.stores.sqlite.broom import Broom
from umbel.stores.sqlite.file import file_at
from umbel.stores.sqlite.space import give_room
from umbel.stores.sqlite.take import choose, take
from umbel.wire.envelope import Envelope

T = TypeVar("T")

NOBODY = 0
"""No owner has this number."""


class SqliteBroker(Broker):
    """One owner in the SQLite file at `path`.

    What it knows of itself (its number, whether its lease was lost) is written inside transactions only: under the file's lock.
    """

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
        self._broom = Broom()
        self._number = NOBODY
        self._lost = False
        self._closed = False
        self._vain = False
        self._handouts = itertools.count(1)
        self._turns = itertools.count()
        self._file.join(self)
        fork.watch(self)

    def send(self, envelopes: Sequence[Envelope]) -> None:
        if envelopes:
            now = clock.now()
            mail = lines.sort(envelopes, now)
            self._write(lambda connection: lines.put(connection, mail, now), tell=True)

    def _write(self, work: Callable[[sqlite3.Connection], T], *, tell: bool = False) -> T:
        done = self._file.write(work)
        if tell:
            self._file.tell()
        return done

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        until = clock.monotonic() + wait
        names = list(dict.fromkeys(queues))
        seen = None
        while not self._closed and limit > 0:
            if taken := self._reserve(names, limit):
                return taken
            if clock.monotonic() >= until:
                break
            if seen:
                self._file.wait(seen, min(until, self._next_due(names)))
            seen = self._file.mark()  # then look again, so that nothing falls between the look and the mark
        return []

    def _reserve(self, names: list[str], limit: int) -> list[Delivery]:
        """Take; after a vain attempt look first, so that those who wait do not hinder those who work."""
        if self._vain and not self._file.read(lambda connection: self._is_anything_ready(connection, names)):
            return []
        taken = self._file.write(lambda connection: self._take(connection, names, limit))
        self._vain = not taken
        return taken

    def _is_anything_ready(self, connection: sqlite3.Connection, names: list[str]) -> bool:
        now = clock.now()
        return any(line.ready or line.is_due(now) for line in lines.segments(connection, names))

    def _take(self, connection: sqlite3.Connection, names: list[str], limit: int) -> list[Delivery]:
        if self._closed:
            return []
        owner, now = self._register(connection), clock.now()
        found = lines.segments(connection, names)
        lines.wake(connection, found, now)
        chosen = choose(found, names, limit, next(self._turns))
        return take(connection, chosen, owner, next(self._handouts)) if chosen else []

    def _next_due(self, names: list[str]) -> float:
        """When (monotonic) the next of these is due; a moved clock is noticed within the second."""
        found = self._file.read(lambda connection: lines.segments(connection, names))
        left = min([line.due - clock.now() for line in found if line.due is not None], default=1.0)
        return clock.monotonic() + min(max(left, 0.0005), 1.0)

    def _register(self, connection: sqlite3.Connection) -> int:
        """The number of this owner; a new one if it is not registered, or was taken for dead."""
        if self._number and connection.execute("SELECT 1 FROM owner WHERE number = ?", (self._number,)).fetchone():
            return self._number
        self._lost |= self._number != NOBODY
        values = (self.owner, clock.now() + self._lease)
        self._number = connection.execute("INSERT INTO owner VALUES (NULL, ?, ?)", values).lastrowid or NOBODY
        return self._number

    def started(self, early: Sequence[Delivery]) -> list[Delivery]:
        return self._write(lambda connection: self._started(connection, early)) if early else []

    def _started(self, connection: sqlite3.Connection, early: Sequence[Delivery]) -> list[Delivery]:
        kept, lost = holds.sift(connection, early, self._number)
        holds.begin(connection, holds.places_of(kept))
        return lost

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        if not conclusions:
            return []
        tell = any(conclusion.envelopes or conclusion.results for conclusion in conclusions)
        return self._write(lambda connection: self._conclude(connection, conclusions), tell=tell)

    def _conclude(self, connection: sqlite3.Connection, conclusions: Sequence[Conclusion]) -> list[Delivery]:
        kept, lost = holds.sift(connection, [each.delivery for each in conclusions], self._number)
        of_each = {id(conclusion.delivery): conclusion for conclusion in reversed(conclusions)}
        valid = [of_each[id(delivery)] for delivery in kept]
        now = clock.now()
        holds.bury(connection, [(each.delivery, each.buried) for each in valid if each.buried is not None], now)
        holds.end(connection, holds.places_of(kept))
        told = [result for each in valid for result in each.results]
        results.keep(connection, told, now, self._results_expire)
        self._broom.after(connection, len(told), now)
        lines.put(connection, lines.sort([envelope for each in valid for envelope in each.envelopes], now), now)
        return lost

    def release(
        self, undone: Sequence[Delivery], *, due: float | None = None, counted: bool = False, parked: bool = False
    ) -> list[Delivery]:
        if not undone:
            return []

        def release(connection: sqlite3.Connection) -> list[Delivery]:
            kept, lost = holds.sift(connection, undone, self._number)
            places = holds.places_of(kept)
            holds.give_back(connection, places, clock.now(), due=due, counted=counted, parked=parked, begun=counted)
            return lost

        return self._write(release, tell=True)

    def renew(self, seconds: float) -> bool:
        return self._write(lambda connection: self._renew(connection, seconds))

    def _renew(self, connection: sqlite3.Connection, seconds: float) -> bool:
        self._register(connection)
        lost, self._lost = self._lost, False
        if lost:
            self._give_back(connection)
        connection.execute("UPDATE owner SET until = ? WHERE number = ?", (clock.now() + seconds, self._number))
        return not lost

    def _give_back(self, connection: sqlite3.Connection) -> None:
        """Release all that is held; what runs was begun, as far as anybody knows."""
        places = holds.held_by(connection, self._number)
        holds.give_back(connection, places, clock.now(), due=None, counted=False, parked=False, begun=True)

    def recover(self) -> Recovered:
        if not self._file.read(self._anyone_dead):
            give_room(self._file)
            return Recovered()
        recovered = self._write(self._recover, tell=True)
        give_room(self._file)
        return recovered

    def _anyone_dead(self, connection: sqlite3.Connection) -> bool:
        row = connection.execute("SELECT 1 FROM owner WHERE until <= ? AND number <> ?", (clock.now(), self._number)).fetchone()
        return row is not None

    def _recover(self, connection: sqlite3.Connection) -> Recovered:
        now = clock.now()
        connection.execute("DELETE FROM owner WHERE until <= ? AND number <> ?", (now, self._number))
        again, never = holds.orphans(connection, self._max_deliveries)
        done = Recovered(returned=holds.count(again))
        holds.give_back(connection, again, now, due=None, counted=True, parked=False, begun=True)
        if holds.count(never):
            done.stranded = holds.adopt(connection, never, self._register(connection), next(self._handouts))
        return done

    def queues(self) -> list[str]:
        return self._file.read(survey.queues)

    def depth(self, queues: Sequence[str]) -> dict[str, Depth]:
        now = clock.now()
        return self._file.read(lambda connection: {name: survey.depth(connection, name, now) for name in queues})

    def purge(self, queue: str) -> int:
        total = 0
        for segment, end in self._file.read(lambda connection: survey.ends(connection, queue)):
            while count := self._write(lambda connection: survey.purge(connection, segment, end)):  # noqa: B023 - called at once
                total += count
        return total

    def buried(self, queue: str | None = None, *, limit: int = 100, after: str = "") -> list[Buried]:
        return self._file.read(lambda connection: cemetery.letters(connection, queue, limit, after))

    def revive(self, keys: Sequence[str]) -> int:
        return self._write(lambda connection: cemetery.revive(connection, keys, clock.now()), tell=True) if keys else 0

    def discard(self, keys: Sequence[str]) -> int:
        return self._write(lambda connection: cemetery.discard(connection, keys)) if keys else 0

    def keeps(self, backend: ResultBackend) -> bool:
        """True for a backend on the same file; what `conclude` writes then expires as that backend says."""
        if not isinstance(backend, SqliteBackend) or backend.file is not self._file:
            return False
        self._results_expire = backend.expires
        return True

    def close(self) -> None:
        self._closed = True
        self._file.tell()
        if self._number:
            with contextlib.suppress(BrokerError):  # the lease ends by itself, and others then recover what was held
                self._write(self._leave, tell=True)
        self._file.leave(self)

    def _leave(self, connection: sqlite3.Connection) -> None:
        self._give_back(connection)
        connection.execute("DELETE FROM owner WHERE number = ?", (self._number,))
        self._number = NOBODY

    def before_fork(self) -> None:
        """Nothing to make ready: the file does."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """Another process is another owner."""
        self.owner = new_owner()
        self._number = NOBODY
        self._lost = self._vain = False
