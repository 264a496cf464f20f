"""The schedule stores keep their contract; what an hour does to what was removed, and what is left on a server."""

from __future__ import annotations

import itertools
import sqlite3

import pytest

from umbel.stores.schedule import Changes, Ticks
from umbel.stores.sqlite import schedule, schema
from umbel.stores.url import open_schedule
from umbel.testing.contracts import ScheduleStoreContract

_numbers = itertools.count()


class TestMemorySchedule(ScheduleStoreContract):
    shared_by_processes = False

    @pytest.fixture
    def url(self):
        return f"memory://schedule{next(_numbers)}"


class TestSqliteSchedule(ScheduleStoreContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/queue.db"


@pytest.mark.usefixtures("patient")
class TestRedisSchedule(ScheduleStoreContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url


@pytest.mark.usefixtures("patient")
class TestRedisScheduleWithPrefix(ScheduleStoreContract):
    @pytest.fixture
    def url(self, redis_url):
        return f"{redis_url}?global_keyprefix=p*x:"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request, tmp_path, monkeypatch):
    """One that forgets at once what was removed."""
    monkeypatch.setattr(f"umbel.stores.{request.param}.schedule.FORGOTTEN", 0)
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
    else:
        url = {"memory": f"memory://forgetful{next(_numbers)}", "sqlite": f"sqlite:///{tmp_path}/queue.db"}[request.param]
    store = open_schedule(url)
    yield store
    store.close()


def test_who_has_not_asked_for_too_long_is_told_the_whole_schedule(store):
    store.save([("a", b"1"), ("b", b"1"), ("c", b"1")])
    old = store.changes().version
    store.remove(["a"])
    store.save([("d", b"1")])
    found = store.changes(old)
    assert found.whole
    assert (sorted(row.name for row in found.rows), found.gone) == (["b", "c", "d"], [])
    assert store.changes(found.version) == Changes(found.version)
    store.enable(["b"], enabled=False)
    after = store.changes(found.version)
    assert ([row.name for row in after.rows], after.whole) == (["b"], False)


def test_sqlite_goes_from_name_to_name_and_through_no_whole_schedule(tmp_path):
    connection = sqlite3.connect(":memory:")
    for table in schema.TABLES:
        connection.execute(table)
    these = f"DELETE FROM entry WHERE {schedule._THESE}"
    for sql in (schedule._TICK, schedule._ENABLE, schedule._LEAVE, schedule._FOUND, these):
        values = ["[]"] * sql.count("?")
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert any("SEARCH entry" in step and "(name=?" in step for step in plan), plan
    connection.close()


def test_a_schedule_that_was_lost_is_told_whole(redis_server, redis_url, monkeypatch):
    store = open_schedule(redis_url)
    store.save([(str(number), b"1") for number in range(100)])
    old = store.changes().version
    redis_server.ask("FLUSHALL")
    store.save([("new", b"1")])
    found = store.changes(old)
    assert found.whole
    assert [row.name for row in found.rows] == ["new"]
    store.close()


def test_of_a_schedule_without_entries_nothing_is_left_for_good(redis_server, redis_url):
    store = open_schedule(redis_url)
    store.save([("a", b"1"), ("b", b"1")])
    store.tick([Ticks("a", 1.5, 1)])
    store.lead("me", 30)
    store.remove(["a"])
    assert b":-1\r\n" in redis_server.ask("TTL", "umbel.schedule.versions:")
    store.remove(["b"])
    keys = redis_server.ask("KEYS", "*").split(b"\r\n")[2::2]
    assert set(keys) == {b"umbel.schedule." + name + b":" for name in (b"versions", b"gone", b"version", b"leader")}
    for key in keys:
        assert b"-" not in redis_server.ask("TTL", key)
    store.save([("c", b"1")])
    for name in ("versions", "version"):
        assert redis_server.ask("TTL", f"umbel.schedule.{name}:") == b":-1\r\n"
    store.close()


def test_ticks_and_leaders_go_on_while_the_server_is_full(redis_server, redis_url):
    store = open_schedule(redis_url)
    store.save([("a", b"1")])
    store.lead("me", 30)
    redis_server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        store.tick([Ticks("a", 1.5, 1)])
        assert store.lead("me", 30)
        assert store.remove(["a"]) == 1
    finally:
        redis_server.ask("CONFIG", "SET", "maxmemory", "0")
    store.close()
