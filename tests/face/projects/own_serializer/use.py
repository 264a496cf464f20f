import os

from signed import Money, add, cents

PATIENCE = float(os.environ["PATIENCE"])


def use():
    return {"add": add.delay(1, 2).get(timeout=PATIENCE), "cents": cents.delay(Money(5)).get(timeout=PATIENCE)}


def send():
    add.delay(1, 2)
    cents.delay(Money(5))
