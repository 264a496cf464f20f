"""Results and the schedule in a project's database keep the contracts of all stores, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
from django.db import connections
from tests.django import site
from tests.servers import postgres

from umbel.errors import BrokerDown
from umbel.stores.backend import ResultBackend
from umbel.stores.url import open_backend, open_schedule
from umbel.testing.contracts import BackendContract, ScheduleStoreContract
from umbel.testing.waiting import until

LONG = bool(os.environ.get("UMBEL_ALL_STORES"))
"""Some tests take many seconds of a database."""
TABLES = ("result", "group", "chord", "part", "entry", "gone", "version", "leader")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The alias of a database on a PostgreSQL server of our own."""
    site.set_up()
    with postgres.running() as found:
        found.create("project")
        words = {"NAME": "project", "USER": "tests", "PASSWORD": "secret", "HOST": "127.0.0.1", "PORT": found.port}
        with site.database("postgres", ENGINE="django.db.backends.postgresql", **words):
            from django.core.management import call_command

            call_command("migrate", database="postgres", verbosity=0)
            yield "postgres"


@pytest.fixture
def postgres_url(server: str) -> str:
    with connections[server].cursor() as cursor:
        cursor.execute("TRUNCATE " + ", ".join(f"umbel_{table}" for table in TABLES))
    connections[server].close()
    return f"django://{server}"


class Results(BackendContract):
    def make(self, url: str, expires: float | None) -> ResultBackend:
        return open_backend(
            url, expires=None if expires is None else 5 * expires
        )  # each call opens a connection, which takes time


class TestResultsOnSqlite(Results):
    @pytest.fixture
    def url(self, alias: str) -> str:
        return f"django://{alias}"


class TestScheduleOnSqlite(ScheduleStoreContract):
    if not LONG:
        test_who_asks_for_changes_sees_what_is_there = None  # type: ignore[assignment]

    @pytest.fixture
    def url(self, alias: str) -> str:
        return f"django://{alias}"


class TestResultsOnPostgres(Results):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestScheduleOnPostgres(ScheduleStoreContract):
    if not LONG:
        test_many_thousands_are_kept = test_who_asks_for_changes_sees_what_is_there = None  # type: ignore[assignment]

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


def test_a_definition_that_was_written_as_text_hides_no_other(alias: str) -> None:
    store = open_schedule(f"django://{alias}", name="shop")
    store.save([("a", b'{"task":"a"}'), ("b", b'{"task":"b"}')])
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE umbel_entry SET definition = '{\"task\":\"by hand\"}' WHERE name = 'a'")
    assert {row.name: row.definition for row in store.changes().rows} == {"a": b'{"task":"by hand"}', "b": b'{"task":"b"}'}
    store.save([("a", b'{"task":"again"}')])
    assert store.find(["a"])[0].definition == b'{"task":"again"}'


def test_a_connection_that_breaks_is_opened_anew_whoever_has_opened_it(postgres_url: str, server: str) -> None:
    store = open_schedule(postgres_url, name="shop")
    other = connections.create_connection(server)
    with connections[server].cursor() as cursor:  # as a project that looks something up while it is loaded
        cursor.execute("SELECT pg_backend_pid()")
        number = cursor.fetchone()
    with contextlib.closing(other), other.cursor() as cursor:

        def is_gone() -> bool:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", number)
            return cursor.fetchone() is None

        cursor.execute("SELECT pg_terminate_backend(%s)", number)
        until(is_gone)
    with pytest.raises(BrokerDown):
        store.leader()
    assert store.leader() is None
    connections[server].close()
