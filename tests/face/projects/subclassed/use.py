from celery import Celery, Task
from own import NOTES, App, BaseTask, app, double, fail, late


def failure(result):
    try:
        return result.get(timeout=30)
    except Exception as error:
        return [type(error).__name__, str(error)]


def use():
    return {
        "double": double.delay(4).get(timeout=30),
        "popped": double.delay(x=4).get(timeout=30),
        "fail": failure(fail.delay()),
        "late": failure(late.delay()),
        "whole": app.send_task("own.whole", (1,)).get(timeout=30),
        "classes": [isinstance(double, BaseTask), isinstance(double, Task), isinstance(app, Celery), type(app) is App],
        "attributes": [double.max_retries, double.acks_late, app.was_made, double.name],
        "notes": sorted(NOTES.read_text().splitlines()),
    }


def send():
    double.delay(4)
    app.send_task("own.whole", (1,))
