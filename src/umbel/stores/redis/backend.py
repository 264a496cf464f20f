"""The result backend in Redis: Celery's documents under Celery's keys, told to who waits on the channels of the same names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from umbel import clock
from umbel.errors import BrokerDown
from umbel.states import READY_STATES
from umbel.stores import fork
from umbel.stores.backend import ResultBackend
from umbel.stores.join import WAITS, Arrival, Parts
from umbel.stores.redis import joins
from umbel.stores.redis.budget import Budget
from umbel.stores.redis.joins import REMEMBERED, Follows
from umbel.stores.redis.link import Link
from umbel.stores.redis.listener import PAUSE, SILENT, Heard, Listener
from umbel.stores.redis.results import as_arguments, end_in, life, state_in
from umbel.stores.redis.scripts import ResultScripts
from umbel.stores.redis.server import Server
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

AT_ONCE = 1000


class RedisBackend(ResultBackend):
    """Results on the Redis server. Any thread may use it."""

    def __init__(self, server: Server, *, expires: float | None = 86400.0, prefix: str = "", chords_in_order: bool = True):
        """`chords_in_order`: as Celery's `result_chord_ordered`; else parts come in the order of their arrival."""
        self.url = server.url
        self.server = server
        self.expires = expires
        self.prefix = prefix if not prefix or prefix[-1] in ":_-." else f"{prefix}_"
        self._link = Link(server)
        self._budget = Budget()
        self._listener = Listener(self._link)
        self._closed = False
        self.names = {"R": self.prefix, "ORDERED": str(int(chords_in_order)), "WAITS": life(WAITS)}
        """What its scripts are to know, also those of a broker that writes here."""
        self._scripts = ResultScripts({"P": "", **self.names})
        fork.watch(self)

    def _key(self, id: str) -> str:
        return f"{self.prefix}celery-task-meta-{id}"

    def _side(self, id: str) -> str:
        return f"{self.prefix}umbel-state-{id}"

    def store(self, results: Sequence[Result]) -> None:
        if results:
            self._budget.carry([len(result.document) for result in results], lambda part: self._write(results[part]), AT_ONCE)

    def _write(self, results: Sequence[Result]) -> None:
        arguments = [argument for result in results for argument in as_arguments(result)]
        self._link.run(self._scripts.store(life(self.expires), arguments))

    def fetch(self, ids: Collection[str]) -> dict[str, Result]:
        if not ids:
            return {}
        names = list(dict.fromkeys(ids))
        parts = [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
        replies = self._link.ask_all([("MGET", *map(self._key, part), *map(self._side, part)) for part in parts])
        results = {}
        for part, found in zip(parts, replies, strict=True):
            for id, document, side in zip(part, found[: len(part)], found[len(part) :], strict=True):
                if document is not None:
                    state = side.decode() if side is not None else state_in(document)
                    results[id] = Result(id, state or "PENDING", document)
        return results

    def wait(self, ids: Collection[str], timeout: float) -> dict[str, Result]:
        if not ids or self._closed:
            return {}
        until = clock.monotonic() + timeout
        names = {self._key(id).encode(): id for id in ids}
        trouble: BrokerDown | None = None
        try:
            first = names if timeout <= 0 else self._listener.unheard(names)
            if (found := self._look(names, first)) or timeout <= 0:
                if 0 < len(found) < len(names):  # whoever waits for many comes back for the rest
                    self._listener.follow([name for name, id in names.items() if id not in found])
                return found
        except BrokerDown as error:
            if timeout <= 0:
                raise
            trouble = error
        with self._listener.listening(names) as heard:
            return self._wait(names, until, heard, trouble)

    def _look(self, names: Mapping[bytes, str], heard: Collection[bytes]) -> dict[str, Result]:
        """Those of what was heard that are final; without asking for those of which the listener knows that they are not."""
        marks = self._listener.marks(heard)
        found = self.fetch([names[name] for name in marks])
        final = {id: result for id, result in found.items() if result.state in READY_STATES}
        self._listener.looked({name: mark for name, mark in marks.items() if names[name] not in final})
        return final

    def _wait(self, names: Mapping[bytes, str], until: float, heard: Heard, trouble: BrokerDown | None) -> dict[str, Result]:
        """Take the ends that were told, else look at what was heard; while the server is away, now and then at all of that."""
        fresh = dict.fromkeys(names, b"") if trouble else {}
        while not self._closed:
            left = until - clock.monotonic()
            if left <= 0:
                break
            fresh |= heard.wait(min(left, SILENT if trouble is None else PAUSE))
            if not fresh:
                self._listener.check()
                continue
            found = {names[name]: Result(names[name], end, told) for name, told in fresh.items() if (end := end_in(told))}
            try:
                if others := [name for name in fresh if names[name] not in found]:
                    found |= self._look(names, others)
                fresh, trouble = {}, None
            except BrokerDown as error:
                trouble = error
            if found:
                return found
        if trouble is not None and not self._closed:
            raise trouble
        return {}

    def expect(self, chord: str, size: int) -> None:
        self._link.run(self._scripts.expect(chord, size, life(self.expires)))

    def arrive(self, arrivals: Sequence[Arrival]) -> list[Envelope]:
        told: list[Envelope] = []
        sizes = [len(each.part or b"") for each in arrivals]
        self._budget.carry(sizes, lambda part: told.extend(self._arrive(arrivals[part])), AT_ONCE)
        return told

    def _arrive(self, arrivals: Sequence[Arrival]) -> Iterator[Envelope]:
        follows = Follows()
        arguments = [argument for each in arrivals for argument in joins.as_arguments(each, follows.number(each))]
        told = self._link.run(self._scripts.arrive(life(self.expires), arguments))
        for place, delay in zip(told[::2], told[1::2], strict=True):
            then = follows.envelopes[place]
            yield msgspec.structs.replace(then, due=max(then.due or 0, clock.now() + delay / 1000)) if delay else then

    def parts(self, chord: str) -> Parts | None:
        found = self._link.run(self._scripts.parts(chord))
        if found is None:
            return None
        size, arrived, is_damaged = found
        return Parts(size, arrived, bool(is_damaged))

    def ended(self, chord: str) -> bool:
        claim = self._link.ask("GET", f"{self._group(chord)}.c")
        return claim is not None and not claim.startswith(joins.OURS)

    def done(self, chord: str) -> None:
        self._link.run(self._scripts.done(chord, life(min(self.expires or REMEMBERED, REMEMBERED))))

    def save_group(self, id: str, document: bytes, expires: float | None) -> None:
        age = life(expires)
        self._link.ask("SET", self._group(id), document, *(("PX", age) if age else ()))

    def group(self, id: str) -> bytes | None:
        document: bytes | None = self._link.ask("GET", self._group(id))
        return document

    def forget_group(self, id: str) -> None:
        self._link.ask("DEL", self._group(id))

    def _group(self, id: str) -> str:
        return f"{self.prefix}celery-taskset-meta-{id}"

    def forget(self, ids: Sequence[str]) -> None:
        parts = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
        if parts:
            self._link.ask_all([("DEL", *map(self._key, part), *map(self._side, part)) for part in parts])

    def sweep(self) -> int:
        """Nothing to do: the server removes what is past its age by itself."""
        return 0

    def close(self) -> None:
        self._closed = True
        self._listener.close()
        self._link.close()

    def before_fork(self) -> None:
        """Nothing to make ready."""

    def after_fork_in_parent(self) -> None:
        """Nothing has changed."""

    def after_fork_in_child(self) -> None:
        """The listener is the parent's."""
        self._listener = Listener(self._link)
