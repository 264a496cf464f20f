"""A serializer registered with kombu, and a type that kombu's JSON learns."""

import base64
import json
import os

from celery import Celery
from kombu.serialization import register
from kombu.utils.json import register_type


class Money:
    def __init__(self, cents):
        self.cents = cents


register_type(Money, "money", lambda money: money.cents, Money)
register(
    "reversed",
    lambda value: base64.b64encode(json.dumps(value).encode())[::-1],
    lambda data: json.loads(base64.b64decode((data.encode() if isinstance(data, str) else bytes(data))[::-1])),
    content_type="application/x-reversed",
    content_encoding="binary",
)

app = Celery("signed", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(task_serializer="reversed", accept_content=["json", "application/x-reversed"], result_serializer="json")


@app.task
def add(x, y):
    return x + y


@app.task(serializer="json")
def cents(money):
    return [type(money).__name__, money.cents]
