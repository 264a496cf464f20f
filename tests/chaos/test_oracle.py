"""The oracle catches what it is there to catch."""

from __future__ import annotations

from tests.chaos.oracle import Verdicts, classify

ONCE = [["begin", "a", "1", "0", "5"], ["end", "a", "1", "0", "5"]]
TWICE = [["begin", "a", "1", "7", "5"], ["begin", "a", "2", "0", "6"], ["end", "a", "2", "0", "6"]]


def judged(
    effects, *, tried=("a",), confirmed=("a",), failures=None, late=("a",), killed=(), stalled=None, unanswered=()
) -> Verdicts:
    return classify(
        tried=tried,
        confirmed=confirmed,
        effects=effects,
        failures=failures or {},
        late=late,
        killed=killed,
        stalled=stalled,
        unanswered=unanswered,
    )


def test_a_task_that_ended_once_is_ok() -> None:
    verdicts = judged(ONCE)
    assert verdicts.ok == ["a"]
    assert verdicts.faults() == {}


def test_an_accepted_task_without_an_end_is_lost() -> None:
    assert judged([]).lost == ["a"]
    assert judged([["begin", "a", "1", "0", "5"]], killed=[1]).lost == ["a"]


def test_a_failure_that_was_told_is_an_end() -> None:
    verdicts = judged([["begin", "a", "1", "0", "5"]], failures={"a": "WorkerLostError"}, late=[], killed=[1])
    assert (verdicts.told, verdicts.lost) == (["a"], [])


def test_an_end_without_the_result_that_was_promised_is_silent() -> None:
    assert judged(ONCE, unanswered=["a"]).silent == ["a"]


def test_a_second_run_without_a_kill_is_a_duplicate() -> None:
    assert judged([*ONCE, ["begin", "a", "2", "0", "6"], ["end", "a", "2", "0", "6"]], killed=[2]).duplicated == ["a"]


def test_a_second_run_after_a_kill_is_explained_for_late_tasks_only() -> None:
    assert judged(TWICE, killed=[1]).explained == ["a"]
    assert judged(TWICE, killed=[1], late=[]).duplicated == ["a"]


def test_the_death_of_its_parent_explains_a_second_run_too() -> None:
    assert judged(TWICE, killed=[7]).explained == ["a"]


def test_a_run_in_a_process_that_stood_still_is_explained_before_and_after_the_one_that_counts() -> None:
    again = ["begin", "a", "3", "0", "7"]
    for stalled in ({1: 5.5}, {2: 6.5}):
        assert judged(TWICE, stalled=stalled).explained == ["a"]
        assert judged(TWICE, stalled=stalled, late=[]).duplicated == ["a"]
        assert judged([*TWICE, again], stalled=stalled).duplicated == ["a"]
    assert judged([*TWICE, again], stalled={1: 5.5}, killed=[2]).explained == ["a"]
    assert judged([*TWICE, again], stalled={1: 5.5}, killed=[3]).duplicated == ["a"]


def test_a_run_that_began_after_its_worker_had_heard_of_its_death_is_a_duplicate() -> None:
    assert judged(TWICE, stalled={1: 4.5, 2: 5.5}).duplicated == ["a"]


def test_a_task_whose_sender_was_not_answered_may_have_run_or_not_but_not_twice() -> None:
    for effects in ([], ONCE):
        verdicts = judged(effects, confirmed=[])
        assert verdicts.unknown == ["a"]
        assert verdicts.faults() == {}
    assert judged(TWICE, confirmed=[]).duplicated == ["a"]


def test_an_effect_nobody_sent_is_unexpected() -> None:
    assert judged(ONCE, tried=[], confirmed=[]).unexpected == ["a"]
