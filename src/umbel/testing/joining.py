"""That result backends count the parts of chords, and keep what groups are made of."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from umbel.errors import BrokerRefused
from umbel.stores.backend import ResultBackend
from umbel.stores.join import Arrival, Parts
from umbel.testing.given import envelope, in_a_child
from umbel.testing.waiting import pace, patience, until
from umbel.wire.envelope import Envelope

Another = Callable[..., ResultBackend]

FIRE = envelope("fire", "canvas", body=b"\0\xff")


def document(index: int | None, value: int = 0) -> bytes:
    """What Celery keeps of a part."""
    return b'[1, "part%s", "SUCCESS", %d]' % (str(index).encode(), value)


def part(index: int, value: int = 0, chord: str = "chord", more: int = 0, run: int = 0) -> Arrival:
    """One that has arrived."""
    return Arrival(chord, f"part{index}", index, document(index, value), FIRE, more, run)


def documents(*indexes: int) -> list[bytes]:
    """What is kept of such parts."""
    return [document(index) for index in indexes]


class Joining:
    """Chords and groups; the fixtures are the suite's."""

    shared_by_processes = True

    @pytest.fixture
    def another(self) -> Iterator[Another]:
        """Opens one more backend on the same store."""
        raise AssertionError("the suite of backends has it")

    @pytest.fixture
    def backend(self, another: Another) -> ResultBackend:
        """A backend that lives as long as the test."""
        return another()

    def test_the_last_part_of_a_chord_is_told_what_follows(self, backend: ResultBackend, another: Another) -> None:
        backend.expect("chord", 3)
        other = another()
        assert backend.arrive([part(2)]) == other.arrive([part(0)]) == []
        assert other.parts("chord") == Parts(3, documents(0, 2))
        assert backend.arrive([part(1)]) == [FIRE]
        assert other.parts("chord") == Parts(3, documents(0, 1, 2))

    def test_who_completed_a_chord_is_told_again_until_it_is_done(self, backend: ResultBackend) -> None:
        backend.expect("chord", 2)
        assert backend.arrive([part(1), part(0)]) == [FIRE]
        assert backend.arrive([part(0)]) == backend.arrive([part(0)]) == [FIRE]
        assert backend.arrive([part(1)]) == []
        backend.done("chord")
        assert backend.arrive([part(0)]) == backend.arrive([part(1)]) == []

    def test_a_chord_that_is_done_has_ended(self, backend: ResultBackend) -> None:
        backend.expect("chord", 1)
        backend.arrive([part(0)])
        backend.done("chord")
        assert backend.parts("chord") is None
        assert backend.ended("chord")

    def test_the_same_part_counts_once_and_its_last_word_stays(self, backend: ResultBackend) -> None:
        backend.expect("chord", 2)
        assert backend.arrive([part(0, 1), part(0, 2)]) == backend.arrive([part(0, 3)]) == []
        assert backend.parts("chord") == Parts(2, [document(0, 3)])
        assert backend.arrive([part(1), part(0, 4)]) == [FIRE]
        assert backend.parts("chord") == Parts(2, [document(0, 4), document(1)])

    def test_the_last_word_counts_also_if_it_is_the_same_as_before(self, backend: ResultBackend) -> None:
        backend.expect("chord", 2)
        backend.arrive([part(0, 1)])
        backend.arrive([part(0, 1)])
        backend.arrive([part(0, 2)])
        backend.arrive([part(0, 1)])
        assert backend.parts("chord") == Parts(2, [document(0, 1)])

    def test_a_chord_is_not_whole_before_its_size_is_known(self, backend: ResultBackend) -> None:
        assert backend.arrive([part(0), part(1)]) == []
        assert backend.parts("chord") == Parts(None, documents(0, 1))
        backend.expect("chord", 3)
        assert backend.arrive([part(1)]) == []
        assert backend.arrive([part(2)]) == [FIRE]

    def test_a_size_that_comes_too_late_is_found_by_the_next_repeat(self, backend: ResultBackend) -> None:
        assert backend.arrive([part(0), part(1)]) == []
        backend.expect("chord", 2)
        assert backend.parts("chord") == Parts(2, documents(0, 1))
        assert backend.arrive([part(0)]) == [FIRE]
        assert backend.arrive([part(1)]) == []
        assert backend.arrive([part(0)]) == [FIRE]

    def test_the_last_word_of_the_size_counts(self, backend: ResultBackend) -> None:
        backend.expect("chord", 1)
        backend.expect("chord", 2)
        assert backend.arrive([part(0)]) == []
        backend.expect("chord", 3)
        backend.expect("chord", 2)
        assert backend.arrive([part(1)]) == [FIRE]

    def test_a_chord_grows(self, backend: ResultBackend) -> None:
        backend.expect("chord", 1)
        assert backend.arrive([part(0, more=2)]) == []
        assert backend.parts("chord") == Parts(3, documents(0))
        assert backend.arrive([part(1, more=1)]) == backend.arrive([part(2)]) == []
        assert backend.arrive([part(3)]) == [FIRE]
        assert backend.parts("chord") == Parts(4, documents(0, 1, 2, 3))

    def test_a_chord_may_grow_before_its_size_is_known(self, backend: ResultBackend) -> None:
        assert backend.arrive([part(0, more=1)]) == []
        assert backend.parts("chord") == Parts(None, documents(0))
        backend.expect("chord", 1)
        assert backend.parts("chord") == Parts(2, documents(0))
        assert backend.arrive([part(1)]) == [FIRE]

    def test_a_run_that_is_told_twice_makes_it_grow_once(self, backend: ResultBackend) -> None:
        backend.expect("chord", 1)
        assert backend.arrive([part(0, more=2)]) == backend.arrive([part(0, more=2)]) == []
        assert backend.parts("chord") == Parts(3, documents(0))
        assert backend.arrive([part(0, more=1)]) == backend.arrive([part(0)]) == []
        assert backend.parts("chord") == Parts(2, documents(0))
        assert backend.arrive([part(1)]) == [FIRE]

    def test_several_runs_of_one_task_make_it_grow_each(self, backend: ResultBackend) -> None:
        backend.expect("chord", 1)
        assert backend.arrive([Arrival("chord", "part0", 0, None, FIRE, more=2, run=0)]) == []
        assert backend.parts("chord") == Parts(3, [])
        assert backend.arrive([part(0, more=1, run=1)]) == []
        assert backend.parts("chord") == Parts(4, documents(0))

    def test_growth_alone_completes_nothing(self, backend: ResultBackend) -> None:
        backend.expect("chord", 1)
        assert backend.arrive([part(0, more=1)]) == []
        assert backend.arrive([Arrival("chord", "part0", 0, None, FIRE)]) == []
        assert backend.arrive([Arrival("chord", "part1", 1, None, FIRE)]) == []
        assert backend.arrive([part(1)]) == [FIRE]

    def test_parts_may_share_a_place_or_have_none(self, backend: ResultBackend) -> None:
        def other(id: str, index: int | None) -> Arrival:
            return Arrival("chord", id, index, b'[1, "%s", "SUCCESS", null]' % id.encode(), FIRE)

        backend.expect("chord", 5)
        arrivals = [other("z", None), other("a", None), other("d", 1), other("c", 1), other("e", 0)]
        assert backend.arrive([*arrivals[:4], *arrivals[:4]]) == []
        assert backend.arrive(arrivals[4:]) == [FIRE]
        found = backend.parts("chord")
        assert found == Parts(5, [arrivals[place].part for place in (4, 3, 2, 1, 0)])  # type: ignore[misc]  # bytes

    def test_strange_ids_are_told_apart_and_known_again(self, backend: ResultBackend) -> None:
        ids = ["a", 'a"', '"', "'", "\\", "/", "a\n", "žluť🐴", "žluť", "%a+", "[1, 2]", "1", "NULL"]
        backend.expect("chord", len(ids))

        def told(value: int) -> list[Arrival]:
            documents = [json.dumps([1, id, "SUCCESS", value]).encode() for id in ids]
            places = itertools.cycle([0, 7, None])
            return [Arrival("chord", *each, FIRE) for each in zip(ids, places, documents, strict=False)]

        assert backend.arrive(told(1)[1:]) == backend.arrive(told(2)[1:]) == []
        assert backend.arrive(told(3)) == [FIRE]
        found = backend.parts("chord")
        assert found is not None
        assert sorted(json.loads(each)[1] for each in found.arrived) == sorted(ids)
        assert {json.loads(each)[3] for each in found.arrived} == {3}

    def test_ids_are_kept_as_they_are_or_refused(self, backend: ResultBackend) -> None:
        for chord in ("a\0b", "a\0c", "a", "\ud800", "", "\\u0000"):
            other = Arrival(chord, f"{chord}2", 1, json.dumps([1, f"{chord}2", "SUCCESS", 0]).encode(), FIRE)
            try:
                backend.expect(chord, 2)
                assert backend.arrive([part(0, chord=chord)]) == []
                assert backend.arrive([other]) == [FIRE]
                backend.done(chord)
                assert backend.parts(chord) is None
            except BrokerRefused:
                continue

    def test_indexes_are_numbers_not_words(self, backend: ResultBackend) -> None:
        backend.expect("chord", 12)
        order = list(range(12))
        random.shuffle(order)
        assert backend.arrive([part(index) for index in order]) == [FIRE]
        assert backend.parts("chord") == Parts(12, documents(*range(12)))

    def test_what_follows_is_that_of_the_part_that_completes(self, backend: ResultBackend) -> None:
        backend.expect("chord", 2)
        late = Envelope("other", "q", b'{"a": 1}', b"", "x/y", "binary", 7, 1.5, "to", "ex", "rk", {"a": [1, None]})
        backend.arrive([part(0)])
        assert backend.arrive([Arrival("chord", "part1", 1, document(1))]) == []
        assert backend.arrive([Arrival("chord", "part1", 1, document(1), late)]) == [late]

    def test_chords_do_not_mix(self, backend: ResultBackend) -> None:
        for chord in ("one", "two", "žluť🐴 '\"\n"):
            backend.expect(chord, 2)
        assert backend.arrive([part(0, chord="one"), part(1, chord="two"), part(0, chord="žluť🐴 '\"\n")]) == []
        assert backend.arrive([part(1, chord="one"), part(1, chord="žluť🐴 '\"\n")]) == [FIRE, FIRE]
        assert backend.parts("two") == Parts(2, documents(1))
        assert backend.parts("žluť🐴 '\"\n") == Parts(2, documents(0, 1))

    def test_of_a_chord_that_nobody_knows_nothing_is_told(self, backend: ResultBackend) -> None:
        assert backend.arrive([]) == []
        assert backend.parts("chord") is None

    def test_what_comes_after_the_end_changes_nothing(self, backend: ResultBackend, another: Another) -> None:
        backend.expect("chord", 1)
        assert backend.arrive([part(0)]) == [FIRE]
        backend.done("chord")
        backend.done("chord")
        other = another()
        assert other.parts("chord") is None
        assert other.arrive([part(0, more=3)]) == other.arrive([part(0), part(1)]) == []
        other.expect("chord", 1)
        assert other.arrive([part(0)]) == []
        assert other.parts("chord") is None

    def test_of_many_threads_one_completes_the_chord(self, another: Another) -> None:
        backends = [another() for _ in range(8)]
        backends[0].expect("chord", 80)
        told: list[Envelope] = []

        def arrive(number: int) -> None:
            mine = range(number, 80, 8)
            told.extend(each for index in mine for each in backends[number].arrive([part(index)]))
            backends[number].arrive([part((mine[0] + 1) % 80)])  # a double of somebody else's

        threads = [threading.Thread(target=arrive, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience())
        assert told == [FIRE]
        assert backends[0].parts("chord") == Parts(80, documents(*range(80)))

    def test_ten_thousand_parts_are_noted_and_read_at_once(self, backend: ResultBackend) -> None:
        count = 10_000
        backend.expect("chord", count)
        arrivals = [part(index) for index in range(count)]
        begun = pace()
        told = [each for start in range(0, count, 1000) for each in backend.arrive(arrivals[start : start + 1000])]
        assert told == [FIRE]
        assert backend.parts("chord") == Parts(count, documents(*range(count)))
        assert pace() - begun < 10

    def test_long_parts_are_kept(self, backend: ResultBackend) -> None:
        backend.expect("chord", 3)
        parts = [b'[1, "part%d", "SUCCESS", "%s"]' % (index, b"x" * (3 << 20)) for index in range(3)]
        told = backend.arrive([Arrival("chord", f"part{index}", index, each, FIRE) for index, each in enumerate(parts)])
        assert told == [FIRE]
        assert backend.parts("chord") == Parts(3, parts)

    def test_a_chord_that_never_completes_is_forgotten_with_age(self, another: Another) -> None:
        brief = another(expires=0.1)
        brief.arrive([part(0, more=1)])
        until(lambda: brief.parts("chord") is None)
        brief.sweep()
        brief.expect("chord", 1)
        assert brief.arrive([part(1)]) == [FIRE]

    def test_a_chord_lives_as_long_as_parts_arrive(self, another: Another) -> None:
        brief, lasting = another(expires=0.2), another(expires=None)

        def is_in_time(chord: str) -> bool:
            begun = time.monotonic()
            brief.arrive([part(0, chord=chord)])
            assert lasting.arrive([part(1, chord=chord)]) == []
            return time.monotonic() - begun < 0.1

        chord = next(chord for chord in map(str, range(1000)) if is_in_time(chord))
        brief.arrive([part(0, chord="other")])
        until(lambda: lasting.parts("other") is None)
        lasting.sweep()
        lasting.expect(chord, 3)
        assert lasting.arrive([part(2, chord=chord)]) == [FIRE]
        assert lasting.parts(chord) == Parts(3, documents(0, 1, 2))

    def test_a_chord_waits_for_its_parts_however_early_results_are_forgotten(self, another: Another) -> None:
        brief = another(expires=0.05)
        for chord in ("told", "begun", "grown", "whole"):
            brief.expect(chord, 3)
        brief.arrive([part(0, chord="begun"), Arrival("grown", "part0", 0, None, FIRE, more=1)])
        brief.arrive([part(index, chord="whole") for index in range(3)])
        brief.arrive([part(0, chord="sizeless")])
        until(lambda: brief.parts("sizeless") is None)
        brief.sweep()
        assert brief.arrive([part(index, chord="told") for index in range(3)]) == [FIRE]
        assert brief.arrive([part(index, chord="begun") for index in (1, 2)]) == [FIRE]
        assert brief.arrive([part(index, chord="grown") for index in range(3)]) == []
        assert brief.arrive([part(3, chord="grown")]) == [FIRE]
        assert brief.parts("whole") == Parts(3, documents(0, 1, 2))
        assert brief.arrive([part(2, chord="whole")]) == [FIRE]

    def test_forked_children_count_too(self, backend: ResultBackend) -> None:
        backend.expect("chord", 2)

        def live() -> bool:
            if not self.shared_by_processes:
                backend.expect("chord", 1)
            return backend.arrive([part(0)]) == ([] if self.shared_by_processes else [FIRE])

        assert in_a_child(live)
        assert backend.arrive([part(1)]) == ([FIRE] if self.shared_by_processes else [])

    def test_what_a_group_is_made_of_is_kept_and_forgotten(self, backend: ResultBackend, another: Another) -> None:
        backend.save_group("g", b"\0first", None)
        backend.save_group("g", b"\0second", 60.0)
        assert another().group("g") == b"\0second"
        assert backend.group("h") is None
        another().forget_group("g")
        backend.forget_group("g")
        assert backend.group("g") is None

    def test_a_group_is_gone_when_it_is_past_its_age(self, backend: ResultBackend) -> None:
        backend.save_group("brief", b"1", 0.1)
        backend.save_group("lasting", b"2", 60.0)
        until(lambda: backend.group("brief") is None)
        backend.sweep()
        assert backend.group("lasting") == b"2"

    def test_a_group_and_a_chord_of_one_id_and_results_do_not_mix(self, backend: ResultBackend) -> None:
        backend.save_group("g", b"made", 60.0)
        backend.expect("g", 1)
        assert backend.arrive([part(0, chord="g")]) == [FIRE]
        backend.done("g")
        assert backend.group("g") == b"made"
        assert backend.fetch(["g"]) == {}
