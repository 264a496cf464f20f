"""Celery and Task, subclassed as applications do."""

import os
import time
from pathlib import Path

from celery import Celery, Task
from celery.app.registry import TaskRegistry

NOTES = Path("notes.txt")


def note(*words):
    with NOTES.open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


class BaseTask(Task):
    abstract = True
    max_retries = 5
    acks_late = True
    autoretry_for = (TimeoutError,)
    retry_kwargs = {"max_retries": 1, "countdown": 0}

    def __call__(self, *args, **kwargs):
        note("call", self.name, kwargs.pop("extra", None))
        return super().__call__(*args, **kwargs)

    def before_start(self, task_id, args, kwargs):
        note("before", len(task_id), list(args))

    def on_success(self, retval, task_id, args, kwargs):
        note("success", retval)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        note("failure", repr(exc), "Traceback" in str(einfo), einfo.type.__name__)

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        note("retry", type(exc).__name__)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        note("return", status)


class Registry(TaskRegistry):
    def register(self, task):
        super().register(task)


class App(Celery):
    task_cls = "own:BaseTask"
    registry_cls = "own:Registry"

    def on_init(self):
        self.was_made = time.monotonic() > 0

    def gen_task_name(self, name, module):
        return f"own.{name}"

    def send_task(self, name, *args, **kwargs):
        kwargs.setdefault("headers", {})["sent_by"] = "App"
        return super().send_task(name, *args, **kwargs)


app = App("own")
app.conf.update(broker_url=os.environ["BROKER"], result_backend=os.environ["BACKEND"])


@app.task
def double(x):
    return 2 * x


@app.task
def fail():
    raise RuntimeError("as asked")


@app.task(bind=True)
def late(self):
    raise TimeoutError("again")


class Whole(BaseTask):
    name = "own.whole"

    def run(self, x):
        return [x, self.request.headers.get("sent_by") if self.request.headers else None]


app.register_task(Whole())
