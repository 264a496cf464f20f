"""Who gets how much: the room of one `reserve`, shared out among the queues."""

from __future__ import annotations

from collections.abc import Sequence


def share(available: Sequence[int], limit: int, first: int) -> list[int]:
    """How many to take of each queue: its equal part of `limit`, and what the small ones leave goes to the fuller ones.

    Where it does not come out even, the queues from index `first` on (round the corner) get one more; who calls with a `first`
    that goes round gives every queue its turn, even with a `limit` of 1.
    """
    taken = [0] * len(available)
    order = [(first + step) % len(available) for step in range(len(available))]
    wanting = [queue for queue in order if available[queue] > 0]
    while wanting and limit > 0:
        part = max(limit // len(wanting), 1)
        for queue in wanting[:limit]:
            more = min(part, available[queue] - taken[queue])
            taken[queue] += more
            limit -= more
        wanting = [queue for queue in wanting if taken[queue] < available[queue]]
    return taken
