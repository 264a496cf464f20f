"""Microseconds per message in the wire room: `python benchmarks/wire.py` (median of nine runs)."""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable

from umbel.wire import protocol, result
from umbel.wire.encoding import accept_types
from umbel.wire.ids import new_id, new_ids
from umbel.wire.message import Headers, Message

ACCEPT = accept_types(["json"])
MANY = 1000
ROUNDS, RUNS = 9, 20_000


def microseconds(run: Callable[[], object], per_run: int = 1) -> float:
    run()
    times = max(RUNS // per_run, 1)
    return statistics.median(timeit.repeat(run, number=times, repeat=ROUNDS)) / times / per_run * 1e6


def main() -> None:
    message = Message(Headers(task="proj.add", id=new_id()), (2, 3))
    template = protocol.Template(message, queue="celery")
    noop, add, words = ([call] * MANY for call in (((), {}), ((2, 3), {}), ((2, "abc"), {"x": 1, "y": "z"})))
    sent = protocol.encode(message, queue="celery")
    told = result.encode(sent.id, "SUCCESS", 5)
    for name, spent in {
        "new_ids(1000), each": microseconds(lambda: new_ids(MANY), MANY),
        "new_id": microseconds(new_id),
        "fill_many noop()": microseconds(lambda: template.fill_many(noop), MANY),
        "fill_many add(2, 3)": microseconds(lambda: template.fill_many(add), MANY),
        "fill_many f(2, 'abc', x=1, y='z')": microseconds(lambda: template.fill_many(words), MANY),
        "fill add(2, 3)": microseconds(lambda: template.fill(sent.id, (2, 3), {})),
        "encode add(2, 3)": microseconds(lambda: protocol.encode(message, queue="celery")),
        "headers": microseconds(lambda: protocol.headers(sent, ACCEPT)),
        "decode": microseconds(lambda: protocol.decode(sent, ACCEPT)),
        "result.encode": microseconds(lambda: result.encode(sent.id, "SUCCESS", 5)),
        "result.decode": microseconds(lambda: result.decode(told, ACCEPT)),
    }.items():
        print(f"{name:36} {spent:6.2f} µs")


if __name__ == "__main__":
    main()
