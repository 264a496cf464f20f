"""What hangs on a result: what its task has sent, what that has sent, and so on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from umbel.client.results.line import parts_of
from umbel.client.results.many import look
from umbel.errors import IncompleteStream


def descend(root: Any, *, intermediate: bool) -> Iterator[tuple[Any, Any]]:
    """Each result with the one it hangs on (None: the root), a generation after the other, each with one question.

    Raises IncompleteStream at one that has not ended, unless `intermediate`: then what hangs on it is left out.
    """
    seen: set[str] = set()
    generation: list[tuple[Any, Any]] = [(None, root)]
    while generation:
        look([each for _, result in generation for each in parts_of(result)])
        following = []
        for parent, result in generation:
            yield parent, result
            if all(part._document is not None for part in parts_of(result)) or (not intermediate and result.ready()):
                following += [(result, child) for child in result.children or ()]
            elif not intermediate:
                raise IncompleteStream(f"task {result.id} has not ended; with intermediate=True it is told nevertheless")
        # What is retried counts itself among what it has sent, and must not be followed round and round.
        generation = [(parent, child) for parent, child in following if not (child.id in seen or seen.add(child.id))]  # type: ignore[func-returns-value]
