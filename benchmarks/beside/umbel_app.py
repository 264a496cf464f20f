"""umbel's side: at its defaults, with results only where they are wanted."""

from __future__ import annotations

import sqlite3
import statistics
import time

import work
from place import FOLDER, MESSAGES, PORT, RESULTS, STORE, ask
from processes import PATIENCE

from umbel import Umbel, chain, chord, group
from umbel.stores.broker import Conclusion

FILE = FOLDER / "umbel.db"
BROKER, BACKEND = (MESSAGES, RESULTS) if STORE == "redis" else [f"sqlite:///{FILE}"] * 2

app = Umbel("bench", broker=BROKER, backend=BACKEND)
SETTINGS = {"task_ignore_result": True}
app.conf.update(SETTINGS)
TASKS = {
    **{name: app.task(name=name)(getattr(work, name)) for name in work.PLAIN},
    "kept": app.task(name="kept", ignore_result=False)(work.kept),
    "none": app.task(name="none", ignore_result=False)(work.noop),
    "size": app.task(name="size", ignore_result=False)(work.size),
    "nap": app.task(name="nap")(work.nap),
}


def send_each(name, calls):
    """One call after the other."""
    delay = TASKS[name].delay
    for call in calls:
        delay(*call)


def send_batch(name, calls):
    """`delay_many`."""
    TASKS[name].delay_many(calls)


def run_group(count) -> int:
    """How many results came."""
    return len(group(TASKS["none"].s() for _ in range(count)).apply_async().get(timeout=PATIENCE))


def run_chord(count) -> int:
    """What its body has counted."""
    return chord([TASKS["none"].s() for _ in range(count)], TASKS["size"].s()).apply_async().get(timeout=PATIENCE)


def run_chain(count) -> int:
    """How many steps it had, each for itself."""
    chain(TASKS["none"].si() for _ in range(count)).apply_async().get(timeout=PATIENCE)
    return count


def waiting() -> int:
    """Messages that are not done with."""
    depth = app.broker.depth(["celery"])["celery"]
    return depth.ready + depth.held + depth.later


def results() -> int:
    """Results that are kept."""
    if STORE == "redis":
        return ask("DBSIZE", db=1)
    with sqlite3.connect(FILE) as file:
        return file.execute("SELECT count(*) FROM result").fetchone()[0]


def crowd(count):
    """Microseconds for each message reserved, a hundred at a time, where a thousand wait and where `count` wait, in turn."""
    other = Umbel("many", broker=f"redis://127.0.0.1:{PORT}/2" if STORE == "redis" else f"{BROKER}.many")
    of_few, of_many = (one.task(name="noop")(work.noop) for one in (app, other))
    of_few.delay_many(() for _ in range(1000))
    of_many.delay_many(() for _ in range(count))
    few, many = [], []
    for _ in range(300):
        for task, took in ((of_few, few), (of_many, many)):
            broker = task.app.broker
            begin = time.perf_counter()
            held = broker.reserve(["celery"], 100, 0)
            took.append((time.perf_counter() - begin) * 1e4)
            broker.conclude([Conclusion(each) for each in held])
            task.delay_many(() for _ in held)
    found = {"few": statistics.median(few), "many": statistics.median(many)}
    return found | {"growth": found["many"] / found["few"]}
