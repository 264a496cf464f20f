"""The oracle catches what it is there to catch."""

from __future__ import annotations

from tests.chaos.oracle import classify


def test_a_task_that_ended_once_is_ok() -> None:
    verdicts = classify(
        confirmed=["a"], effects=[["begin", "a", "1", "0"], ["end", "a", "1", "0"]], failures={}, late=["a"], killed=[]
    )
    assert (verdicts.ok, verdicts.lost, verdicts.duplicated) == (["a"], [], [])


def test_an_accepted_task_without_an_end_is_lost() -> None:
    assert classify(confirmed=["a"], effects=[], failures={}, late=[], killed=[]).lost == ["a"]
    assert classify(confirmed=["a"], effects=[["begin", "a", "1", "0"]], failures={}, late=["a"], killed=[1]).lost == ["a"]


def test_a_failure_that_was_told_is_an_end() -> None:
    verdicts = classify(
        confirmed=["a"], effects=[["begin", "a", "1", "0"]], failures={"a": "WorkerLostError"}, late=[], killed=[1]
    )
    assert (verdicts.told, verdicts.lost) == (["a"], [])


def test_a_second_run_without_a_kill_is_a_duplicate() -> None:
    effects = [["begin", "a", "1", "0"], ["end", "a", "1", "0"], ["begin", "a", "2", "0"], ["end", "a", "2", "0"]]
    assert classify(confirmed=["a"], effects=effects, failures={}, late=["a"], killed=[2]).duplicated == ["a"]


def test_a_second_run_after_a_kill_is_explained_for_late_tasks_only() -> None:
    effects = [["begin", "a", "1", "0"], ["begin", "a", "2", "0"], ["end", "a", "2", "0"]]
    assert classify(confirmed=["a"], effects=effects, failures={}, late=["a"], killed=[1]).explained == ["a"]
    assert classify(confirmed=["a"], effects=effects, failures={}, late=[], killed=[1]).duplicated == ["a"]


def test_the_death_of_its_parent_explains_a_second_run_too() -> None:
    effects = [["begin", "a", "1", "7"], ["begin", "a", "2", "0"], ["end", "a", "2", "0"]]
    assert classify(confirmed=["a"], effects=effects, failures={}, late=["a"], killed=[7]).explained == ["a"]


def test_an_effect_nobody_sent_is_unexpected() -> None:
    assert classify(confirmed=[], effects=[["begin", "a", "1", "0"]], failures={}, late=[], killed=[]).unexpected == ["a"]
