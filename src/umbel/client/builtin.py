"""Tasks that are there in every app, under Celery's names: canvases of both are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from umbel.canvas.shape import as_list
from umbel.client import define
from umbel.client.canvas.signature import signature
from umbel.client.results.result import allow_join_result, result_from_tuple
from umbel.errors import ChordError
from umbel.states import FAILURE


def join(app: Any) -> None:
    """Give them to an app; its own tasks of these names come first."""
    for name, function in _ALL.items():
        options = {"bind": True, "max_retries": None, "default_retry_delay": 1} if function is _unlock else {}
        app._tasks.builtin[name] = define.make(function(app), name=name, base=app.Task, app=app, options=options)


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


def unlock_chord(
    self: Any,
    group_id: str,
    callback: Any,
    interval: float | None = None,
    max_retries: int | None = None,
    result: Any = None,
    **_: Any,
) -> None:
    """Looks whether all parts have ended, again and again; then sends the body, or tells that it never runs."""
    app = self.app
    parts = [result_from_tuple(each, app) for each in result or ()]
    group = app.GroupResult(group_id, parts)
    if not group.ready():
        raise self.retry(countdown=interval or self.default_retry_delay, max_retries=max_retries)
    body = signature(callback, app=app)
    with allow_join_result():
        try:
            values = group.get()
        except Exception as error:
            culprit = next((each.id for each in parts if getattr(each, "failed", bool)()), group_id)
            _tell_lost(app, body, ChordError(f"Dependency {culprit} raised {error!r}"))
            return
    body.apply_async((values,))


def _tell_lost(app: Any, body: Any, error: ChordError) -> None:
    """Tell all who wait for a body that it never runs."""
    from umbel.canvas.unreached import lost  # all that messages and results need is loaded late
    from umbel.wire.result import encode

    store, _, serializer = app.reading()
    if store is not None:
        store.store([encode(each.id, FAILURE, error, serializer=serializer) for each in lost(body)])
    for errback in as_list(body.options.get("link_error")):
        signature(errback, app=app).apply_async((body.options.get("task_id"),))


def _unlock(app: Any) -> Callable[..., Any]:
    return unlock_chord


_ALL: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "celery.accumulate": _accumulate,
    "celery.map": _map,
    "celery.starmap": _starmap,
    "celery.chunks": _chunks,
    "celery.chord_unlock": _unlock,
}
