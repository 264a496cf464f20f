import os

from jobs import named, triple

PATIENCE = float(os.environ["PATIENCE"])

QUEUES = ["jobs"]


def use():
    return {"triple": triple.delay(3).get(timeout=PATIENCE), "named": named.delay().get(timeout=PATIENCE), "name": triple.name}


def send():
    triple.delay(3)
    named.delay()
