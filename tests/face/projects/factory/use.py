from shop import celery as app


def use():
    place = app.tasks["shop.orders.place"].delay({"id": 1})
    known = [place.get(timeout=30), place.name, list(place.args), place.kwargs, place.retries, place.queue]
    mail = app.send_task("shop.mail", kwargs={"to": "you"}).get(timeout=30)
    other = app.signature("shop.other").apply_async().get(timeout=30)
    return {"place": known, "mail": mail, "other": other, "zone": str(app.timezone), "queue": app.amqp.default_queue.name}


def send():
    app.tasks["shop.orders.place"].delay({"id": 1})
    app.send_task("shop.mail", kwargs={"to": "you"})
    app.tasks["shop.other"].apply_async(queue="mail")
    app.tasks["shop.other"].apply_async()
