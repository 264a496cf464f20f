import os

from shop import celery as app

PATIENCE = float(os.environ["PATIENCE"])


def use():
    place = app.tasks["shop.orders.place"].delay({"id": 1})
    known = [place.get(timeout=PATIENCE), place.name, list(place.args), place.kwargs, place.retries, place.queue]
    mail = app.send_task("shop.mail", kwargs={"to": "you"}).get(timeout=PATIENCE)
    other = app.signature("shop.other").apply_async().get(timeout=PATIENCE)
    return {"place": known, "mail": mail, "other": other, "zone": str(app.timezone), "queue": app.amqp.default_queue.name}


def send():
    app.tasks["shop.orders.place"].delay({"id": 1})
    app.send_task("shop.mail", kwargs={"to": "you"})
    app.tasks["shop.other"].apply_async(queue="mail")
    app.tasks["shop.other"].apply_async()
