import json
import os

from notebook import FOLDER, Notebook, add, app, fail

PATIENCE = float(os.environ["PATIENCE"])


def use():
    result = add.delay(1, 2)
    value = result.get(timeout=PATIENCE)
    failed = fail.delay()
    try:
        failed.get(timeout=PATIENCE)
        error = None
    except ValueError as problem:
        error = str(problem)
    kept = json.loads((FOLDER / f"celery-task-meta-{result.id}").read_text())
    kept.pop("date_done")
    kept.pop("task_id")
    state = failed.state
    result.forget()
    return {
        "value": value,
        "error": error,
        "kept": kept,
        "state": state,
        "class": type(app.backend).__name__,
        "is": isinstance(app.backend, Notebook),
        "forgotten": not (FOLDER / f"celery-task-meta-{result.id}").exists(),
    }


def send():
    add.delay(1, 2)
