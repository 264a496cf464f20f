"""Which runs are void, by what the store told the workers."""

from __future__ import annotations

from tests.chaos.ledger import Ledger

MOMENT = 1.0
LOST = "got 1 10.5 a\nkept 1 10 10 2\nlost 1 14 14 2\n"
"""Worker 1 asked at 10 for 2 seconds, got a, and heard only at 14 that it was taken for dead."""
AGAIN = "got 2 12.5 a\n"
"""Worker 2 got a after that lease had ended."""


def begun(*runs: tuple[int, float]) -> list[list[str]]:
    """Runs of a: in which worker, and when."""
    return [["begin", "a", "100", "99", str(when), str(worker)] for worker, when in runs]


def void(text: str, *runs: tuple[int, float]) -> list[tuple[int, float]]:
    """Those of the runs that are void."""
    found = Ledger.read(text).void(begun(*runs), MOMENT)
    return [(int(line[5]), float(line[4])) for line in sorted(found, key=lambda line: float(line[4]))]


def test_a_run_is_void_if_its_worker_was_taken_for_dead_before_or_after_it_began() -> None:
    assert void(LOST + AGAIN, (1, 11.0), (2, 12.6)) == [(1, 11.0)]
    assert void(LOST + AGAIN, (2, 12.6), (1, 14.9)) == [(1, 14.9)]


def test_a_run_that_began_long_after_its_worker_had_heard_of_its_death_counts() -> None:
    assert void(LOST + AGAIN, (2, 12.6), (1, 15.1)) == []


def test_a_run_counts_if_its_worker_never_lost_its_lease() -> None:
    kept = LOST.replace("lost", "kept")
    assert void(kept + AGAIN, (1, 11.0), (2, 12.6)) == []


def test_a_run_counts_if_its_lease_was_taken_before_it_had_ended() -> None:
    early = LOST.replace("lost 1 14 14", "lost 1 11.5 11.5")
    assert void(early + AGAIN, (1, 11.0), (2, 12.6)) == []


def test_a_run_counts_if_others_got_the_same_before_its_lease_had_ended() -> None:
    assert void(LOST + "got 2 11.5 a\n", (1, 11.0), (2, 11.6)) == []


def test_a_run_that_was_handed_out_after_the_loss_counts() -> None:
    assert void(LOST + "kept 1 15 15 2\ngot 1 15.5 a\n", (1, 15.6)) == []


def test_one_hand_out_explains_one_run() -> None:
    assert void(LOST + AGAIN, (1, 11.0), (1, 11.5)) == [(1, 11.0)]


def test_a_worker_may_get_again_what_it_had_lost_and_hear_of_the_loss_a_little_later() -> None:
    text = LOST.replace("lost 1 14 14 2\n", "kept 1 14 14 2\ngot 1 14.1 a\nlost 1 14.5 14.5 2\n")
    assert void(text, (1, 14.2), (1, 14.3)) == [(1, 14.2)]


def test_a_line_that_a_kill_cut_off_does_not_count() -> None:
    assert void(LOST[:-1], (1, 11.0)) == []
