"""Tasks that are not to run: kept until they are met, or their time has passed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from umbel.stores.broker import Delivery, Revocation
from umbel.stores.sqlite import pack

ANY = "EXISTS (SELECT 1 FROM revoked)"
"""SQL: whether there is any; mostly there is none, and then this is all that handing out has to ask."""
AT_ONCE = 1000
"""How many past their time are removed by one who looks for them."""

_KEEP = """INSERT OR REPLACE INTO revoked SELECT NULL, :id,
    coalesce(:signal, (SELECT signal FROM revoked WHERE id = :id AND until > :now)),
    max(:until, coalesce((SELECT until FROM revoked WHERE id = :id), 0))"""
"""A new row each time, with the next number: who asks for what came behind a number hears of it again."""
_AMONG = "SELECT id FROM revoked WHERE id IN (SELECT value FROM json_each(?)) AND until > ?"
_BEHIND = "SELECT number, id, signal, until > ? FROM revoked WHERE number > ? ORDER BY number"


def keep(connection: sqlite3.Connection, revocations: Sequence[Revocation], now: float, until: float) -> None:
    """Keep these; the longer time counts, and a signal stays."""
    rows = [{"id": each.id, "signal": each.signal, "now": now, "until": until} for each in revocations]
    connection.executemany(_KEEP, rows)


def mark(connection: sqlite3.Connection, deliveries: Sequence[Delivery], now: float) -> None:
    """Mark those whose task was revoked."""
    ids = pack.text([delivery.envelope.id for delivery in deliveries])
    found = {row[0] for row in connection.execute(_AMONG, (ids, now)).fetchall()}
    for delivery in deliveries if found else ():
        delivery.revoked = delivery.envelope.id in found


def meet(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    """End the revocations of these tasks."""
    connection.execute("DELETE FROM revoked WHERE id IN (SELECT value FROM json_each(?))", (pack.text(ids),))


def behind(connection: sqlite3.Connection, after: int, now: float) -> tuple[int, list[Revocation]]:
    """Those with a number behind `after`, and the last number."""
    rows = connection.execute(_BEHIND, (now, after)).fetchall()
    return rows[-1][0] if rows else after, [Revocation(id, signal) for _, id, signal, holds in rows if holds]


def sweep(connection: sqlite3.Connection, now: float) -> None:
    """Remove some of those whose time has passed."""
    connection.execute(
        "DELETE FROM revoked WHERE number IN (SELECT number FROM revoked WHERE until <= ? ORDER BY until LIMIT ?)", (now, AT_ONCE)
    )
