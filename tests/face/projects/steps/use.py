import os

from shop import add, app, parcels

PATIENCE = float(os.environ["PATIENCE"])


def use():
    with app.producer_pool.acquire() as producer:
        for number in range(3):
            words = {"exchange": parcels.exchange, "routing_key": "parcels", "declare": [parcels]}
            producer.publish({"number": number}, serializer="json", **words)
    return add.delay(1, 2).get(timeout=PATIENCE)
