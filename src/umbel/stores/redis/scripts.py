"""What is told to each script: a method for each `.lua` file, with the parameters that the file names in its line `ARGV`.

A command that a method gives is the script and its arguments, in that order. The file knows each argument by its name, which
`script.py` reads from the same line; `tests/stores/test_redis_scripts.py` holds both to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from umbel.stores.redis.link import Command
from umbel.stores.redis.script import Script

Constants = Mapping[str, str | Sequence[str]]
"""Names that a script is to know, and their values."""


class Scripts:
    """Those of a broker."""

    def __init__(self, constants: Constants):
        self._constants = {**constants, "JOINS": "0"}
        names = [name for name in vars(Scripts) if not name.startswith("_") and name != "keep_results"]
        self._of = {name: Script(self._constants, "insist", "keys", name) for name in names if name != "conclude"}
        self._of["conclude"] = Script(self._constants, "insist", "keys", "keep", "conclude")
        self._joining = self._of["conclude"]

    def keep_results(self, names: Constants) -> None:
        """Let `conclude` write results where these names say."""
        known = {**self._constants, **names}
        self._of["conclude"] = Script(known, "insist", "keys", "keep", "conclude")
        self._joining = Script({**known, "JOINS": "1"}, "insist", "keys", "keep", "joins", "conclude")

    def declare(self, queues: Iterable[str]) -> Command:
        return self._of["declare"], *queues

    def later(self, messages: Iterable[Any]) -> Command:
        return self._of["later"], *messages

    def once(self, remembered: float, astray: float, messages: Iterable[Any]) -> Command:
        return self._of["once"], remembered, astray, *messages

    def reserve(
        self,
        owner: str,
        lease: float,
        known: bool,
        handout: int,
        missed: str,
        limit: int,
        turn: int,
        watch: float,
        is_new: bool,
        calls: bool,
        queues: Iterable[str],
    ) -> Command:
        booking = self._of["reserve"], owner, lease, int(known), handout, missed
        return *booking, limit, turn, watch, int(is_new), int(calls), *queues

    def book(self, owner: str, field: str, queue: str) -> Command:
        return self._of["book"], owner, field, queue

    def started(self, owner: str, fields: Iterable[str]) -> Command:
        return self._of["started"], owner, *fields

    def conclude(
        self,
        owner: str,
        life: str,
        handout: int | str,
        queues: Sequence[str],
        met: Sequence[str],
        plain: Sequence[str],
        kept: Sequence[Any],
        others: Iterable[Any],
        *,
        joining: bool = False,
    ) -> Command:
        """`joining` if some of the others arrive at chords."""
        script = self._joining if joining else self._of["conclude"]
        ends = len(met) // 2, *met, len(plain), *plain, len(kept) // 3, *kept
        return script, owner, life, handout, len(queues), *queues, *ends, *others

    def release(self, owner: str, delay: float, counted: bool, parked: bool, fields: Iterable[str]) -> Command:
        return self._of["release"], owner, repr(delay), int(counted), int(parked), *fields

    def renew(self, owner: str, seconds: float, known: bool, missed: str) -> Command:
        return self._of["renew"], owner, seconds, int(known), missed

    def leave(self, owner: str, has_no_waits: bool) -> Command:
        return self._of["leave"], owner, int(has_no_waits)

    def recover(
        self,
        owner: str,
        lease: float,
        known: bool,
        handout: int,
        max_deliveries: int,
        visibility_timeout: float,
        ended: float,
    ) -> Command:
        return self._of["recover"], owner, lease, int(known), handout, max_deliveries, visibility_timeout, repr(ended)

    def restore(self, tag: bytes, element: bytes | str, reason: str, places: Iterable[str]) -> Command:
        return self._of["restore"], tag, element, reason, *places

    def hasten(self, queue: str, till: str) -> Command:
        return self._of["hasten"], queue, till

    def purge(self, queue: str) -> Command:
        return self._of["purge"], queue

    def revoke(self, seconds: float, revocations: Iterable[str]) -> Command:
        return self._of["revoke"], seconds, *revocations

    def revocations(self, after: int, limit: int) -> Command:
        return self._of["revocations"], after, limit

    def revoked(self, ids: Iterable[str]) -> Command:
        return self._of["revoked"], *ids

    def survey(self, most: int, queues: Iterable[str]) -> Command:
        return self._of["survey"], most, *queues

    def holding(self, owners: Iterable[str]) -> Command:
        return self._of["holding"], *owners

    def letters(self, start: str, limit: int) -> Command:
        return self._of["letters"], start, limit

    def dig(self, what: str, keys: Iterable[str]) -> Command:
        return self._of["dig"], what, *keys

    def sweep(self, most: int | str, seconds: float | str) -> Command:
        return self._of["sweep"], most, seconds

    def wait_for(self, owner: str, life: int, queues: Iterable[str]) -> Command:
        return self._of["wait_for"], owner, life, *queues

    def look_out(self, number: int, owner: str, life: int) -> Command:
        return self._of["look_out"], number, owner, life


class ResultScripts:
    """Those of a result backend."""

    def __init__(self, constants: Constants):
        names = [name for name in vars(ResultScripts) if not name.startswith("_")]
        self._of = {name: Script(constants, "insist", "keep" if name == "store" else "joins", name) for name in names}

    def store(self, life: str, results: Iterable[Any]) -> Command:
        return self._of["store"], life, *results

    def expect(self, chord: str, size: int, life: str) -> Command:
        return self._of["expect"], chord, size, life

    def arrive(self, life: str, arrivals: Iterable[Any]) -> Command:
        return self._of["arrive"], life, *arrivals

    def parts(self, chord: str) -> Command:
        return self._of["parts"], chord

    def done(self, chord: str, life: str) -> Command:
        return self._of["done"], chord, life


class ScheduleScripts:
    """Those of a schedule."""

    def __init__(self, constants: Constants):
        names = [name for name in vars(ScheduleScripts) if not name.startswith("_")]
        self._of = {name: Script(constants, "insist", "schedule", f"schedule_{name}") for name in names}

    def find(self, names: Iterable[str]) -> Command:
        return self._of["find"], *names

    def changes(self, after: int, limit: int, is_more: bool) -> Command:
        return self._of["changes"], after, limit, int(is_more)

    def save(self, forgotten_after: float, entries: Iterable[Any]) -> Command:
        return self._of["save"], forgotten_after, *entries

    def enable(self, forgotten_after: float, enabled: bool, names: Iterable[str]) -> Command:
        return self._of["enable"], forgotten_after, int(enabled), *names

    def remove(self, forgotten_after: int, names: Iterable[str]) -> Command:
        return self._of["remove"], forgotten_after, *names

    def tick(self, astray: float, ticks: Iterable[Any]) -> Command:
        return self._of["tick"], astray, *ticks

    def lead(self, owner: str, life: int) -> Command:
        return self._of["lead"], owner, life

    def resign(self, owner: str) -> Command:
        return self._of["resign"], owner

    def leader(self) -> Command:
        return (self._of["leader"],)


class ChannelScripts:
    """That of a channel."""

    def __init__(self, constants: Constants):
        self._reply = Script(constants, "reply")

    def reply(self, exchange: str, address: str, life: int, elements: Iterable[bytes]) -> Command:
        return self._reply, exchange, address, life, *elements
