"""The oracle catches what it is there to catch."""

from __future__ import annotations

from tests.chaos.oracle import Verdicts, classify

ONCE = [["begin", "a", "1", "0"], ["end", "a", "1", "0"]]
TWICE = [["begin", "a", "1", "7"], ["begin", "a", "2", "0"], ["end", "a", "2", "0"]]


def judged(effects, *, tried=("a",), confirmed=("a",), failures=None, late=("a",), killed=(), unanswered=()) -> Verdicts:
    return classify(
        tried=tried,
        confirmed=confirmed,
        effects=effects,
        failures=failures or {},
        late=late,
        killed=killed,
        unanswered=unanswered,
    )


def test_a_task_that_ended_once_is_ok() -> None:
    verdicts = judged(ONCE)
    assert verdicts.ok == ["a"]
    assert verdicts.faults() == {}


def test_an_accepted_task_without_an_end_is_lost() -> None:
    assert judged([]).lost == ["a"]
    assert judged([["begin", "a", "1", "0"]], killed=[1]).lost == ["a"]


def test_a_failure_that_was_told_is_an_end() -> None:
    verdicts = judged([["begin", "a", "1", "0"]], failures={"a": "WorkerLostError"}, late=[], killed=[1])
    assert (verdicts.told, verdicts.lost) == (["a"], [])


def test_an_end_without_the_result_that_was_promised_is_silent() -> None:
    assert judged(ONCE, unanswered=["a"]).silent == ["a"]


def test_a_second_run_without_a_kill_is_a_duplicate() -> None:
    assert judged([*ONCE, ["begin", "a", "2", "0"], ["end", "a", "2", "0"]], killed=[2]).duplicated == ["a"]


def test_a_second_run_after_a_kill_is_explained_for_late_tasks_only() -> None:
    assert judged(TWICE, killed=[1]).explained == ["a"]
    assert judged(TWICE, killed=[1], late=[]).duplicated == ["a"]


def test_the_death_of_its_parent_explains_a_second_run_too() -> None:
    assert judged(TWICE, killed=[7]).explained == ["a"]


def test_a_task_whose_sender_was_not_answered_may_have_run_or_not_but_not_twice() -> None:
    for effects in ([], ONCE):
        verdicts = judged(effects, confirmed=[])
        assert verdicts.unknown == ["a"]
        assert verdicts.faults() == {}
    assert judged(TWICE, confirmed=[]).duplicated == ["a"]


def test_an_effect_nobody_sent_is_unexpected() -> None:
    assert judged(ONCE, tried=[], confirmed=[]).unexpected == ["a"]
