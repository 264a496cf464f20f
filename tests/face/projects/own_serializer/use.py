from signed import Money, add, cents


def use():
    return {"add": add.delay(1, 2).get(timeout=30), "cents": cents.delay(Money(5)).get(timeout=30)}


def send():
    add.delay(1, 2)
    cents.delay(Money(5))
