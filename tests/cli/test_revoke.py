from __future__ import annotations

from tests.cli.project import Project

from umbel.stores.broker import Revocation


def kept(project: Project) -> list[Revocation]:
    """What the project's store remembers."""
    broker = project.broker()
    try:
        return broker.revocations()[1]
    finally:
        broker.close()


def test_tasks_are_revoked_by_their_ids(project: Project) -> None:
    done = project.umbel("revoke", "one", "two")
    assert (done.code, done.out) == (0, f"revoked 2 tasks at sqlite:///{project.folder}/q.db\n")
    assert kept(project) == [Revocation("one"), Revocation("two")]


def test_those_that_run_are_ended_if_that_is_asked_for(project: Project) -> None:
    assert project.umbel("revoke", "one", "--terminate").code == 0
    assert project.umbel("revoke", "two", "--terminate", "--signal", "kill").code == 0
    assert project.umbel("revoke", "three", "--signal", "9").code == 0
    assert kept(project) == [Revocation("one", "SIGTERM"), Revocation("two", "SIGKILL"), Revocation("three")]


def test_an_unknown_signal_is_told_in_a_line(project: Project) -> None:
    done = project.umbel("revoke", "one", "--terminate", "--signal", "SIGNONE")
    assert (done.code, done.err.count("\n")) == (64, 1)
    assert "there is no signal 'SIGNONE'; the usual one is SIGTERM" in done.err
    assert kept(project) == []


def test_without_an_id_there_is_nothing_to_revoke(project: Project) -> None:
    assert project.umbel("revoke").code == 64
