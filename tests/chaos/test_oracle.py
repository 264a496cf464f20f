"""The oracle catches what it is there to catch."""

from __future__ import annotations

from tests.chaos.oracle import Verdicts, classify

ONCE = [["begin", "a", "1", "0"], ["end", "a", "1", "0"]]
FIRST, SECOND, THIRD = ["begin", "a", "1", "7"], ["begin", "a", "2", "0"], ["begin", "a", "3", "0"]
TWICE = [FIRST, SECOND, ["end", "a", "2", "0"]]


def judged(effects, *, tried=("a",), confirmed=("a",), failures=None, late=("a",), killed=(), void=(), unanswered=()) -> Verdicts:
    return classify(
        tried=tried,
        confirmed=confirmed,
        effects=effects,
        failures=failures or {},
        late=late,
        killed=killed,
        void={tuple(line) for line in void},
        unanswered=unanswered,
    )


def test_a_task_that_ended_once_is_ok() -> None:
    verdicts = judged(ONCE)
    assert verdicts.ok == ["a"]
    assert verdicts.faults() == {}


def test_an_accepted_task_without_an_end_is_lost() -> None:
    assert judged([]).lost == ["a"]
    assert judged([FIRST], killed=[1]).lost == ["a"]


def test_a_failure_that_was_told_is_an_end() -> None:
    verdicts = judged([FIRST], failures={"a": "WorkerLostError"}, late=[], killed=[1])
    assert (verdicts.told, verdicts.lost) == (["a"], [])


def test_an_end_without_the_result_that_was_promised_is_silent() -> None:
    assert judged(ONCE, unanswered=["a"]).silent == ["a"]


def test_a_second_run_without_a_kill_is_a_duplicate() -> None:
    assert judged([*ONCE, *TWICE[1:]], killed=[2]).duplicated == ["a"]


def test_a_second_run_after_a_kill_is_explained_for_late_tasks_only() -> None:
    assert judged(TWICE, killed=[1]).explained == ["a"]
    assert judged(TWICE, killed=[1], late=[]).duplicated == ["a"]


def test_the_death_of_its_parent_explains_a_second_run_too() -> None:
    assert judged(TWICE, killed=[7]).explained == ["a"]


def test_a_run_whose_lease_was_lost_is_explained_before_and_after_the_one_that_counts() -> None:
    for void in (FIRST, SECOND):
        assert judged(TWICE, void=[void]).explained == ["a"]
        assert judged(TWICE, void=[void], late=[]).duplicated == ["a"]
        assert judged([*TWICE, THIRD], void=[void]).duplicated == ["a"]
    assert judged([*TWICE, THIRD], void=[FIRST], killed=[2]).explained == ["a"]
    assert judged([*TWICE, THIRD], void=[FIRST], killed=[3]).duplicated == ["a"]


def test_a_task_whose_sender_was_not_answered_may_have_run_or_not_but_not_twice() -> None:
    for effects in ([], ONCE):
        verdicts = judged(effects, confirmed=[])
        assert verdicts.unknown == ["a"]
        assert verdicts.faults() == {}
    assert judged(TWICE, confirmed=[]).duplicated == ["a"]


def test_an_effect_nobody_sent_is_unexpected() -> None:
    assert judged(ONCE, tried=[], confirmed=[]).unexpected == ["a"]
