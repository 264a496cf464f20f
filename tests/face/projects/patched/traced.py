"""`apply_async` patched from outside and overridden, headers that a receiver adds: how tools for tracing do it."""

import os

from celery import Celery, Task, signals

original = Task.apply_async


def apply_async(self, args=None, kwargs=None, **options):
    options["headers"] = {**(options.get("headers") or {}), "trace": "t-1"}
    return original(self, args, kwargs, **options)


Task.apply_async = apply_async


class Quiet(Task):
    def apply_async(self, args=None, kwargs=None, **options):
        options.setdefault("queue", "quiet")
        return super().apply_async(args, kwargs, **options)


app = Celery("traced", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])


@signals.before_task_publish.connect
def add_header(sender=None, headers=None, body=None, **kwargs):
    headers["published"] = [sender, len(body)]


@app.task(bind=True)
def shown(self):
    return [self.request.headers.get("trace"), getattr(self.request, "published", None), self.request.get("trace")]


@app.task(base=Quiet, bind=True)
def hushed(self):
    return self.request.delivery_info["routing_key"]
