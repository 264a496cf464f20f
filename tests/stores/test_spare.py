"""A broker of several stores, and one that sends to another than it takes from, keep the contract of brokers, too."""

from __future__ import annotations

import itertools

import pytest

from umbel.stores.apart import Apart
from umbel.stores.broker import Conclusion
from umbel.stores.spare import Spare
from umbel.stores.url import open_broker
from umbel.testing.contracts import BrokerContract
from umbel.testing.given import envelope

_numbers = itertools.count()


class TestSpare(BrokerContract):
    shared_by_processes = False
    proceeds = False

    test_results_and_follow_ups_come_with_the_acknowledgement = None  # it keeps no results
    test_conclude_does_not_write_over_a_stronger_result = None
    test_conclude_wakes_who_waits_for_the_result = None
    test_conclude_after_the_hold_is_lost_changes_nothing = None
    test_conclusions_of_all_kinds_go_together_and_the_lost_ones_are_told = None
    test_the_last_part_sends_what_follows = None  # nor counts it joins, which is then the backend's affair
    test_parts_of_one_batch_count_in_their_order = None
    test_arrivals_come_with_all_else_that_ends_a_delivery = None
    test_an_arrival_may_be_all_that_is_left_of_a_delivery = None
    test_what_follows_may_be_late_or_urgent = None
    test_a_part_that_comes_again_sends_nothing_again = None
    test_the_first_end_after_a_late_size_sends_it = None
    test_who_lost_the_part_notes_nothing = None
    test_of_many_who_end_parts_at_once_one_sends_it = None
    test_a_chord_of_ten_thousand_ends_in_batches = None
    test_results_come_in_the_same_step = None
    test_what_follows_a_chord_is_held_too = None
    test_the_revocation_ends_when_it_is_met_and_not_before = None  # it waits in each of them, and is met in one
    test_what_is_held_so_is_marked_as_revoked = None

    @pytest.fixture
    def url(self):
        return f"memory://spare{next(_numbers)}"

    def make(self, url, **options):
        return Spare([open_broker(url, **options), open_broker(f"{url}-second", **options)])


class TestApart(BrokerContract):
    shared_by_processes = False
    proceeds = False  # what it sends goes elsewhere

    # What follows is sent before it is known that the hold is lost, under ids that are known beforehand.
    test_one_lost_delivery_does_not_hinder_the_others = None
    test_twice_is_the_same_as_once = None
    test_twice_in_one_batch_is_the_same_as_once = None
    test_a_receipt_that_is_none_is_a_lost_one = None
    test_conclude_after_the_hold_is_lost_changes_nothing = None
    test_conclusions_of_all_kinds_go_together_and_the_lost_ones_are_told = None
    test_who_lost_the_delivery_gets_nothing_for_it = None
    test_what_is_told_twice_is_held_once = None

    @pytest.fixture
    def url(self):
        return f"memory://apart{next(_numbers)}"

    def make(self, url, **options):
        return Apart(open_broker(url, **options), open_broker(url, **options))


def test_dead_letters_of_all_stores_are_found_revived_and_dropped():
    number = next(_numbers)
    stores = [open_broker(f"memory://dead{number}-{place}") for place in range(2)]
    for place, store in enumerate(stores):
        store.send([envelope(f"a{place}"), envelope(f"b{place}")])
        store.conclude([Conclusion(each, buried="ill") for each in store.reserve(["q"], 2, 1)])
    spare = Spare([open_broker(f"memory://dead{number}-{place}") for place in range(2)])
    found, after = [], ""
    while page := spare.buried(limit=1, after=after):
        found += page
        after = page[-1].key
    assert sorted(each.envelope.id for each in found) == ["a0", "a1", "b0", "b1"]
    assert spare.revive([each.key for each in found[:3]]) == 3
    assert spare.discard([found[3].key, "nonsense", "9/x"]) == 1
    assert spare.depth(["q"])["q"].ready == 3
    assert spare.purge("q") == 3
    for each in (spare, *stores):
        each.close()
