"""What every schedule store must keep, as tests to inherit: say where the store of a test is.

class TestSqlite(ScheduleStoreContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/schedule.db"
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from umbel import clock
from umbel.stores.schedule import ASTRAY, Changes, Row, ScheduleStore, Ticks
from umbel.stores.url import open_schedule
from umbel.testing.given import in_a_child
from umbel.testing.waiting import factor, patience, until

Another = Callable[[], ScheduleStore]

DUE = 1_763_735_848.1234567
"""A moment with as many digits as a float has."""


class Mirror:
    """The schedule as one sees it who asks for changes now and then."""

    def __init__(self, store: ScheduleStore):
        self.store = store
        self.version = 0
        self.rows: dict[str, Row] = {}

    def look(self) -> Changes:
        """Take over what has changed."""
        changes = self.store.changes(self.version)
        if changes.whole:
            self.rows = {}
        for name in changes.gone:
            self.rows.pop(name, None)
        self.rows |= {row.name: row for row in changes.rows}
        self.version = changes.version
        return changes


def names(changes: Changes) -> list[str]:
    """Which entries it tells of."""
    return sorted(row.name for row in changes.rows)


class ScheduleStoreContract:
    """Inherit, and override `url`; override `make` if `umbel.stores.url` does not know the store."""

    shared_by_processes = True
    """False if a forked child finds an empty store of its own."""

    @pytest.fixture
    def url(self) -> str:
        """Where the store of this test is; empty, and no other test's."""
        raise AssertionError("override the fixture `url`")

    def make(self, url: str, name: str = "") -> ScheduleStore:
        """One more on the schedule of that name."""
        return open_schedule(url, name=name)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Another]:
        """Opens one more on the same store, and closes it when the test is over."""
        opened: list[ScheduleStore] = []

        def open_one() -> ScheduleStore:
            opened.append(self.make(url))
            return opened[-1]

        yield open_one
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, another: Another) -> ScheduleStore:
        """One that lives as long as the test."""
        return another()

    def row(self, store: ScheduleStore, name: str) -> Row:
        """The entry of that name."""
        return next(row for row in store.changes().rows if row.name == name)

    # Entries

    def test_an_empty_schedule_is_told_as_empty(self, store: ScheduleStore) -> None:
        assert store.changes() == Changes(0, whole=True)
        assert store.changes(12345).whole

    def test_what_is_saved_is_told_whole_to_others(self, store: ScheduleStore, another: Another) -> None:
        before = clock.now()
        store.save([("a", bytes(range(256))), ("b", b"")])
        found = another().changes()
        assert found.whole
        assert found.gone == []
        assert names(found) == ["a", "b"]
        row = self.row(store, "a")
        assert (row.definition, row.enabled, row.fired, row.count) == (bytes(range(256)), True, None, 0)
        assert before - 1 <= row.since == row.after <= clock.now() + 1
        assert self.row(store, "b").definition == b""

    def test_entries_are_found_by_their_names(self, store: ScheduleStore) -> None:
        store.save([("a", b"1"), ("b", b"\0\xff2"), ("c", b"3")])
        store.enable(["b"], enabled=False)
        store.tick([Ticks("b", DUE, 5)])
        assert store.find(["b"]) == [row for row in store.changes().rows if row.name == "b"]
        assert sorted(row.name for row in store.find(["c", "none", "a", "c"])) == ["a", "c"]
        assert store.find(["none"]) == store.find([]) == []

    def test_schedules_of_other_names_are_apart(self, url: str, store: ScheduleStore) -> None:
        other = self.make(url, "other: *{}'\"\x01ü")
        assert (other.name, other.url) == ("other: *{}'\"\x01ü", store.url)
        store.save([("a", b"1"), ("mine", b"1")])
        other.save([("a", b"2")])
        version = store.changes().version
        other.enable(["a", "mine"], enabled=False)
        other.tick([Ticks("a", DUE, 1)])
        assert other.remove(["mine"]) == 0
        (row,) = store.find(["a"])
        assert (row.definition, row.enabled, row.fired, row.count) == (b"1", True, None, 0)
        assert not store.changes(version).rows
        assert names(other.changes()) == ["a"]
        assert store.lead("me", 30)
        assert other.lead("you", 30)
        other.resign("you")
        assert store.leader() is not None
        assert other.leader() is None
        assert other.remove(["a"]) == 1
        assert names(store.changes()) == ["a", "mine"]
        assert store.changes(version).gone == []
        other.close()

    def test_only_what_has_changed_since_is_told(self, store: ScheduleStore) -> None:
        store.save([("a", b"1"), ("b", b"1")])
        first = store.changes()
        assert store.changes(first.version) == Changes(first.version)
        store.save([("b", b"2"), ("c", b"1")])
        second = store.changes(first.version)
        assert second.version > first.version
        assert (names(second), second.gone, second.whole) == (["b", "c"], [], False)

    def test_the_same_definition_again_changes_nothing(self, store: ScheduleStore) -> None:
        store.save([("a", b"1"), ("b", b"1")])
        known = store.changes()
        store.save([("a", b"1"), ("b", b"1")])
        assert store.changes() == known
        store.save([("a", b"1"), ("b", b"2")])
        assert names(store.changes(known.version)) == ["b"]

    def test_of_two_definitions_in_one_batch_the_last_counts(self, store: ScheduleStore) -> None:
        store.save([("a", b"1"), ("a", b"2")])
        assert [row.definition for row in store.changes().rows] == [b"2"]

    def test_a_new_definition_leaves_all_else_as_it_is(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        store.tick([Ticks("a", DUE, 3)])
        store.enable(["a"], enabled=False)
        since = self.row(store, "a").since
        store.save([("a", b"2")])
        assert self.row(store, "a") == Row("a", b"2", False, since, DUE, 3)

    def test_the_disabled_are_told_and_counted(self, store: ScheduleStore) -> None:
        store.save([("a", b"1"), ("b", b"1"), ("c", b"1")])
        version = store.changes().version
        assert store.enable(["a", "b", "b", "unknown"], enabled=False) == 2
        assert store.enable(["a"], enabled=False) == 0
        found = store.changes(version)
        assert [(row.name, row.enabled) for row in sorted(found.rows, key=lambda row: row.name)] == [("a", False), ("b", False)]
        assert self.row(store, "c").enabled

    def test_what_is_enabled_anew_counts_from_now(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        before = self.row(store, "a").since
        store.tick([Ticks("a", before - 1000, 1)])
        store.enable(["a"], enabled=False)
        assert self.row(store, "a").since == before
        until(lambda: clock.now() > before + 0.02)
        assert store.enable(["a"], enabled=True) == 1
        row = self.row(store, "a")
        assert before < row.since <= clock.now() + 1
        assert row.after == row.since
        assert (row.fired, row.count) == (before - 1000, 1)

    def test_what_is_removed_is_told_as_gone(self, store: ScheduleStore) -> None:
        store.save([("a", b"1"), ("b", b"1")])
        version = store.changes().version
        assert store.remove(["a", "a", "unknown"]) == 1
        assert store.remove(["a"]) == 0
        found = store.changes(version)
        assert (found.rows, found.gone, found.whole) == ([], ["a"], False)
        assert names(store.changes()) == ["b"]
        assert store.changes().gone == []

    def test_what_comes_again_is_new_and_not_gone(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        store.tick([Ticks("a", DUE, 7)])
        version = store.changes().version
        store.remove(["a"])
        store.save([("a", b"1")])
        found = store.changes(version)
        assert (names(found), found.gone) == (["a"], [])
        assert (found.rows[0].fired, found.rows[0].count) == (None, 0)

    def test_a_version_that_was_never_given_gives_the_whole_schedule(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        version = store.changes().version
        assert store.changes(version + 1_000_000).whole
        assert store.changes(1).whole
        assert names(store.changes(1)) == ["a"]

    def test_empty_batches_of_the_schedule_do_nothing(self, store: ScheduleStore) -> None:
        store.save([])
        store.tick([])
        assert store.enable([], enabled=True) == store.remove([]) == 0
        assert store.changes() == Changes(0, whole=True)

    def test_strange_names_are_names(self, store: ScheduleStore) -> None:
        strange = ["", "'", '"\\\n', "žluť🐴", "a b", "*", "NULL", "{}", "0", "x" * 1000]
        store.save([(name, name.encode() + b"\0\xff") for name in strange])
        store.tick([Ticks(name, DUE, 1) for name in strange])
        found = {row.name: (row.definition, row.count) for row in store.changes().rows}
        assert found == {name: (name.encode() + b"\0\xff", 1) for name in strange}
        assert store.enable(strange, enabled=False) == store.remove(strange) == len(strange)

    def test_many_thousands_are_kept(self, store: ScheduleStore) -> None:
        many = [(f"{number:05d}", b"%d" % number) for number in range(12_000)]
        store.save(many)
        found = store.changes()
        assert {row.name: row.definition for row in found.rows} == dict(many)
        assert len(found.rows) == len(many)
        assert store.enable([name for name, _ in many], enabled=False) == len(many)
        assert len(store.changes(found.version).rows) == len(many)
        assert store.remove([name for name, _ in many[1:]]) == len(many) - 1
        last = store.changes(found.version)
        assert (names(last), len(last.gone)) == (["00000"], len(many) - 1)

    def test_who_asks_for_changes_sees_what_is_there(self, store: ScheduleStore, another: Another) -> None:
        mirror, stop = Mirror(another()), threading.Event()

        def edit(editor: ScheduleStore, mine: str) -> None:
            for step in range(40):
                some = [f"{mine}{(step * 7 + number) % 20}" for number in range(5)]
                editor.save([(name, b"%d" % step) for name in some])
                editor.enable(some[:2], enabled=step % 2 == 0)
                editor.remove(some[2:4])

        def follow() -> None:
            while not stop.is_set():
                mirror.look()

        editors = [threading.Thread(target=edit, args=(another(), mine)) for mine in "ab"]
        follower = threading.Thread(target=follow)
        for thread in (follower, *editors):
            thread.start()
        for thread in editors:
            thread.join(patience())
        stop.set()
        follower.join(patience())
        mirror.look()
        assert mirror.rows == {row.name: row for row in store.changes().rows}
        assert len(mirror.rows) > 10

    # Ticks

    def test_ticks_are_noted_to_the_last_bit(self, store: ScheduleStore, another: Another) -> None:
        store.save([("a", b"1"), ("b", b"1")])
        version = store.changes().version
        dues = [DUE, 1_763_735_848.1234572, 1_763_735_848.1, 1_763_735_849.0]
        for due in sorted(dues):
            store.tick([Ticks("a", due, 1), Ticks("b", due + 0.1, 0)])
            assert self.row(another(), "a").fired == due
            assert self.row(another(), "b").fired == due + 0.1
        assert (self.row(store, "a").count, self.row(store, "b").count) == (4, 0)
        assert store.changes(version) == Changes(version)

    def test_the_last_tick_never_goes_back(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        store.tick([Ticks("a", DUE, 1)])
        store.tick([Ticks("a", DUE - 60, 2)])
        assert (self.row(store, "a").fired, self.row(store, "a").count) == (DUE, 3)

    def test_several_ticks_of_one_entry_may_come_in_one_batch(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        store.tick([Ticks("a", DUE, 1), Ticks("a", DUE + 2, 1), Ticks("a", DUE + 1, 3), Ticks("gone", DUE, 1)])
        assert (self.row(store, "a").fired, self.row(store, "a").count) == (DUE + 2, 5)
        assert names(store.changes()) == ["a"]

    def test_a_tick_that_lies_astray_gives_way(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])
        now = clock.now()
        store.tick([Ticks("a", now + ASTRAY + 600, 1)])
        store.tick([Ticks("a", now, 1)])
        assert self.row(store, "a").fired == now

    # Leading

    def test_one_leads_until_its_time_is_over(self, store: ScheduleStore, another: Another) -> None:
        other, seconds, before = another(), 0.3 * factor(), clock.now()
        assert store.leader() is None
        assert store.lead("one", seconds)
        assert not other.lead("two", seconds)
        assert store.lead("one", seconds)
        leader = other.leader()
        assert leader is not None
        assert leader.owner == "one"
        assert before - 1 <= leader.until <= clock.now() + 1 + seconds
        until(lambda: other.lead("two", 30))
        assert not store.lead("one", 30)
        leader = store.leader()
        assert leader is not None
        assert leader.owner == "two"

    def test_who_resigns_lets_others_lead_at_once(self, store: ScheduleStore, another: Another) -> None:
        assert store.lead("one", 30)
        another().resign("two")
        assert not another().lead("two", 30)
        store.resign("one")
        assert store.leader() is None
        assert another().lead("two", 30)

    def test_a_time_of_leading_that_makes_no_sense_does_not_count(self, store: ScheduleStore) -> None:
        assert store.lead("one", 3600)
        assert store.lead("two", 3)

    def test_of_many_threads_one_leads(self, another: Another) -> None:
        stores = [another() for _ in range(8)]
        leading: list[int] = []

        def lead(number: int) -> None:
            if stores[number].lead(f"{number}", 60):
                leading.append(number)

        threads = [threading.Thread(target=lead, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert len(leading) == 1

    # Processes

    def test_a_forked_child_reads_and_writes_the_schedule(self, store: ScheduleStore) -> None:
        store.save([("a", b"1")])

        def live() -> bool:
            seen = names(store.changes()) == (["a"] if self.shared_by_processes else [])
            store.save([("b", b"2")])
            return seen and "b" in names(store.changes())

        assert in_a_child(live)
        assert names(store.changes()) == (["a", "b"] if self.shared_by_processes else ["a"])
        store.close()
        store.close()
