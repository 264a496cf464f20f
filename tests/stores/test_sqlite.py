from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.programs.nursery import end, nursery

from umbel import clock
from umbel.stores.broker import Conclusion, Depth
from umbel.stores.sqlite.broker import SqliteBroker
from umbel.stores.sqlite.lines import MOST_RETURNED
from umbel.stores.url import open_broker
from umbel.testing.contracts import BackendContract, BrokerContract
from umbel.testing.given import drain, envelope, envelopes, ids
from umbel.testing.waiting import until


class TestSqliteBroker(BrokerContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/queue.db"


class TestSqliteBackend(BackendContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/results.db"


def steps(broker: SqliteBroker, work: Callable[[], object]) -> int:
    """What some work costs, in thousands of steps of SQLite's machine: a measure that no busy machine changes."""
    connection, count = broker._file._connection, itertools.count()
    assert connection is not None
    connection.set_progress_handler(lambda: next(count) < 0, 1000)
    try:
        work()
    finally:
        connection.set_progress_handler(None, 0)
    return next(count)


def filled(path, count: int) -> SqliteBroker:
    """A broker of which an owner has just given back so many messages."""
    url = f"sqlite:///{path}/{count}.db"
    leaving, broker = open_broker(url), open_broker(url)
    leaving.send(envelopes(*map(str, range(count))))
    assert len(drain(leaving, limit=1000)) == count
    leaving.close()
    assert isinstance(broker, SqliteBroker)
    return broker


HOLDING = """
import sys
from umbel.stores.url import open_broker
broker = open_broker(sys.argv[1])
held = broker.reserve(["q"], 1, 0)
print("held", len(held), flush=True)
sys.stdin.readline()
print("lost", len(broker.release(held, delay=1000.0)), flush=True)
sys.stdin.readline()
"""


def test_what_moves_while_others_count_is_counted_once(tmp_path):
    url = f"sqlite:///{tmp_path}/queue.db"
    looking = open_broker(url)
    assert isinstance(looking, SqliteBroker)
    looking.send([envelope("a")])
    other = nursery(Path(sys.executable)).start(
        [sys.executable, "-c", HOLDING, url], cwd=tmp_path, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    connection, said = looking._file._connection, []

    def come_between(statement: str) -> None:
        if statement.startswith("SELECT count(*) FROM hold") and not said:  # the other kinds have been counted before
            other.stdin.write(b"\n")
            other.stdin.flush()
            said.append(other.stdout.readline())

    try:
        assert other.stdout.readline() == b"held 1\n"
        connection.set_trace_callback(come_between)
        found = looking.depth(["q"])["q"]
        connection.set_trace_callback(None)
        assert said == [b"lost 0\n"]
        assert (found.ready, found.held, found.later) == (0, 1, 0), "as it was when the count began"
        found = looking.depth(["q"])["q"]
        assert (found.ready, found.held, found.later) == (0, 0, 1)
    finally:
        end(other)
        looking.close()


def test_what_one_reserve_costs_does_not_grow_with_what_was_given_back(tmp_path):
    few, many = filled(tmp_path, MOST_RETURNED), filled(tmp_path, 20 * MOST_RETURNED)
    assert steps(many, lambda: many.reserve(["q"], 1, 0)) < 2 * steps(few, lambda: few.reserve(["q"], 1, 0)) + 5
    for broker, count in ((few, MOST_RETURNED), (many, 20 * MOST_RETURNED)):
        found = broker.depth(["q"])["q"]
        assert (found.ready, found.held, found.later) == (count - 1, 1, 0)
        assert len(drain(broker, limit=700)) == count - 1
        broker.close()


def test_what_a_look_costs_does_not_grow_with_what_is_not_due(tmp_path):
    broker = open_broker(f"sqlite:///{tmp_path}/later.db")
    assert isinstance(broker, SqliteBroker)
    due = clock.now() + 3600
    broker.send([envelope(str(number), due=due) for number in range(30_000)])
    assert steps(broker, lambda: broker.depth(["q"])) < 5
    broker.send([envelope("soon", due=clock.now() + 0.01)])
    until(lambda: ids(broker.reserve(["q"], 5, 1)) == ["soon"])
    assert broker.depth(["q"])["q"] == Depth(held=1, later=30_000)
    assert broker.purge("q") == 30_000
    assert broker.depth(["q"])["q"] == Depth(held=1)
    broker.close()


def test_to_end_what_is_large_writes_little(tmp_path):
    broker = open_broker(f"sqlite:///{tmp_path}/queue.db")
    broker.send([envelope("a", body=bytes(1_000_000))])
    (held,) = broker.reserve(["q"], 1, 1)
    log = tmp_path / "queue.db-wal"
    before = log.stat().st_size
    broker.conclude([Conclusion(held)])
    assert before > 1_000_000 > 10 * (log.stat().st_size - before)
    broker.close()
