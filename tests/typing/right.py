"""What type checkers must accept, and what they must know: every `assert_type` here is checked by mypy and pyright."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, assert_type

from umbel import AsyncResult, Results, Signature, Task, Umbel, current_app, shared_task

app = Umbel("proj", broker="memory://", task_serializer="json")


@app.task
def add(x: int, y: int = 1) -> int:
    return x + y


@app.task()
def empty() -> None: ...


@app.task(name="bound", bind=True, max_retries=3, autoretry_for=(OSError,))
def bound(self: Task, path: str) -> bytes:
    if not path:
        raise self.retry(countdown=5)
    assert_type(self.request.retries, int)
    return path.encode()


@app.task(bind=False, queue="mail")
def unbound(path: str) -> str:
    return path


@app.task
async def later(x: int) -> str:
    return str(x)


@app.task(bind=True)
async def bound_later(self: Any, x: int) -> str:
    return str(x)


@shared_task
def shared(x: float) -> float:
    return x


@shared_task(bind=True)
def shared_bound(self: Any, x: float) -> list[float]:
    return [x]


class Base(Task):
    acks_late = False
    max_retries = None

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        self.update_state(state="DONE", meta={})


class Typed(Task[[int], str]):
    name = "typed"

    def run(self, x: int) -> str:
        return str(x)


@app.task(base=Base)
def based(x: int) -> int:
    return x


assert_type(add(1, 2), int)
assert_type(add.delay(1, y=2), AsyncResult[int])
assert_type(add.delay(1).get(), int)
assert_type(add.apply_async((1, 2), countdown=3).get(timeout=1), int)
assert_type(empty.delay().get(), None)
assert_type(bound.delay("x").get(), bytes)
assert_type(unbound.delay(path="x").get(), str)
assert_type(later.delay(1), AsyncResult[str])
assert_type(bound_later.delay(x=1).get(), str)
assert_type(shared.delay(1.0).get(), float)
assert_type(shared_bound.delay(1.0).get(), list[float])
assert_type(based.delay(1).get(), int)
assert_type(Typed().delay(3).get(), str)
assert_type(add.delay_many([(1, 2), {"x": 1}]), Results[int])
assert_type(add.delay_many([(1, 2)]).get(timeout=1), list[int])
assert_type(add.s(1), Signature[int])
assert_type(add.s(1).delay(2).get(), int)
assert_type(add.apply((1, 2)).get(), int)
assert_type(app.send_task("x"), AsyncResult[Any])
assert_type(app.AsyncResult("id"), AsyncResult[Any])
assert_type(current_app.main, str | None)


async def main() -> None:
    assert_type(await add.adelay(1, 2), AsyncResult[int])
    assert_type(await add.delay(1, 2), int)
    assert_type(await (await later.adelay(1)).aget(timeout=1), str)
    waiting: Awaitable[int] = add.delay(1)
    await waiting


with app.batch() as batch:
    add.delay(1, 2)
assert_type(len(batch), int)


# -- periodic work ------------------------------------------------------------------------------------------------------
@app.periodic(30.0, name="often", expires=20)
@app.task
def checked(place: str) -> int:
    return len(place)


@app.periodic("0 4 * * *", args=("paris",))
def nightly(place: str) -> bytes:
    return place.encode()


assert_type(checked.delay("paris"), AsyncResult[int])
assert_type(nightly("paris"), bytes)
assert_type(app.add_periodic_task(10, checked.s("oslo"), name="oslo"), str)
assert_type(app.schedule.run_now("often"), AsyncResult[Any])
assert_type(app.schedule.upcoming("often"), list[float])
