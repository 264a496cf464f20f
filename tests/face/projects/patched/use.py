import os

from traced import hushed, shown

PATIENCE = float(os.environ["PATIENCE"])

QUEUES = ["celery", "quiet"]


def use():
    return {"shown": shown.delay().get(timeout=PATIENCE), "hushed": hushed.delay().get(timeout=PATIENCE)}


def send():
    shown.delay()
    hushed.delay()
    shown.apply_async(headers={"mine": 1})
