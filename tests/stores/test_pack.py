from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from umbel.stores.slices import slices
from umbel.stores.sqlite import pack

blobs = st.lists(st.binary(max_size=50), max_size=20)


@given(blobs)
def test_blobs_go_through_sqlite_in_one_parameter_and_come_back_in_one_column(given_blobs):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE item (number INTEGER PRIMARY KEY, value BLOB NOT NULL)")
    joined, marks = pack.join(given_blobs)
    connection.execute(f"INSERT INTO item SELECT key, {pack.BLOB.format('value')} FROM json_each(?)", (joined, pack.text(marks)))
    rows = connection.execute("SELECT value FROM item ORDER BY number").fetchall()
    glued, sizes = connection.execute(f"SELECT {pack.GLUE.format('value')}, json_group_array(length(value)) FROM item").fetchone()
    connection.close()
    assert [row[0] for row in rows] == given_blobs
    assert list(pack.split(glued or b"", pack.from_json(sizes))) == given_blobs


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 120), st.integers(1, 40))
def test_slices_cover_everything_and_stay_below_the_limits_where_they_can(sizes, limit, most):
    parts = [sizes[part] for part in slices(sizes, limit, most)]
    assert [size for part in parts for size in part] == sizes
    assert all(part and (len(part) == 1 or sum(part) <= limit) and len(part) <= most for part in parts)
