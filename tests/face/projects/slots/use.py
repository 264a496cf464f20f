"""What clients do with such an app."""

from __future__ import annotations

import os

from shop import Loader, app, broken, double

PATIENCE = float(os.environ["PATIENCE"])


def use():
    """Send, in all ways."""
    results = [
        double.delay(2),
        double.apply_async((3,), expires=3600, headers={"own": 1}),
        app.send_task("more"),
        app.send_task("found", retries=1),
        double.s(4).apply_async(),
    ]
    values = [result.get(timeout=PATIENCE) for result in results]
    failed = broken.delay()
    child = app.AsyncResult(app.send_task("outer").get(timeout=PATIENCE)).get(timeout=PATIENCE)
    return [values, type(failed.get(timeout=PATIENCE, propagate=False)).__name__, child, double.apply((5,)).get()]


def control():
    """Tell and ask workers."""
    app.control.revoke("nothing")
    app.control.terminate(["a", "b"], signal="SIGKILL")
    app.AsyncResult("nothing").revoke()
    app.control.rate_limit("double", "1000/s")
    app.control.shutdown(destination=["none@here"])
    return [len(app.control.ping(timeout=PATIENCE, limit=1)), len(app.control.inspect(timeout=PATIENCE, limit=1).ping())]


def settings():
    """Read settings by way of the loader."""
    from celery import Celery

    class Bringing(Loader):
        def read_configuration(self, *_):
            return {"task_default_queue": "brought", "worker_concurrency": 9}

    def made(loader=Loader, **given):
        return Celery("other", loader=loader, set_as_current=False, **given)

    found = []
    app = made(Bringing)
    found.append([app.conf.task_default_queue, app.conf.worker_concurrency])
    app = made(Bringing)
    app.config_from_object({"task_serializer": "yaml"})
    found.append([app.conf.task_default_queue, app.conf.task_serializer])
    app = made(Bringing)
    app.conf.update(worker_concurrency=5)
    found.append([app.conf.task_default_queue, app.conf.worker_concurrency])
    app = made(config_source="set_up")
    found.append(app.conf.task_default_queue)
    app = made()
    app.config_from_object("no_such_module", silent=True)
    found.append(app.conf.task_default_queue)
    app = made()
    app.autodiscover_tasks(lambda: ["found"], related_name="nothing", force=True)
    app.autodiscover_tasks(["found"], related_name=None)
    app.loader.import_default_modules()
    os.environ["CELERY_LOADER"] = "shop:Loader"
    found.append(type(Celery("environment", set_as_current=False).loader).__name__)
    return found
