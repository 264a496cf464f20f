"""An app all of whose parts are of its own classes, which note each call of each of their methods, with its arguments."""

from __future__ import annotations

import json
import logging
import os
import threading

from celery import Celery, signals
from celery.app.amqp import AMQP
from celery.app.control import Control
from celery.app.log import Logging
from celery.loaders.app import AppLoader

HERE = os.getpid()
FILE = os.environ.get("NOTES", "notes.txt")


def shown(value):
    """What does not differ from one process to the next."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(key): shown(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [shown(each) for each in value]
    if isinstance(value, logging.Logger):
        return f"logger {value.name}"
    return getattr(value, "name", None) or getattr(value, "__name__", None) or type(value).__name__


def note(what, *args, **kwargs):
    """Append what was called, and where."""
    with open(FILE, "a") as file:
        file.write(json.dumps(["parent" if os.getpid() == HERE else "child", what, shown(args), shown(kwargs)]) + "\n")


def noting(base, label, names):
    """A class whose methods note that they are called, and do what those of `base` do."""

    def method(name):
        def called(self, *args, **kwargs):
            if label != "control" or threading.current_thread() is threading.main_thread():
                note(f"{label}.{name}", *args, **kwargs)
            return getattr(super(kind, self), name)(*args, **kwargs)

        return called

    kind = type(f"Own{base.__name__}", (base,), {name: method(name) for name in names.split()})
    return kind


Loader = noting(
    AppLoader,
    "loader",
    "on_task_init on_process_cleanup on_worker_init on_worker_shutdown on_worker_process_init import_task_module"
    " import_default_modules init_worker shutdown_worker init_worker_process config_from_object read_configuration"
    " autodiscover_tasks cmdline_config_parser",
)
Log = noting(
    Logging,
    "log",
    "setup redirect_stdouts setup_logging_subsystem _configure_logger setup_task_loggers redirect_stdouts_to_logger"
    " setup_handlers _detect_handler",
)
OwnControl = noting(Control, "control", "broadcast revoke ping terminate rate_limit shutdown")


class Amqp(noting(AMQP, "amqp", "as_task_v2")):
    """Marks each message."""

    def as_task_v2(self, *args, **kwargs):
        message = super().as_task_v2(*args, **kwargs)
        message.headers["marked"] = "by amqp"
        return message

    @property
    def send_task_message(self):
        note("amqp.send_task_message")
        return super().send_task_message

    @property
    def router(self):
        note("amqp.router")
        return super().router


def fix_up(app):
    """Called with the app."""
    note("fixup", app.main, app.finalized)
    return app.main


app = Celery(
    "shop",
    broker=os.environ["BROKER"],
    backend=os.environ["BACKEND"],
    loader=Loader,
    log=Log,
    control=OwnControl,
    amqp=Amqp,
    fixups=[fix_up, "shop:fix_up"],
    include=["more"],
)
app.autodiscover_tasks(["found"])
app.conf.beat_schedule = {"often": {"task": "double", "schedule": 0.3, "args": (2,)}}

for each in (
    *("celeryd_init", "celeryd_after_setup", "worker_init", "worker_process_init", "worker_ready", "worker_shutting_down"),
    *("worker_shutdown", "worker_process_shutdown", "import_modules", "after_setup_logger", "after_setup_task_logger"),
    *("task_prerun", "task_postrun", "beat_init"),
):
    getattr(signals, each).connect(lambda _name=each, **_: note(f"signal {_name}"), weak=False)


@app.task(name="double", bind=True)
def double(self, x):
    note("run", marked=self.request.get("marked"))
    return 2 * x


@app.task(name="broken")
def broken():
    raise ValueError("broken")


@app.task(name="outer")
def outer():
    return double.delay(1).id
