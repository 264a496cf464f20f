"""The whole path, given what nobody would think of: hostile bytes in, hostile Python values out.

UMBEL_FUZZ=50000 says how many cases there are to be; they come from a seed, UMBEL_FUZZ_SEED, and are the same each time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.servers.redis import running
from tests.trips.project import Project

from umbel.testing.waiting import patience, until
from umbel.wire.envelope import Envelope
from umbel.wire.ids import new_id

CASES = int(os.environ.get("UMBEL_FUZZ") or 300)
SEED = int(os.environ.get("UMBEL_FUZZ_SEED") or 7)
AT_ONCE = 500

TASKS = '''
import decimal, random
from umbel.errors import Ignore, Reject, Retry

app.conf.task_unknown_ttl = 0
app.conf.task_max_deliveries = 2

class Odd:
    """An object whose every method fails."""
    def __init__(self, fate): self.fate = fate
    def __repr__(self): raise self.fate("no repr")
    __str__ = __eq__ = __hash__ = __reduce_ex__ = __bool__ = __len__ = __iter__ = __json__ = __repr__

class Bad(Exception):
    def __str__(self): raise ValueError(self)
    __repr__ = __reduce_ex__ = __str__

class Quiet(BaseException): ...

def value(fate, depth=0):
    leaves = [
        lambda: None, lambda: fate.choice([True, 0, -1, 1 << 62, 1 << 70, -(1 << 100), 10 ** 5000]),
        lambda: fate.choice([float("nan"), float("inf"), -0.0, 1e308]),
        lambda: fate.choice(["", "a\\0b", "\\ud800", "caf\\udce9", "\\U0010ffff", "x" * 5000, "__type__", "\\\\u0000"]),
        lambda: bytes(fate.randrange(256) for _ in range(fate.randrange(40))),
        lambda: fate.choice([object(), Odd, Odd(ValueError), Odd(RecursionError), Odd(MemoryError), lambda: 0, sys, value]),
        lambda: fate.choice([{1, 2}, frozenset(), decimal.Decimal("NaN"), 3j, range(3), memoryview(b"a"), (n for n in [1])]),
        lambda: fate.choice([Bad("x"), ValueError("\\ud800"), KeyError(Odd(TypeError)), OSError(5, "\\udcff")]),
    ]
    if depth < 4 and fate.random() < 0.4:
        parts = [value(fate, depth + 1) for _ in range(fate.randrange(4))]
        numbered = dict(enumerate(parts))
        return fate.choice([parts, tuple(parts), numbered, {str(n): part for n, part in numbered.items()}])
    return fate.choice(leaves)()

def deep(fate):
    found = []
    for _ in range(fate.choice([50, 900, 5000, 100000])):
        found = [found]
    return found

def circle(fate):
    found = []
    found.append(found)
    return {"it": found}

def act(self, fate):
    what = fate.randrange(16)
    if what < 5: return value(fate)
    if what == 5: return deep(fate)
    if what == 6: return circle(fate)
    if what == 7: raise fate.choice([ValueError, KeyError, OSError, UnicodeError, RuntimeError])(value(fate), value(fate))
    if what == 8: raise fate.choice([Bad, Quiet, KeyboardInterrupt, SystemExit, asyncio.CancelledError])(value(fate))
    if what == 9: raise ExceptionGroup("g\\udce9", [ValueError(value(fate)), Bad("y")])
    if what == 10: raise fate.choice([Ignore, Reject, Retry])(value(fate))
    if what == 11: raise self.retry(countdown=0, max_retries=1, exc=fate.choice([None, Bad("z"), ValueError("\\ud800")]))
    if what == 12:
        option = fate.choice(["priority", "queue", "expires", "headers", "args"])
        raise self.retry(countdown=0, max_retries=1, **{option: value(fate)})
    if what == 13:
        print(value(fate) if fate.random() < 0.5 else "\\ud800", end="")
        return 1
    if what == 14:
        error = ValueError("inner \\udc80")
        error.add_note("note \\udc80")
        raise RuntimeError from error
    return fate.random()

@app.task(bind=True, track_started=True, default_retry_delay=0)
def odd(self, seed):
    return act(self, random.Random(seed))

@app.task(bind=True, default_retry_delay=0)
async def aodd(self, seed):
    return act(self, random.Random(seed))

@app.task
def good(number):
    return number
'''

SCRAPS = (
    b"\xff",
    b"\x00",
    b'"',
    b"{",
    b"}",
    b"[" * 3000,
    b"null",
    b"-1e999",
    b'"\\ud800"',
    b"__type__",
    b"1" * 400,
    b"\\",
    b":",
    b"5",
)


def bent(raw: bytes, fate: random.Random) -> bytes:
    """The bytes with a few of them changed, cut out or put in."""
    for _ in range(fate.randrange(1, 4)):
        start = fate.randrange(len(raw) + 1)
        end = min(len(raw), start + fate.randrange(8))
        raw = raw[:start] + (fate.choice(SCRAPS) if fate.random() < 0.7 else bytes([fate.randrange(256)])) + raw[end:]
    return raw


def message(fate: random.Random, number: int) -> Envelope:
    """One that calls a task, more or less."""
    id = new_id()
    name = fate.choice(["odd", "aodd", "good", "odd"])
    headers = f'{{"lang":"py","task":"proj.{name}","id":"{id}","retries":0,"timelimit":[null,null],"eta":null,"group":null}}'
    body = f'[[{number}],{{}},{{"callbacks":null,"errbacks":null,"chain":null,"chord":null}}]'
    made = Envelope(id, "celery", headers.encode(), body.encode())
    kind = fate.randrange(8)
    if kind == 0:
        made.headers = bent(made.headers, fate)
    elif kind == 1:
        made.body = bent(made.body, fate)
    elif kind == 2:
        made.content_type = fate.choice(["", "application/x-msgpack", "application/x-python-serialize", "text/plain", "x" * 999])
    elif kind == 3:
        made.content_encoding = fate.choice(["", "utf-16", "binary", "idna", "x"])
    return made


def is_over(made: Project) -> bool:
    depth = made.app.broker.depth(["celery"])["celery"]
    return (depth.ready, depth.held, depth.later) == (0, 0, 0)


def sent(made: Project, cases: int) -> Iterator[list[Envelope]]:
    """So many hostile messages, some at once."""
    fate = random.Random(SEED)
    for start in range(0, cases, AT_ONCE):
        batch = [message(fate, start + number) for number in range(min(AT_ONCE, cases - start))]
        made.app.broker.send(batch)
        yield batch


@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_whatever_comes_in_or_out_ends_and_the_worker_stays(
    project: Callable[..., Project], tmp_path: Path, store: str, pool: str
) -> None:
    with running(tmp_path / "server") if store == "redis" else nullcontext() as server:
        made = project(TASKS, store=server and f"redis://127.0.0.1:{server.port}/0")
        with made.worker("-c", "2", "-P", pool) as worker:
            for batch in sent(made, CASES):
                good = made.app.send_task("proj.good", (1,))
                assert good.get(timeout=patience(2)) == 1, worker.log[-3000:]
                until(lambda: is_over(made), times=3, saying=lambda: f"{made.app.broker.depth(['celery'])} {worker.log[-3000:]}")
                assert worker.process.poll() is None
                assert len(batch) <= AT_ONCE
            for words in ("begins anew", "is lost: ", "broke out of its run", "error outside of tasks", "could not be handled"):
                assert words not in worker.log, worker.log[worker.log.index(words) - 2000 :][:6000]
