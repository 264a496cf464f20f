"""Short texts of any value, for headers, results and logs: `repr` that ends in time and never fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any

_ATOMS = frozenset({str, int, float, bool, NoneType})
_SHORT = frozenset({float, bool, NoneType})
_LARGE = 2**64
_PLAIN_CONTAINERS = frozenset({tuple, list, dict})
_FEW = 16
_MANY_BITS = 4096  # Python itself refuses to write ints of more than 4300 digits, and takes long for fewer.
_BRACKETS: dict[Any, tuple[str, str, str]] = {
    tuple.__repr__: ("(", ")", "()"),
    list.__repr__: ("[", "]", "[]"),
    set.__repr__: ("{", "}", "set()"),
    frozenset.__repr__: ("frozenset({", "})", "frozenset()"),
    dict.__repr__: ("{", "}", "{}"),
}
_CUT = "..."


def brief(value: Any, limit: int = 1024, depth: int = 3) -> str:
    """`repr(value)`, at most `limit` characters long; what lies deeper than `depth` containers is left out."""
    kind = type(value)
    if kind in _SHORT or (kind is int and -_LARGE < value < _LARGE) or (kind is str and len(value) <= limit and value.isascii()):
        text = repr(value)
        if len(text) <= limit:
            return text
    try:
        return _quick(value, limit) or _cut(_pieces(value, depth, limit), limit)
    except Exception as failure:  # a repr of the user's may do anything, and must not stop a task
        return _cut([_failed(value, failure)], limit)


def told(failure: BaseException) -> str:
    """The class of an exception and what it says, in brief; not its repr, which may hold all the bytes that were read."""
    try:
        said = str(failure)[:200]
    except Exception:  # as above
        said = ""
    return f"{type(failure).__name__}: {said}" if said else type(failure).__name__


def encodable(text: str) -> str:
    """The text; what UTF-8 does not have in it (half of a surrogate pair, out of a file's name) is written as an escape."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _quick(value: Any, limit: int) -> str | None:
    """The plain repr, where it is sure to be short enough to make: arguments are mostly a few small values."""
    kind = type(value)
    if kind not in _PLAIN_CONTAINERS or len(value) > _FEW:
        return None
    items = (*value, *value.values()) if kind is dict else value
    if not _ATOMS.issuperset(map(type, items)):
        return None
    for item in items:
        kind = type(item)
        if (kind is str and (len(item) > limit or not item.isascii())) or (kind is int and item.bit_length() > _MANY_BITS):
            return None
    text = repr(value)
    return text if len(text) <= limit else None


def _cut(pieces: Iterable[str], limit: int) -> str:
    """The pieces in one, ended by `...` when there would be more than `limit` characters; always encodable."""
    taken: list[str] = []
    length = 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length > limit:
            break
    text = "".join(taken)
    if not text.isascii():
        text = encodable(text[: limit + 1])
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def _pieces(value: Any, depth: int, limit: int) -> Iterator[str]:
    kind: Any = type(value)
    if kind is str or kind is bytes:
        yield repr(value[: limit + 1])
    elif kind is int and value.bit_length() > _MANY_BITS:
        yield f"<int of {value.bit_length()} bits>"
    elif kind.__repr__ in _BRACKETS:
        yield from _container(value, depth, limit)
    else:
        yield _own(value)


def _container(value: Any, depth: int, limit: int) -> Iterator[str]:
    start, end, empty = _BRACKETS[type(value).__repr__]
    if not len(value):
        yield empty
        return
    yield start
    if depth <= 0:
        yield _CUT
    else:
        yield from _items(value, depth - 1, limit)
    yield ",)" if end == ")" and len(value) == 1 and depth > 0 else end


def _items(value: Any, depth: int, limit: int) -> Iterator[str]:
    pairs = isinstance(value, dict)
    between = ""
    for item in value:
        yield between
        between = ", "
        yield from _pieces(item, depth, limit)
        if pairs:
            yield ": "
            yield from _pieces(value[item], depth, limit)


def _own(value: object) -> str:
    """The value's own repr, whatever that does."""
    try:
        return repr(value)
    except Exception as failure:
        return _failed(value, failure)


def _failed(value: object, failure: BaseException) -> str:
    return f"<{type(value).__qualname__} object: its repr raised {type(failure).__name__}>"
