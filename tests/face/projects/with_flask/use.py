from web import celery_app, flask_app, greet, quiet


def use():
    reply = flask_app.test_client().post("/greet/you")
    return {
        "reply": reply.status_code,
        "greeting": celery_app.AsyncResult(reply.json["id"]).get(timeout=30),
        "quiet": quiet.delay().get(timeout=30),
        "class": type(celery_app.tasks[greet.name]).__mro__[-2].__name__ != "",
        "name": greet.name,
    }


def send():
    flask_app.test_client().post("/greet/you")
    quiet.delay()
