"""One message never hurts another: good tasks beside all kinds of bad ones, on each store and in each pool."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from tests.servers.redis import RedisServer, running
from tests.trips.project import Project

from umbel.client.results.result import AsyncResult
from umbel.stores.broker import Buried
from umbel.testing.waiting import NEVER, patience, until
from umbel.wire.envelope import Envelope
from umbel.wire.ids import new_id

Make = Callable[..., Project]
POOLS = ("prefork", "threads", "asyncio", "solo")

TASKS = """
from umbel.errors import Ignore, Reject

app.conf.task_unknown_ttl = 0
app.conf.task_max_deliveries = 4

@app.task
def good(number):
    return number

@app.task
async def agood(number):
    await asyncio.sleep(0)
    return number

@app.task
def surrogate():
    raise ValueError("cannot read " + os.fsdecode(b"caf\\xe9.txt"))

@app.task
async def asurrogate():
    raise ValueError("cannot read " + os.fsdecode(b"caf\\xe9.txt"))

@app.task(bind=True, max_retries=1)
def again(self):
    raise self.retry(countdown=0, exc=ValueError(os.fsdecode(b"caf\\xe9.txt")))

@app.task
def surrogate_back():
    return os.fsdecode(b"caf\\xe9.txt")

@app.task
def unheard_of():
    return object()

@app.task
async def aunheard_of():
    return {object(): lambda: 0}

@app.task
def deep():
    value = []
    for _ in range(5000):
        value = [value]
    return value

class Mute(Exception):
    def __str__(self): raise RuntimeError("no text")
    __repr__ = __reduce__ = __str__

@app.task
def mute():
    raise Mute("a", object())

@app.task
async def amute():
    raise Mute("a", object())

@app.task
def leave():
    sys.exit(3)

@app.task
async def aleave():
    raise SystemExit(3)

@app.task(track_started=True)
def begun():
    raise ValueError("\\ud800")

@app.task
def rejected():
    raise Reject(os.fsdecode(b"caf\\xe9.txt"))

@app.task
def misfit(): ...

@app.task(acks_late=False)
def early():
    raise KeyError(os.fsdecode(b"caf\\xe9.txt"))

@app.task
def kill():
    tell("killed", os.getpid())
    os._exit(9)

@app.task
async def akill():
    await asyncio.sleep(0.05)
    os._exit(9)
"""
BAD = (
    *("surrogate", "asurrogate", "again", "unheard_of", "aunheard_of", "deep", "mute", "amute", "leave", "aleave"),
    *("begun", "rejected", "early", "nobody.knows.it", "misfit"),
)
DEEP = "[" * 2000 + "]" * 2000


def hostile() -> Iterator[Envelope]:
    """Messages as strangers write them."""

    def one(headers: str = "", body: bytes = b"[[1],{},{}]", **rest: object) -> Envelope:
        id = new_id()
        text = f'{{"task":"proj.good","id":"{id}"{headers}}}'
        return Envelope(id, "celery", text.encode(), body, **rest)  # type: ignore[arg-type]

    yield one(f',"x":{DEEP}')
    yield one(f',"stamps":{DEEP}')
    yield one(body=f"[[{DEEP}],{{}},{{}}]".encode())
    yield one(body=b"\xff\x00")
    yield one(body=b"")
    yield one(body=b'{"args":5}')
    yield one(body=b'[[1],{"\\ud800":1},{}]')
    yield one(body=b'[[1],{},{"callbacks":5}]')
    yield one(body=b'[[1],{},{"callbacks":[{"task":"\\ud800"}]}]')
    yield one(',"eta":"yesterday"')
    yield one(',"expires":"\\ud800"')
    yield one(',"timelimit":[-1,"x"]')
    yield one(',"retries":1e300')
    yield one(',"compression":"zip"')
    yield one(',"group":"\\ud800"', body=b"[[1,2,3],{},{}]")
    yield one(content_type="application/x-nothing")
    yield one(content_encoding="punycode")
    yield Envelope(new_id(), "celery", b"[]", b"[[],{},{}]")
    yield Envelope(new_id(), "celery", b'{"task":5,"id":6}', b"[[],{},{}]")
    yield Envelope(new_id(), "celery", b'{"task":"proj.good","id":"\\ud800"}', b"[[1,2],{},{}]")


@pytest.fixture
def server(tmp_path: Path, store: str) -> Iterator[RedisServer | None]:
    """A Redis for those tests that are about one."""
    with running(tmp_path / "server") if store == "redis" else nullcontext() as server:
        yield server


def damage(made: Project, server: RedisServer | None) -> None:
    """Put into the store what no client of ours writes: rows that are none, elements from elsewhere."""
    if server is not None:
        server.ask("LPUSH", "celery", *elements())
        return
    made.app.broker.send([Envelope("spoilt", "celery", b"{}", b"", reply_to=5)] * 5)  # type: ignore[arg-type]
    made.app.broker.send([Envelope("", "celery", b"\xff{", b"[[],{},{}]")])
    with closing(sqlite3.connect(made.folder / "queue.db")) as file:
        places = [row[0] for row in file.execute("SELECT place FROM message ORDER BY place LIMIT 4")]
        for place, value in zip(places, (b"\x00\xff", "caf\xe9 \u20ac", 5, b""), strict=True):
            file.execute("UPDATE message SET envelope = ? WHERE place = ?", (value, place))
        file.commit()


def elements() -> Iterator[str]:
    """What may stand in a list of Redis."""
    usual = {"correlation_id": "x", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0}
    usual |= {"body_encoding": "base64", "delivery_tag": "t"}
    head = {"task": "proj.good", "id": new_id()}

    def one(headers: object, **properties: object) -> str:
        kinds = {"content-encoding": "utf-8", "content-type": "application/json"}
        body = b64encode(b"[[1],{},{}]").decode()
        return json.dumps({"body": body, "headers": headers, "properties": {**usual, **properties}, **kinds})

    yield one({**head, "id": "\ud800"})
    yield one({"task": "proj.good"}, correlation_id="\ud800")
    yield one(head, reply_to=5)
    yield one(head, x=1 << 80)
    yield one(head, x="DEEP").replace('"DEEP"', DEEP)
    yield one({**head, "x": "DEEP"}).replace('"DEEP"', DEEP)
    yield from (one([]), one(5), "no json", "5", "")


def is_over(made: Project) -> bool:
    depth = made.app.broker.depth(["celery"])["celery"]
    return (depth.ready, depth.held, depth.later) == (0, 0, 0)


def letters(made: Project) -> list[Buried]:
    """All dead letters."""
    found: list[Buried] = []
    while more := made.app.broker.buried(after=found[-1].key if found else ""):
        found += more
    return found


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_good_tasks_end_beside_bad_ones_of_every_kind(project: Make, server: RedisServer | None, store: str, pool: str) -> None:
    made = project(TASKS, store=server and f"redis://127.0.0.1:{server.port}/0")
    broker, backend = made.app.broker, made.app.backend
    assert backend is not None
    kills = ["kill", "akill"] * 2 if pool == "prefork" else []

    def send() -> tuple[set[str], list[AsyncResult[int]]]:
        bad = {made.app.send_task(f"proj.{name}", (1,) * (name == "misfit")).id for name in (*BAD, *kills)}
        strange = list(hostile())
        broker.send(strange)
        return bad | {each.id for each in strange}, [made.app.send_task(f"proj.{'a' * (n % 2)}good", (n,)) for n in range(200)]

    damage(made, server)
    bad, good = send()
    with made.worker("-c", "2", "-P", pool) as worker:
        for number in range(2):
            if number:
                bad, good = send()
            for n, each in enumerate(good):
                assert each.get(timeout=patience()) == n, worker.log
            until(lambda: is_over(made), saying=lambda: worker.log[-5000:])
            told = {id for id, result in backend.fetch(list(bad)).items() if result.state in ("SUCCESS", "FAILURE")}
            assert not bad - told - {letter.envelope.id for letter in letters(made) if letter.reason}, worker.log
        assert worker.process.poll() is None
        assert "could not be handled" not in worker.log
        assert "begins anew" not in worker.log
        if not kills:
            assert "died" not in worker.log


LEAVING = """
from umbel import signals
from umbel.errors import Reject

app.conf.task_unknown_ttl = 0

def leave(signal, **_):
    tell(signal.name)
    raise SystemExit(3)

for told in ("received", "rejected", "unknown", "revoked", "failure", "postrun"):
    getattr(signals, f"task_{told}").connect(leave)
signals.worker_batch_done.connect(leave)

@app.task
def rejected():
    raise Reject("no")

@app.task
def leave_too(request, error, tb):
    leave(signals.task_failure)

@app.task(time_limit=0.1)
def slow():
    time.sleep(NEVER)

@app.task
def good():
    return 1
"""


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_receivers_and_errbacks_that_exit_do_not_end_the_worker(project: Make, pool: str) -> None:
    made = project(LEAVING.replace("NEVER", str(NEVER)))
    with made.worker("-c", "1", "-P", pool) as worker:
        errback = {"task": "proj.leave_too", "args": [], "kwargs": {}, "options": {}}
        bad = [
            made.app.send_task("proj.rejected"),
            made.app.send_task("proj.unknown"),
            made.app.send_task("proj.good", expires=-1),
            made.app.send_task("proj.slow", link_error=errback),
        ]
        assert made.app.send_task("proj.good").get(timeout=patience()) == 1
        until(lambda: is_over(made), saying=lambda: worker.log[-5000:])
        assert worker.process.poll() is None
        assert made.app.backend is not None
        states = [result.state for result in made.app.backend.fetch([each.id for each in bad]).values()]
        assert sorted(states) == ["FAILURE", "FAILURE", "FAILURE", "REVOKED"]
        assert {"task_received", "task_rejected", "task_unknown", "task_revoked"} <= {words[0] for words in made.effects()}
