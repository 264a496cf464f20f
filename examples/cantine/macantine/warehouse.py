"""Export into the warehouse: a PostgreSQL database of its own, in which people count with their own tools."""

from dataclasses import dataclass

import psycopg
from django.conf import settings
from django.db.models import QuerySet
from psycopg import sql

from data.models import Canteen, Purchase

LOCK = 0x6361_6E74  # any number that no other program locks in the warehouse


@dataclass(frozen=True)
class Dataset:
    """A table of the warehouse: its columns with their types, first the key, and the rows. No names of people."""

    table: str
    columns: dict[str, str]
    rows: QuerySet


DATASETS = (
    Dataset(
        "canteens",
        {
            "id": "bigint",
            "name": "text",
            "siret": "text",
            "postal_code": "text",
            "city": "text",
            "department": "text",
            "region": "text",
            "daily_meals": "integer",
            "spent": "numeric(12, 2)",
            "spent_organic": "numeric(12, 2)",
            "spent_local": "numeric(12, 2)",
            "created_at": "timestamptz",
        },
        Canteen.objects.order_by("pk"),
    ),
    Dataset(
        "purchases",
        {
            "id": "bigint",
            "canteen_id": "bigint",
            "date": "date",
            "description": "text",
            "family": "text",
            "price": "numeric(10, 2)",
            "is_organic": "boolean",
            "is_local": "boolean",
        },
        Purchase.objects.order_by("pk"),
    ),
)


def export():
    """Replace all tables at once; gives how many rows each has now, or None if another export is running.

    It is one transaction: who reads meanwhile sees the old tables, nobody sees half of a table or new beside old,
    and if anything fails the old ones stay. The new ones are filled beside them, so that readers wait only for the swap.
    """
    connected = {name: value for name, value in settings.DATA_WARE_HOUSE.items() if value}
    with psycopg.connect(**connected, connect_timeout=10) as connection, connection.cursor() as cursor:
        if not cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()[0]:
            return None
        counts = {dataset.table: _load(cursor, dataset) for dataset in DATASETS}
        for dataset in DATASETS:
            _swap(cursor, dataset)
    return counts


def _load(cursor, dataset):
    new = sql.Identifier(f"{dataset.table}_new")
    columns = sql.SQL(", ").join(sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in dataset.columns.items())
    cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(new, columns))
    count = 0
    with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(new)) as copy:
        for row in dataset.rows.values_list(*dataset.columns).iterator(chunk_size=2000):
            copy.write_row(row)
            count += 1
    return count


def _swap(cursor, dataset):
    old, new = sql.Identifier(dataset.table), sql.Identifier(f"{dataset.table}_new")
    cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(old))
    cursor.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, old))
    # Only now, so that the index gets the name that the old one had.
    cursor.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(old, sql.Identifier(next(iter(dataset.columns)))))
