"""What owners hold: fencing, ending, giving back, and taking over from the dead."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from umbel.stores.broker import Conclusion, Delivery
from umbel.stores.sqlite import pack, revoked
from umbel.stores.sqlite.lines import of, opened, postpone
from umbel.stores.sqlite.take import IN_AN_EARLIER_HAND, IN_HAND, Receipt, read

HELD = """SELECT json_group_array(json_array(place, owner, handout))
    FROM json_each(?) CROSS JOIN hold ON place = value WHERE owner = ?"""
"""The receipts of those at some places that an owner holds."""
_AMONG = "place IN (SELECT value FROM json_each(?))"
FREE = f"DELETE FROM hold WHERE {_AMONG}"
DROP = f"DELETE FROM message WHERE {_AMONG}"

_BACK = f"""INSERT INTO past
    SELECT place, attempt - :uncounted, CASE begun WHEN {IN_HAND} THEN :begun ELSE begun <> 0 END,
        CASE WHEN :parked THEN coalesce(parked, :now) ELSE parked END
    FROM hold WHERE place IN (SELECT value FROM json_each(:places))"""
_ASIDE = f"""INSERT INTO later
    SELECT NULL, place >> 44, :due, attempt - :uncounted, CASE begun WHEN {IN_HAND} THEN :begun ELSE begun <> 0 END,
        CASE WHEN :parked THEN coalesce(parked, :now) ELSE parked END, envelope
    FROM json_each(:places) CROSS JOIN hold ON hold.place = value JOIN message USING (place)"""

_FINISHED = "(begun OR attempt >= ?)"
_ORPHANS = f"""SELECT json_group_array(place) FILTER (WHERE NOT {_FINISHED}), json_group_array(place) FILTER (WHERE {_FINISHED})
    FROM hold WHERE owner NOT IN (SELECT number FROM owner)"""


def sift(connection: sqlite3.Connection, deliveries: Sequence[Delivery], owner: int) -> tuple[list[Delivery], list[Delivery]]:
    """Those that `owner` still holds, by their receipts, and those that it does not; the same twice is held once."""
    places = [delivery.receipt.place for delivery in deliveries if isinstance(delivery.receipt, Receipt)]
    rows = pack.from_json(connection.execute(HELD, (pack.text(places), owner)).fetchone()[0])
    held = set(map(tuple, rows))
    kept, lost = [], []
    for delivery in deliveries:
        if delivery.receipt in held:
            held.discard(delivery.receipt)
            kept.append(delivery)
        else:
            lost.append(delivery)
    return kept, lost


def places_of(deliveries: Sequence[Delivery]) -> str:
    """Their places, for `json_each`."""
    return pack.text([delivery.receipt.place for delivery in deliveries if isinstance(delivery.receipt, Receipt)])


def begin(connection: sqlite3.Connection, places: str) -> None:
    """Note that they run."""
    connection.execute(f"UPDATE hold SET begun = max(begun, {IN_HAND}) WHERE {_AMONG}", (places,))


def bury(connection: sqlite3.Connection, conclusions: Sequence[Conclusion], now: float) -> None:
    """Copy those to the dead that are to be buried."""
    rows = [
        (each.delivery.queue, each.buried, now, each.delivery.attempt, each.delivery.receipt.place)
        for each in conclusions
        if each.buried is not None and isinstance(each.delivery.receipt, Receipt)
    ]
    connection.executemany("INSERT INTO dead SELECT NULL, ?, ?, ?, ?, envelope FROM message WHERE place = ?", rows)


def end(connection: sqlite3.Connection, places: str) -> None:
    """Drop them."""
    connection.execute(FREE, (places,))
    connection.execute(DROP, (places,))


def give_back(
    connection: sqlite3.Connection, places: str, now: float, *, due: float | None, counted: bool, parked: bool, begun: bool
) -> None:
    """Make them ready again, in front, or at `due`; `begun` if those that run must be known as begun."""
    values = {"places": places, "now": now, "due": due, "uncounted": not counted, "parked": parked, "begun": begun}
    if due is None or due <= now:
        connection.execute(_BACK, values)
        connection.execute(FREE, (places,))
        return
    connection.execute(_ASIDE, values)
    end(connection, places)
    for segment, count in Counter(map(of, pack.from_json(places))).items():
        postpone(connection, segment, due, count)


def held_by(connection: sqlite3.Connection, owner: int) -> str:
    """The places of all that an owner holds."""
    row = connection.execute("SELECT json_group_array(place) FROM hold WHERE owner = ?", (owner,)).fetchone()
    return str(row[0])


def orphans(connection: sqlite3.Connection, max_deliveries: int) -> tuple[str, str]:
    """The places that nobody who lives holds: those that may simply run again, and those that must not."""
    rows = connection.execute(_ORPHANS, (max_deliveries, max_deliveries)).fetchone()
    return rows[0], rows[1]


def count(places: str) -> int:
    """How many places these are."""
    return len(pack.from_json(places))


def adopt(connection: sqlite3.Connection, places: str, owner: int, handout: int, now: float) -> list[Delivery]:
    """Make these the owner's own, the attempt counted; gives them."""
    connection.execute(
        f"""UPDATE hold SET owner = ?, handout = ?, attempt = attempt + 1,
        begun = CASE WHEN begun THEN {IN_AN_EARLIER_HAND} ELSE 0 END WHERE {_AMONG}""",
        (owner, handout, places),
    )
    rows = connection.execute(
        """SELECT place, queue, attempt, begun, parked
        FROM json_each(?) CROSS JOIN hold ON place = value JOIN segment ON number = place >> 44""",
        (places,),
    ).fetchall()
    adopted = []
    for place, queue, attempt, begun, parked in rows:
        adopted.append(
            Delivery(
                opened(read(connection, place), queue),
                queue,
                Receipt(place, owner, handout),
                attempt,
                bool(begun),
                parked,
                when=now,
            )
        )
    revoked.mark(connection, adopted, now)
    return adopted
