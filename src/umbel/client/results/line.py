"""The tasks that a result stands for, and those in line before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def ids_before(results: Iterable[Any]) -> set[str]:
    """The ids of all tasks of these results, and of those that come before them."""
    ids = set()
    todo = list(results)
    while todo:
        result = todo.pop()
        while result is not None:
            inner = getattr(result, "results", None)
            if inner is None:
                ids.add(result.id)
            else:
                todo.extend(inner)
            result = getattr(result, "parent", None)
    return ids


def parts_of(result: Any) -> Iterator[Any]:
    """The single results of a result, which may be a set of them."""
    inner = getattr(result, "results", None)
    if inner is None:
        yield result
    else:
        for each in inner:
            yield from parts_of(each)
