"""What somebody wants of workers, read from whatever bytes came."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from umbel.errors import DecodeError
from umbel.stores.channel import Note
from umbel.wire import encoding
from umbel.wire.brief import brief

KEPT, ASKED = "kept", "asked"
"""What the header `umbel` says of a request: the store remembers it as well; who asks counts the answers."""
LONGEST_PATTERN, MOST_REPEATS = 1000, 5
"""Letters of a pattern, and repetitions in it; no list of nodes needs more."""


class Request(msgspec.Struct):
    """One request; as long as nothing is said of that, for all workers."""

    method: str
    arguments: dict[str, Any]
    destination: list[str] | None = None
    pattern: str | None = None
    matcher: str | None = None
    ticket: str | None = None
    exchange: str | None = None
    """Where answers go; None: nobody waits for any."""
    address: str = ""
    is_kept: bool = False
    """True if who has sent it has left it in the store as well."""
    is_counted: bool = False
    """True if who has sent it waits until all who listen have answered, and leaves out answers that say nothing: `{}`."""

    def is_for(self, node: str) -> bool:
        """True if this node is meant."""
        if self.pattern:
            if self.matcher == "pcre":
                return re.match(self.pattern, node) is not None
            return fnmatchcase(node, self.pattern)
        return not self.destination or node in self.destination  # none at all are all, as Celery's workers have it


def read(note: Note, accept: frozenset[str]) -> Request:
    """The request in a note; raises DecodeError if there is none."""
    found = encoding.loads(note.body, note.content_type, note.content_encoding, accept)
    if not isinstance(found, dict):
        raise DecodeError(f"it is no object: {brief(found, 100)}")
    method, arguments = found.get("method"), found.get("arguments") or {}
    if not isinstance(method, str):
        raise DecodeError(f"its method is no name: {brief(method, 100)}")
    if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
        raise DecodeError(f"the arguments of {method!r} are no object with names: {brief(arguments, 100)}")
    destination, reply_to = found.get("destination"), found.get("reply_to") or {}
    if isinstance(destination, str):
        destination = [destination]
    if destination is not None and not (isinstance(destination, list) and all(isinstance(each, str) for each in destination)):
        raise DecodeError(f"the destination of {method!r} is no list of names: {brief(destination, 100)}")
    if not isinstance(reply_to, dict):
        raise DecodeError(f"the reply_to of {method!r} is no object: {brief(reply_to, 100)}")
    exchange, address, ticket = reply_to.get("exchange"), reply_to.get("routing_key"), found.get("ticket")
    if not (_is_text(exchange) and _is_text(address) and _is_text(ticket)):
        raise DecodeError(f"the reply_to of {method!r} names no place: {brief(reply_to, 100)}")
    ours = note.headers.get("umbel")
    request = Request(method, arguments, destination, ticket=ticket, is_kept=ours == KEPT, is_counted=ours in (KEPT, ASKED))
    if exchange and address:
        request.exchange, request.address = exchange, address
    _read_pattern(request, found)
    return request


def may_take_for_ever(pattern: str) -> bool:
    """True of a regular expression that repeats what itself repeats or has a choice, or that repeats many things.

    Such a one can keep an interpreter busy for years with a name of forty letters. It is told by its letters alone, and some that
    would do no harm are among them.
    """
    bare = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", pattern)
    if sum(map(bare.count, "*+{")) > MOST_REPEATS or re.search(r"\\\d|\(\?P=", pattern):
        return True
    risky = [False]  # of each group that is open: whether it holds a repetition or a choice
    for place, letter in enumerate(bare):
        if letter == "(":
            risky.append(False)
        elif letter == ")" and len(risky) > 1:
            inner, follows = risky.pop(), bare[place + 1 : place + 2]
            if inner and follows in ("*", "+", "{"):
                return True
            risky[-1] |= inner
        elif letter in "*+{|":
            risky[-1] = True
    return False


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _read_pattern(request: Request, found: dict[str, Any]) -> None:
    pattern, matcher = found.get("pattern"), found.get("matcher")
    if not pattern:
        return
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        raise DecodeError(f"the pattern of {request.method!r} is none: {brief(pattern, 100)}")
    if matcher == "pcre":
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise DecodeError(f"the pattern of {request.method!r} is no regular expression: {error}") from error
        if may_take_for_ever(pattern):
            raise DecodeError(f"the pattern of {request.method!r} could take for ever: {brief(pattern, 100)}")
    elif matcher not in (None, "", "glob"):
        raise DecodeError(f"the matcher of {request.method!r} is neither glob nor pcre: {brief(matcher, 100)}")
    request.pattern, request.matcher = pattern, matcher
