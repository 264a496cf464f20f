"""What errors say, and what they can be caught as."""

from __future__ import annotations

import pickle

import pytest

from umbel.errors import NotRegistered, Retry


def test_an_unknown_task_is_a_key_error_that_reads_well():
    error = NotRegistered("no task 'proj.ad' is known")
    assert isinstance(error, KeyError)
    assert str(error) == "no task 'proj.ad' is known"
    assert str(NotRegistered()) == ""
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_unknown_task_of_an_app_is_caught_as_key_error():
    from umbel import Umbel

    with Umbel("proj", broker="memory://", set_as_current=False) as app, pytest.raises(KeyError, match=r"^no task 'x' is known"):
        _ = app.tasks["x"]


def test_a_retry_tells_the_error_whose_repr_fails():
    class Odd(Exception):
        def __repr__(self):
            raise RuntimeError("no")

    error = Odd("x")
    retry = Retry("again", exc=error, when=3)
    assert retry.exc is error
    assert retry.excs == "<Odd: its repr raised RuntimeError>"
    assert str(Retry(exc=error, when=3)) == "Retry in 3s: <Odd: its repr raised RuntimeError>"


def test_a_retry_read_from_a_result_keeps_the_text():
    retry = Retry("again", exc="ValueError('x')", when=3)
    assert (retry.exc, retry.excs) == (None, "ValueError('x')")
    assert Retry().excs is None
