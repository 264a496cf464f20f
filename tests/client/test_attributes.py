from __future__ import annotations

from datetime import timedelta
from math import inf
from pathlib import PurePath

import pytest

from umbel import Task, Umbel


@pytest.fixture
def app():
    with Umbel("options", broker="memory://options") as made:
        yield made


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("throws", 5, "throws must be an exception class"),
        ("throws", ("x",), "throws must be"),
        ("autoretry_for", "x", "autoretry_for must be"),
        ("autoretry_for", [int], "autoretry_for must be"),
        ("dont_autoretry_for", ValueError(), "dont_autoretry_for must be"),
        ("resultrepr_maxsize", "x", "resultrepr_maxsize must be a whole number"),
        ("max_retries", "3", "max_retries must be a whole number"),
        ("max_retries", -1, "max_retries must be"),
        ("default_retry_delay", "soon", "default_retry_delay must be a number"),
        ("retry_kwargs", 5, "retry_kwargs must be a dict"),
        ("retry_backoff", "yes", "retry_backoff must be"),
        ("rate_limit", "often", "rate_limit must be"),
        ("time_limit", "5", "time_limit must be a number of seconds"),
        ("time_limit", timedelta(seconds=5), "time_limit must be a number of seconds"),
        ("time_limit", 2**40, "time_limit must be a number of seconds"),
        ("soft_time_limit", inf, "soft_time_limit must be a number of seconds"),
        ("expires", "soon", "expires must be a number of seconds, a datetime"),
        ("expires", timedelta(seconds=5), "expires must be"),
        ("default_retry_delay", inf, "default_retry_delay must be a number"),
        ("retry_kwargs", {"max_retries": "x"}, "retry_kwargs must be a dict of what `retry` takes"),
        ("retry_kwargs", {"countdown": "x"}, "retry_kwargs: countdown must be a number of seconds"),
        ("retry_kwargs", {1: 2}, "retry_kwargs"),
        ("queue", PurePath("/mail"), "queue must be the name of a queue"),
        ("queue", "a\0b", "queue = .* holds a character"),
        ("ignore_result", "no", "ignore_result must be True or False"),
        ("bind", "yes", "bind must be True or False"),
        ("queue", 5, "queue must be the name of a queue"),
        ("priority", "high", "priority must be"),
        ("serializer", 5, "serializer must be"),
        ("name", "", None),
        ("pydantic_context", 5, "pydantic_context must be a dict"),
        ("delivery_mode", 3, "delivery_mode must be"),
    ],
)
def test_a_value_that_means_nothing_is_refused_where_it_is_written(app, option, value, words):
    if words is None:
        assert app.task(**{option: value})(len).name.endswith("len")  # an empty name is none
        return
    with pytest.raises(ValueError, match=rf"len.*: {words}"):
        app.task(**{option: value})(len)
    if option not in ("bind", "name"):
        kind = type("Own", (Task,), {option: value, "run": lambda self: None, "name": "own"})
        with pytest.raises(ValueError, match=rf"own: {words}"):
            app.register_task(kind)
        with pytest.raises(ValueError, match=words):
            setattr(app.task(len), option, value)


@pytest.mark.parametrize(
    ("option", "meant"),
    [("bnd", "bind"), ("max_retry", "max_retries"), ("autoretry_form", "autoretry_for"), ("ignore_results", "ignore_result")],
)
def test_a_slip_of_the_pen_is_told_with_what_was_meant(app, option, meant):
    with pytest.raises(TypeError, match=rf"there is no option '{option}'; did you mean '{meant}'\?"):
        app.task(**{option: True})(len)


def test_a_soft_limit_that_never_passes_is_refused(app):
    with pytest.raises(ValueError, match="soft_time_limit = 9 is longer than time_limit = 5"):
        app.task(soft_time_limit=9, time_limit=5)(len)
    with pytest.raises(ValueError, match="own: soft_time_limit = 9 is longer"):
        app.register_task(type("Own", (Task,), {"name": "own", "soft_time_limit": 9, "time_limit": 5}))


def test_attributes_of_ones_own_are_kept(app):
    class Base(Task):
        unique_on: tuple[str, ...] = ()
        bindings = 1

    task = app.task(base=Base, unique_on=("a",), bindings=2, once={"graceful": True}, countdown=3)(len)
    assert (task.unique_on, task.bindings, task.once, task.countdown) == (("a",), 2, {"graceful": True}, 3)


def test_what_fits_is_taken_in_all_its_shapes(app):
    task = app.task(
        throws=ValueError,
        autoretry_for=[OSError, KeyError],
        retry_backoff=2.5,
        rate_limit="10/m",
        max_retries=None,
        time_limit=0,
        acks_late=1,
        queue=type("Queue", (), {"name": "mail"})(),
    )(len)
    assert task.throws is ValueError
    task.throws = (ValueError, KeyError)
