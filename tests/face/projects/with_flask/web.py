"""Flask as its own documentation has it: tasks run inside the application's context."""

import os

from celery import Celery, Task, shared_task
from flask import Flask, current_app


def celery_init_app(app):
    class FlaskTask(Task):
        def __call__(self, *args, **kwargs):
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app


def create_app():
    app = Flask("web")
    app.config["GREETING"] = "hello"
    app.config["CELERY"] = {
        "broker_url": os.environ["BROKER"],
        "result_backend": os.environ["BACKEND"],
        "task_ignore_result": True,
    }
    celery_init_app(app)

    @app.post("/greet/<name>")
    def greet_later(name):
        return {"id": greet.delay(name).id}

    return app


@shared_task(ignore_result=False)
def greet(name):
    return f"{current_app.config['GREETING']} {name}"


@shared_task(ignore_result=True)
def quiet():
    return 1


flask_app = create_app()
celery_app = flask_app.extensions["celery"]
