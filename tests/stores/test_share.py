from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from umbel.stores.share import share

lines = st.lists(st.integers(0, 50), min_size=1, max_size=8)


@given(lines, st.integers(0, 200), st.integers(0, 20))
def test_all_room_is_used_and_nobody_gets_more_than_there_is(available, limit, first):
    taken = share(available, limit, first)
    assert sum(taken) == min(sum(available), limit)
    assert all(0 <= got <= had for got, had in zip(taken, available, strict=True))


@given(lines, st.integers(0, 200), st.integers(0, 20))
def test_nobody_gets_much_more_than_one_who_could_have_had_more(available, limit, first):
    taken = share(available, limit, first)
    hungry = [got for got, had in zip(taken, available, strict=True) if got < had]
    assert all(max(taken) <= got + 1 for got in hungry)


def test_without_queues_there_is_nothing_to_share():
    assert share([], 10, 3) == []
