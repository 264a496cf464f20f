"""Tasks that are there in every app, under Celery's names, so that messages of Celery's clients can be run."""

from __future__ import annotations

from typing import Any

from celery._names import later


def _make(app: Any, name: str, **options: Any) -> Any:
    def decorate(function: Any) -> Any:
        return app._tasks.get(name) or app.make_task(function, name=name, **options)

    return decorate


def add_all(app: Any) -> None:
    """Add all that there are."""
    for add in (add_backend_cleanup_task, add_accumulate_task, add_map_task, add_starmap_task):
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
    """`celery.chord_unlock`."""
    raise later("celery.app.builtins.add_unlock_chord_task")


def add_chunk_task(app: Any) -> Any:
    """`celery.chunks`."""
    raise later("celery.app.builtins.add_chunk_task")


def add_group_task(app: Any) -> Any:
    """`celery.group`."""
    raise later("celery.app.builtins.add_group_task")


def add_chain_task(app: Any) -> Any:
    """`celery.chain`."""
    raise later("celery.app.builtins.add_chain_task")


def add_chord_task(app: Any) -> Any:
    """`celery.chord`."""
    raise later("celery.app.builtins.add_chord_task")
