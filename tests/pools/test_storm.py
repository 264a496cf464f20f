from __future__ import annotations

from umbel.pools.storm import PERIOD, Storm


def test_the_first_deaths_are_replaced_at_once_later_ones_ever_more_slowly():
    storm = Storm(slots=2)
    waits = [storm.death(number * 0.01) for number in range(10)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2:] == sorted(waits[2:])
    assert 0 < waits[2] < waits[-1] <= 0.5


def test_it_rages_after_more_than_ten_deaths():
    storm = Storm(slots=2)
    for number in range(10):
        storm.death(number * 0.1)
    assert not storm.rages
    storm.death(1.0)
    assert storm.rages
    assert len(storm) == 11


def test_more_slots_bear_more_deaths():
    storm = Storm(slots=8)
    for number in range(40):
        storm.death(number * 0.1)
    assert not storm.rages
    storm.death(4.0)
    assert storm.rages


def test_a_job_that_ends_calms_it():
    storm = Storm(slots=1)
    for number in range(10):
        storm.death(number * 0.1)
    storm.calm()
    assert storm.death(1.1) == 0.0
    assert not storm.rages


def test_rare_deaths_are_no_storm():
    storm = Storm(slots=1)
    for number in range(100):
        assert storm.death(number * PERIOD / 2) <= 0.05
    assert not storm.rages
