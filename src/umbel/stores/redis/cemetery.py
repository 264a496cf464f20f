"""Dead letters: one stream for all queues, so that they are told in the order in which they died."""

from __future__ import annotations

import re
from collections.abc import Sequence

from umbel.errors import DecodeError
from umbel.stores.broker import Buried
from umbel.stores.redis import element
from umbel.stores.redis.link import Link
from umbel.stores.redis.scripts import Scripts

KEY = re.compile(r"\d+-\d+\Z")
AT_ONCE = 1000
MOST_BYTES = 64 << 20
"""In one list of letters, which ends with the letter that goes beyond."""


class Cemetery:
    """Tells of dead letters, and digs them out. Any thread may use it."""

    def __init__(self, link: Link, scripts: Scripts):
        self._link = link
        self._scripts = scripts

    def buried(self, queue: str | None, limit: int, after: str) -> list[Buried]:
        """As in the broker's contract."""
        found: list[Buried] = []
        start = f"({after}" if KEY.match(after) else "-"
        size = 0
        while len(found) < limit and size < MOST_BYTES:
            rows = self._link.run(self._scripts.letters(start, min(limit, AT_ONCE)))
            if not rows:
                break
            letters = [_letter(key.decode(), fields) for key, fields in rows]
            chosen = [letter for letter in letters if queue is None or letter.queue == queue][: limit - len(found)]
            found += chosen
            size += sum(len(letter.envelope.body) for letter in chosen)
            start = f"({letters[-1].key}"
        return found

    def dig(self, what: str, keys: Sequence[str]) -> int:
        """`revive` or `discard` these; tells how many there were."""
        valid = [key for key in dict.fromkeys(keys) if KEY.match(key)]
        count = 0
        while valid:
            dug, seen = self._link.run(self._scripts.dig(what, valid[:AT_ONCE]))
            count += dug
            del valid[:seen]
        return count


def _letter(key: str, fields: Sequence[bytes]) -> Buried:
    told = dict(zip(fields[::2], fields[1::2], strict=True))
    queue, packed = told[b"queue"].decode(), told[b"element"]
    try:
        envelope, _ = element.read(packed, queue, told[b"step"].decode())
    except DecodeError:
        envelope = element.strange(packed, queue)
    return Buried(key, envelope, queue, told[b"reason"].decode(), float(told[b"when"]), int(told[b"attempt"]))
