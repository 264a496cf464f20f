import os
import time

from celery import Celery, Task
from own import NOTES, App, BaseTask, app, double, fail, late

PATIENCE = float(os.environ["PATIENCE"])


def failure(result):
    try:
        return result.get(timeout=PATIENCE)
    except Exception as error:
        return [type(error).__name__, str(error)]


def notes():
    """What was noted, once all five runs have come to their end: a result is there a little before."""
    end = time.monotonic() + PATIENCE
    while NOTES.read_text().count("return ") < 5 and time.monotonic() < end:
        time.sleep(0.01)
    return sorted(NOTES.read_text().splitlines())


def use():
    return {
        "double": double.delay(4).get(timeout=PATIENCE),
        "popped": double.delay(x=4).get(timeout=PATIENCE),
        "fail": failure(fail.delay()),
        "late": failure(late.delay()),
        "whole": app.send_task("own.whole", (1,)).get(timeout=PATIENCE),
        "classes": [isinstance(double, BaseTask), isinstance(double, Task), isinstance(app, Celery), type(app) is App],
        "attributes": [double.max_retries, double.acks_late, app.was_made, double.name],
        "notes": notes(),
    }


def send():
    double.delay(4)
    app.send_task("own.whole", (1,))
