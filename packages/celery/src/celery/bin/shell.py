"""`celery shell`: a Python shell that knows the app and its tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

import celery
from celery.bin.base import CeleryCommand, CeleryOption
from umbel.cli.failure import Failure

CANVAS = ("chord", "group", "chain", "chunks", "xmap", "xstarmap", "subtask", "Task")


@click.command("shell", cls=CeleryCommand)
@click.option("-I", "--ipython", cls=CeleryOption, is_flag=True, help="In IPython.")
@click.option("-B", "--bpython", cls=CeleryOption, is_flag=True, help="In bpython.")
@click.option("--python", cls=CeleryOption, is_flag=True, help="In Python's own.")
@click.option("-T", "--without-tasks", cls=CeleryOption, is_flag=True, help="Leave the tasks away.")
@click.option("--eventlet", cls=CeleryOption, is_flag=True, hidden=True)
@click.option("--gevent", cls=CeleryOption, is_flag=True, hidden=True)
@click.pass_obj
def shell(scope: Any, /, ipython: bool, bpython: bool, python: bool, without_tasks: bool, eventlet: bool, gevent: bool) -> None:
    """Open a Python shell with the app (`celery`, `app`), its tasks by their names, and `group`, `chain` and the like.

    It is IPython or bpython if one of them is installed, unless you say which.
    """
    names = _names(scope.app, with_tasks=not without_tasks)
    wanted = [kind for kind, is_wanted in (("IPython", ipython), ("bpython", bpython), ("python", python)) if is_wanted]
    for kind in wanted or ("IPython", "bpython", "python"):
        start = _SHELLS[kind](names)
        if start is not None:
            start()
            return
        if wanted:
            raise Failure(f"{kind} is not installed here; pip install {kind.lower()}, or use --python")


def _names(app: Any, *, with_tasks: bool) -> dict[str, Any]:
    names: dict[str, Any] = {"app": app, "celery": app, **{name: getattr(celery, name) for name in CANVAS}}
    if with_tasks:
        names |= {task.__name__: task for name, task in app.tasks.items() if not name.startswith("celery.")}
    return names


def _ipython(names: dict[str, Any]) -> Callable[[], Any] | None:
    try:
        from IPython import start_ipython
    except ImportError:
        return None
    return lambda: start_ipython(argv=[], user_ns=names)


def _bpython(names: dict[str, Any]) -> Callable[[], Any] | None:
    try:
        import bpython
    except ImportError:
        return None
    return lambda: bpython.embed(names)


def _python(names: dict[str, Any]) -> Callable[[], Any]:
    import code

    return lambda: code.interact(local=names, exitmsg="")


_SHELLS: dict[str, Callable[[dict[str, Any]], Callable[[], Any] | None]] = {
    "IPython": _ipython,
    "bpython": _bpython,
    "python": _python,
}


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
