import os

from main import celery, create_task, get_status, run_task, word

PATIENCE = float(os.environ["PATIENCE"])


def use():
    made = run_task(6, 7)
    value = celery.AsyncResult(made["task_id"]).get(timeout=PATIENCE)
    status = get_status(made["task_id"])
    return {"value": value, "status": status, "word": word.delay("x").get(timeout=PATIENCE), "unknown": get_status("nobody")}


def send():
    run_task(6, 7)
    word.delay("x")
    create_task.apply_async((1, 2), countdown=None)
