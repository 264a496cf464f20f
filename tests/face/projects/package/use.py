import os

from celery.result import AsyncResult
from proj.tasks import about, add, flaky, forgotten, lookup, missing, progress, sends

PATIENCE = float(os.environ["PATIENCE"])


def failure(result):
    try:
        result.get(timeout=PATIENCE)
    except Exception as error:
        return [type(error).__name__, str(error), result.state, bool(result.traceback)]
    return None


def use():
    plain = add.delay(2, 3)
    linked = add.apply_async((1, 1), link=add.s(5))
    result_of_result = sends.delay().get(timeout=PATIENCE)
    return {
        "plain": [plain.get(timeout=PATIENCE), plain.state, plain.successful(), AsyncResult(plain.id).get(timeout=PATIENCE)],
        "signature": add.s(1).apply_async((5,)).get(timeout=PATIENCE),
        "keywords": add.delay(x=1, y=2).get(timeout=PATIENCE),
        "linked": [linked.get(timeout=PATIENCE), [child.get(timeout=PATIENCE) for child in linked.children]],
        "flaky": flaky.delay(2).get(timeout=PATIENCE),
        "too flaky": failure(flaky.delay(9)),
        "auto": failure(lookup.delay()),
        "missing": failure(missing.delay()),
        "about": about.apply_async((), queue="celery").get(timeout=PATIENCE),
        "forgotten": forgotten.delay().get(timeout=PATIENCE),
        "result of result": [len(result_of_result), result_of_result[1], len(result_of_result[0])],
        "progress": progress.delay().get(timeout=PATIENCE),
        "eager": add.apply((4, 4)).get(),
        "direct": add(1, 7),
        "countdown": add.apply_async((1, 1), countdown=0.1).get(timeout=PATIENCE),
        "expired": failure(add.apply_async((1, 1), expires=-10)),
        "names": sorted(name for name in add.app.tasks if name.startswith("proj")),
    }


def send():
    add.delay(2, 3)
    add.apply_async((1,), {"y": 2}, task_id="fixed", headers={"mine": 1}, shadow="other", expires=3600)
    add.apply_async((1, 1), link=add.s(5), link_error=add.si(1, 2), time_limit=9, soft_time_limit=8, retries=1)
    add.s(4).apply_async((4,), queue="celery", ignore_result=True)
    add.app.send_task("elsewhere.task", ["x"], {"y": "z"}, countdown=None)
