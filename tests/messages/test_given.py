"""What is given as arguments of a call is looked at before anything is sent, wherever a call is made."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest

from umbel import Umbel

LISTS = ("xy", b"xy", {"a": 1}, {1}, 5, range(2), (each for each in [1]))
NAMES = (5, "x", [1], [("a", 1)], {1: 2}, {b"a": 1})


@pytest.fixture
def app() -> Any:
    with Umbel("given", broker="memory://given", set_as_current=False) as made:
        yield made


@pytest.fixture
def take(app: Umbel) -> Any:
    """A task that takes whatever it gets."""

    @app.task(name="take")
    def take(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    return take


def by_retry(app: Umbel, task: Any, args: Any, kwargs: Any) -> Any:
    @app.task(name="take2", bind=True)
    def again(self: Any, *rest: Any, **named: Any) -> Any:
        if self.request.retries:
            return rest, named
        raise self.retry(args=args, kwargs=kwargs)

    return again.apply().get()


WAYS: dict[str, Callable[[Umbel, Any, Any, Any], Any]] = {
    "apply_async": lambda app, task, args, kwargs: task.apply_async(args, kwargs),
    "with an option": lambda app, task, args, kwargs: task.apply_async(args, kwargs, queue="celery"),
    "send_task": lambda app, task, args, kwargs: app.send_task("take", args, kwargs),
    "send_task of a stranger": lambda app, task, args, kwargs: app.send_task("take2", args, kwargs),
    "retry": by_retry,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("args", LISTS, ids=lambda args: type(args).__name__)
def test_args_are_a_list_or_a_tuple(app: Umbel, take: Any, way: str, args: Any) -> None:
    with pytest.raises(TypeError, match=r"^take2?: args must be a tuple or a list, not .*; for one argument write args=\("):
        WAYS[way](app, take, args, None)
    assert app.broker.depth(["celery"])["celery"].ready == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kwargs", NAMES, ids=repr)
def test_kwargs_are_a_dict_with_names(app: Umbel, take: Any, way: str, kwargs: Any) -> None:
    with pytest.raises(TypeError, match=r"^take2?: (kwargs must be a dict with names, not |keywords must be strings)"):
        WAYS[way](app, take, (), kwargs)
    assert app.broker.depth(["celery"])["celery"].ready == 0


@pytest.mark.parametrize("call", ["xy", b"xy", 5, {1}, range(2)])
def test_many_calls_are_each_a_tuple_or_a_dict(app: Umbel, take: Any, call: Any) -> None:
    with pytest.raises(TypeError, match="a call is the tuple of its arguments, a dict of them or a signature, and not"):
        take.delay_many([(1,), call])
    assert app.broker.depth(["celery"])["celery"].ready == 0


def test_what_is_as_good_as_a_list_or_a_dict_is_taken(app: Umbel, take: Any) -> None:
    assert take.apply([1], UserDict(a=2)).get() == ((1,), {"a": 2})
    take.apply_async([1], UserDict(a=2), queue="good")
    (delivery,) = app.broker.reserve(["good"], 1, 1.0)
    assert delivery.envelope.body.startswith(b'[[1],{"a":2}')
