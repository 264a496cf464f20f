from traced import hushed, shown

QUEUES = ["celery", "quiet"]


def use():
    return {"shown": shown.delay().get(timeout=30), "hushed": hushed.delay().get(timeout=30)}


def send():
    shown.delay()
    hushed.delay()
    shown.apply_async(headers={"mine": 1})
