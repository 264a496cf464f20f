"""`umbel shell`: a Python shell that knows the app and its tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

import umbel
from umbel.cli.command import command, option
from umbel.cli.failure import Failure
from umbel.cli.scope import Scope

CANVAS = ("chain", "group", "chord", "chunks", "signature", "AsyncResult")


@command("shell")
@option("-I", "--ipython", is_flag=True, help="In IPython.")
@option("-B", "--bpython", is_flag=True, help="In bpython.")
@option("--python", is_flag=True, help="In Python's own.")
@option("-T", "--without-tasks", is_flag=True, help="Leave the tasks away.")
@click.pass_obj
def shell(scope: Scope, /, ipython: bool, bpython: bool, python: bool, without_tasks: bool) -> None:
    """Open a Python shell with the app (`app`), its tasks by their names, and `group`, `chain` and the like.

    It is IPython or bpython if one of them is installed, unless you say which.
    """
    app = scope.app
    space: dict[str, Any] = {"app": app, **{name: getattr(umbel, name) for name in CANVAS if hasattr(umbel, name)}}
    if not without_tasks:
        space |= {name.rpartition(".")[2]: task for name, task in app.tasks.items() if not name.startswith("celery.")}
    run(space, [kind for kind, wanted in (("IPython", ipython), ("bpython", bpython), ("python", python)) if wanted])


def run(space: dict[str, Any], wanted: list[str]) -> None:
    """Open the first of these shells, or the best that is there."""
    for kind in wanted or ("IPython", "bpython", "python"):
        start = _SHELLS[kind](space)
        if start is not None:
            start()
            return
        if wanted:
            raise Failure(f"{kind} is not installed here; pip install {kind.lower()}, or use --python")


def _ipython(space: dict[str, Any]) -> Callable[[], Any] | None:
    try:
        from IPython import start_ipython  # type: ignore[import-not-found, unused-ignore]  # whoever wants it has it
    except ImportError:
        return None
    return lambda: start_ipython(argv=[], user_ns=space)


def _bpython(space: dict[str, Any]) -> Callable[[], Any] | None:
    try:
        import bpython  # type: ignore[import-not-found, unused-ignore]  # as above
    except ImportError:
        return None
    return lambda: bpython.embed(space)


def _python(space: dict[str, Any]) -> Callable[[], Any]:
    import code

    return lambda: code.interact(local=space, exitmsg="")


_SHELLS: dict[str, Callable[[dict[str, Any]], Callable[[], Any] | None]] = {
    "IPython": _ipython,
    "bpython": _bpython,
    "python": _python,
}
