import os

from web import celery_app, flask_app, greet, quiet

PATIENCE = float(os.environ["PATIENCE"])


def use():
    reply = flask_app.test_client().post("/greet/you")
    return {
        "reply": reply.status_code,
        "greeting": celery_app.AsyncResult(reply.json["id"]).get(timeout=PATIENCE),
        "quiet": quiet.delay().get(timeout=PATIENCE),
        "class": type(celery_app.tasks[greet.name]).__mro__[-2].__name__ != "",
        "name": greet.name,
    }


def send():
    flask_app.test_client().post("/greet/you")
    quiet.delay()
