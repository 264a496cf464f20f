"""An app from a function, tasks from another module, settings from an object."""

import os

from celery import Celery


class Config:
    broker_url = os.environ["BROKER"]
    result_backend = os.environ["BACKEND"]
    task_routes = {"shop.orders.*": {"queue": "orders"}, "shop.mail": "mail"}
    task_default_queue = "default"
    task_serializer = "json"
    task_annotations = {"shop.mail": {"max_retries": 7}}
    result_extended = True


def create_app(**changes):
    app = Celery("shop", set_as_current=False)
    app.config_from_object(Config)
    app.conf.update(changes)

    @app.task(name="shop.orders.place")
    def place(order):
        return {"placed": order}

    @app.task(name="shop.mail", bind=True)
    def mail(self, to):
        return [to, self.max_retries, self.request.delivery_info["routing_key"]]

    @app.task(name="shop.other")
    def other():
        return "other"

    return app


celery = create_app(timezone="Europe/Berlin")
