"""`celery result`: waits for a task, and prints what it gave."""

from __future__ import annotations

from typing import Any

import click

from celery.bin.base import CeleryCommand, CeleryOption
from umbel.cli.failure import Failure
from umbel.cli.scope import backend_of


@click.command("result", cls=CeleryCommand)
@click.argument("task_id", metavar="ID")
@click.option("-t", "--task", cls=CeleryOption, metavar="NAME", help="Name of the task, if it has a result backend of its own.")
@click.option("--traceback", cls=CeleryOption, is_flag=True, help="Print the traceback instead.")
@click.pass_obj
def result(scope: Any, /, task_id: str, task: str | None, traceback: bool) -> None:
    """Print what the task with this ID has given, as soon as it has ended; a failure is told, and the exit code is 1."""
    app = scope.app
    backend_of(app)
    if task and task not in app.tasks:
        raise Failure(f"no task {task!r} in this app")
    found = (app.tasks[task] if task else app).AsyncResult(task_id)
    if traceback:
        click.echo(found.traceback)
        return
    value = found.get(propagate=False)
    if isinstance(value, BaseException):
        raise Failure(f"{found.state}: {type(value).__name__}: {value}")
    click.echo(value)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
