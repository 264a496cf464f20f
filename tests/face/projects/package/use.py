from celery.result import AsyncResult
from proj.tasks import about, add, flaky, forgotten, lookup, missing, progress, sends


def failure(result):
    try:
        result.get(timeout=30)
    except Exception as error:
        return [type(error).__name__, str(error), result.state, bool(result.traceback)]
    return None


def use():
    plain = add.delay(2, 3)
    linked = add.apply_async((1, 1), link=add.s(5))
    result_of_result = sends.delay().get(timeout=30)
    return {
        "plain": [plain.get(timeout=30), plain.state, plain.successful(), AsyncResult(plain.id).get(timeout=30)],
        "signature": add.s(1).apply_async((5,)).get(timeout=30),
        "keywords": add.delay(x=1, y=2).get(timeout=30),
        "linked": [linked.get(timeout=30), [child.get(timeout=30) for child in linked.children]],
        "flaky": flaky.delay(2).get(timeout=30),
        "too flaky": failure(flaky.delay(9)),
        "auto": failure(lookup.delay()),
        "missing": failure(missing.delay()),
        "about": about.apply_async((), queue="celery").get(timeout=30),
        "forgotten": forgotten.delay().get(timeout=30),
        "result of result": [len(result_of_result), result_of_result[1], len(result_of_result[0])],
        "progress": progress.delay().get(timeout=30),
        "eager": add.apply((4, 4)).get(),
        "direct": add(1, 7),
        "countdown": add.apply_async((1, 1), countdown=0.1).get(timeout=30),
        "expired": failure(add.apply_async((1, 1), expires=-10)),
        "names": sorted(name for name in add.app.tasks if name.startswith("proj")),
    }


def send():
    add.delay(2, 3)
    add.apply_async((1,), {"y": 2}, task_id="fixed", headers={"mine": 1}, shadow="other", expires=3600)
    add.apply_async((1, 1), link=add.s(5), link_error=add.si(1, 2), time_limit=9, soft_time_limit=8, retries=1)
    add.s(4).apply_async((4,), queue="celery", ignore_result=True)
    add.app.send_task("elsewhere.task", ["x"], {"y": "z"}, countdown=None)
