from jobs import named, triple

QUEUES = ["jobs"]


def use():
    return {"triple": triple.delay(3).get(timeout=30), "named": named.delay().get(timeout=30), "name": triple.name}


def send():
    triple.delay(3)
    named.delay()
