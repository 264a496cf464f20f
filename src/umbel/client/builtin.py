"""Tasks that are there in every app, under Celery's names: canvases of both are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from umbel.client import define
from umbel.client.signature import signature


def join(app: Any) -> None:
    """Give them to an app; its own tasks of these names come first."""
    for name, function in _ALL.items():
        app._tasks.builtin[name] = define.make(function(app), name=name, base=app.Task, app=app, options={})


def _accumulate(app: Any) -> Callable[..., Any]:
    def accumulate(*args: Any, **kwargs: Any) -> Any:
        """Gives its arguments, or one of them: so a group can be one part of a chord."""
        index = kwargs.get("index")
        return args[index] if index is not None else args

    return accumulate


def _map(app: Any) -> Callable[..., Any]:
    def xmap(task: Any, it: Iterable[Any]) -> list[Any]:
        """Runs a task with each argument."""
        run = signature(task, app=app).type
        return [run(item) for item in it]

    return xmap


def _starmap(app: Any) -> Callable[..., Any]:
    def xstarmap(task: Any, it: Iterable[Any]) -> list[Any]:
        """Runs a task with each list of arguments."""
        run = signature(task, app=app).type
        return [run(*item) for item in it]

    return xstarmap


def _chunks(app: Any) -> Callable[..., Any]:
    def chunks(task: Any, it: Iterable[Any], n: int, **options: Any) -> Any:
        """Sends the messages of which chunks consist."""
        return signature(task, app=app).composed("chunks").apply_chunks(task, it, n, app=app)

    return chunks


_ALL: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "celery.accumulate": _accumulate,
    "celery.map": _map,
    "celery.starmap": _starmap,
    "celery.chunks": _chunks,
}
