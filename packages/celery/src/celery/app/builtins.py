"""Tasks that are there in every app, under Celery's names, so that messages of Celery's clients can be run."""

from __future__ import annotations

from typing import Any

from umbel.client import builtin


def _make(app: Any, name: str, **options: Any) -> Any:
    def decorate(function: Any) -> Any:
        return app._tasks.get(name) or app.make_task(function, name=name, **options)

    return decorate


def add_all(app: Any) -> None:
    """Add all that there are."""
    for add in (
        *(add_backend_cleanup_task, add_accumulate_task, add_map_task, add_starmap_task, add_unlock_chord_task),
        *(add_chunk_task, add_group_task, add_chain_task, add_chord_task),
    ):
        add(app)


def add_backend_cleanup_task(app: Any) -> Any:
    """`celery.backend_cleanup`: remove results that are past their age."""

    @_make(app, "celery.backend_cleanup")
    def backend_cleanup() -> None:
        backend = app.backend
        if backend is not None:
            (getattr(backend, "cleanup", None) or backend.sweep)()

    return backend_cleanup


def add_accumulate_task(app: Any) -> Any:
    """`celery.accumulate`: gives its arguments, or one of them."""

    @_make(app, "celery.accumulate")
    def accumulate(*args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index")
        return args[index] if index is not None else args

    return accumulate


def add_map_task(app: Any) -> Any:
    """`celery.map`: run a task once for each argument."""

    @_make(app, "celery.map")
    def xmap(task: Any, it: Any) -> list[Any]:
        run = app.signature(task).type
        return [run(item) for item in it]

    return xmap


def add_starmap_task(app: Any) -> Any:
    """`celery.starmap`: run a task once for each list of arguments."""

    @_make(app, "celery.starmap")
    def xstarmap(task: Any, it: Any) -> list[Any]:
        run = app.signature(task).type
        return [run(*item) for item in it]

    return xstarmap


def add_unlock_chord_task(app: Any) -> Any:
    """`celery.chord_unlock`: look whether all parts of a chord have ended, for stores of results that do not count."""
    return _make(app, "celery.chord_unlock", bind=True, max_retries=None, default_retry_delay=1)(builtin.unlock_chord)


def add_chunk_task(app: Any) -> Any:
    """`celery.chunks`: send calls of a task, so many in one message."""

    @_make(app, "celery.chunks")
    def chunks(task: Any, it: Any, n: int) -> Any:
        from celery.canvas import chunks as chunks_of

        return chunks_of.apply_chunks(task, it, n, app=app)

    return chunks


def add_group_task(app: Any) -> Any:
    """`celery.group`: send calls side by side."""

    @_make(app, "celery.group", add_to_parent=False)
    def group(tasks: Any, result: Any = None, group_id: str | None = None, partial_args: Any = (), **_: Any) -> Any:
        from celery.canvas import group as group_of

        return group_of([app.signature(task) for task in tasks], app=app).apply_async(partial_args, task_id=group_id)

    return group


def add_chain_task(app: Any) -> Any:
    """`celery.chain`: no task, in Celery neither; the first step of a chain is sent in its place."""

    @_make(app, "celery.chain")
    def chain(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a chain is no task: its first step is sent in its place")

    return chain


def add_chord_task(app: Any) -> Any:
    """`celery.chord`: send calls side by side, and one with all their values."""

    @_make(app, "celery.chord")
    def chord(header: Any, body: Any, partial_args: Any = (), **options: Any) -> Any:
        from celery.canvas import chord as chord_of

        calls = [app.signature(task) for task in chord_of(header, None).tasks]
        return chord_of(calls, app.signature(body), app=app).apply_async(partial_args)

    return chord
