"""`celery amqp`: later."""

from __future__ import annotations

from celery.bin._later import later

amqp = later("amqp", "the tools of the RabbitMQ server (rabbitmqadmin)")


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
