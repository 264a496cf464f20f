"""The way to the project's database: connections that are let go again, and errors in umbel's words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction

from umbel import clock
from umbel.errors import BrokerDown, BrokerRefused, UmbelError

T = TypeVar("T")

MOST = 500
"""Keys in one statement: SQLite of old takes no thousand."""
_MISSING = ("no such table", "no such column", "does not exist", "doesn't exist", "Unknown column")
"""What SQLite, PostgreSQL and MySQL say of tables that are not there, or not yet as they are to be."""


class Reach:
    """One of the project's databases. Any thread and any child process may use it."""

    def __init__(self, alias: str):
        self.alias = alias
        self.url = f"django://{alias}"

    @contextmanager
    def open(self, *, lacking: type[UmbelError] = BrokerRefused) -> Iterator[Any]:
        """The connection of this thread. If it was opened for this, it is left as Django leaves one at the end of a request.

        Raises `lacking` as long as tables are missing.
        """
        connection = connections[self.alias]
        is_ours = connection.connection is None
        try:
            yield connection
        except (OperationalError, InterfaceError, DatabaseError, UnicodeError) as error:
            drop_broken(connection)
            raise self._told(error, lacking) from error
        except ValueError as error:
            if "NUL" not in str(error):
                raise
            raise self._told(error, lacking) from error
        finally:
            if is_ours:
                connection.close_if_unusable_or_obsolete()

    @contextmanager
    def write(self) -> Iterator[Any]:
        """The same, and all that is done with it counts at the end, or not at all.

        Tables that are missing will be there once somebody has migrated: what is to be written waits for that (`BrokerDown`).
        """
        with self.open(lacking=BrokerDown) as connection, transaction.atomic(using=self.alias):
            if connection.vendor == "sqlite":
                with connection.cursor() as cursor:
                    cursor.execute(_TURN)
            yield connection

    def _told(self, error: Exception, lacking: type[UmbelError]) -> UmbelError:
        if any(words in str(error) for words in _MISSING):
            return lacking(f"{self.url} lacks umbel's tables: run `python manage.py migrate` ({str(error).strip()})")
        kind = BrokerDown if isinstance(error, (OperationalError, InterfaceError)) else BrokerRefused
        return kind(f"{self.url}: {type(error).__name__}: {str(error).strip()}")

    def now(self, connection: Any) -> float:
        """The time on the database's clock, which all who use it share; SQLite is on this machine."""
        sql = _CLOCKS.get(connection.vendor)
        if sql is None:
            return clock.now()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return float(cursor.fetchone()[0])


_TURN = "UPDATE umbel_version SET latest = latest WHERE 0"
"""Changes nothing, and waits for the turn to write: who has read before gets none while others have theirs."""
_CLOCKS = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
    "mysql": "SELECT UNIX_TIMESTAMP(SYSDATE(6))",
}


def drop_broken(connection: Any) -> None:
    """Let the next use open a new one, whoever has opened this: in threads without requests, nobody else would look after it."""
    if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
        connection.close()


def drop_all_broken() -> None:
    """The same, of all connections that this thread has opened."""
    for connection in connections.all(initialized_only=True):
        drop_broken(connection)


def pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one statement takes."""
    for start in range(0, len(items), MOST):
        yield items[start : start + MOST]


def key_of(*names: str) -> str:
    """A key of 64 letters for names of any length and any letters."""
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()


def upsert(connection: Any, unique: str, fields: Sequence[str]) -> dict[str, Any]:
    """What `bulk_create` is to be told so that known rows get new values."""
    told: dict[str, Any] = {"update_conflicts": True, "update_fields": list(fields)}
    if connection.features.supports_update_conflicts_with_target:
        told["unique_fields"] = [unique]
    return told


def bytes_of(kept: Any) -> bytes:
    """What a column of bytes holds: in SQLite whatever somebody has written there, such as text."""
    return bytes(kept) if isinstance(kept, (bytes, memoryview)) else str(kept).encode("utf-8", "surrogateescape")


def shown(value: object, most: int) -> str:
    """What every database takes for text, of at most so many letters."""
    text = str(value)[:most].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()
