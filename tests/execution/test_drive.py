"""Coroutines under limits."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from umbel.errors import SoftTimeLimitExceeded
from umbel.execution import drive
from umbel.testing.waiting import pace


def run(coroutine, *, soft=None, hard=None):
    return asyncio.run(drive.run(coroutine, soft=soft, hard=hard))


@pytest.mark.parametrize("hard", [None, 20])
def test_values_and_errors_come_through(hard):
    async def value(x):
        await asyncio.sleep(0)
        return x

    async def fail():
        await asyncio.sleep(0)
        raise ValueError("x")

    assert run(value(3), hard=hard) == 3
    with pytest.raises(ValueError, match="x"):
        run(fail(), hard=hard)


def test_what_is_waited_for_may_fail():
    async def wait():
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, KeyError("y"))
        try:
            await future
        except KeyError:
            return "caught"

    assert run(wait(), soft=20) == "caught"


@pytest.mark.parametrize("hard", [None, 20])
@pytest.mark.parametrize("kind", [SoftTimeLimitExceeded, Exception, asyncio.CancelledError])
def test_the_soft_limit_can_be_caught_as_what_it_is(kind, hard):
    async def slow():
        try:
            await asyncio.sleep(30)
        except kind:
            await asyncio.sleep(0)
            return "cleaned up"

    assert run(slow(), soft=0.01, hard=hard) == "cleaned up"


def test_the_soft_limit_strikes_once_and_only_inside():
    async def slow():
        try:
            await asyncio.sleep(30)
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0.03)
            return asyncio.current_task().cancelling()

    async def main():
        value = await drive.run(slow(), soft=0.01, hard=None)
        await asyncio.sleep(0.03)
        return value

    assert asyncio.run(main()) == 0


def test_task_groups_end_their_children_at_the_soft_limit():
    ended = []

    async def child():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append(1)
            raise

    async def slow():
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            group.create_task(child())

    with pytest.raises(SoftTimeLimitExceeded):
        run(slow(), soft=0.01)
    assert ended == [1, 1]


def test_a_timeout_of_the_task_s_own_still_works():
    async def slow():
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(30)
        except TimeoutError:
            return "own timeout"

    assert run(slow(), soft=20, hard=20) == "own timeout"


def test_a_cancellation_with_the_message_soft_is_the_soft_limit():
    async def slow():
        try:
            await asyncio.sleep(30)
        except SoftTimeLimitExceeded:
            return "soft"

    async def main(hard):
        task = asyncio.ensure_future(drive.run(slow(), soft=None, hard=hard))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel("soft")
        return await task, task.cancelling()

    assert asyncio.run(main(None)) == ("soft", 0)
    assert asyncio.run(main(20)) == ("soft", 0)


def test_past_the_hard_limit_it_is_cancelled():
    async def slow():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append(1)
            raise

    ended = []
    with pytest.raises(drive.Overrun):
        run(slow(), hard=0.01)
    assert ended == [1]


def test_what_swallows_its_cancellation_is_left_to_itself(monkeypatch):
    monkeypatch.setattr(drive, "GRACE", 0.02)

    async def stubborn():
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
        raise ValueError("nobody hears it")

    async def main():
        with pytest.raises(drive.Overrun):
            await drive.run(stubborn(), soft=None, hard=0.01)
        over.set()
        await asyncio.sleep(0.01)

    over = asyncio.Event()
    began = pace()
    asyncio.run(main())
    assert pace() - began < 10


@pytest.mark.parametrize("hard", [None, 20])
def test_other_cancellations_end_it_as_usual(hard):
    async def slow():
        await asyncio.sleep(30)

    async def main():
        task = asyncio.ensure_future(drive.run(slow(), soft=20, hard=hard))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_coroutine_nobody_waits_for_any_more_is_closed():
    closed = []

    async def slow():
        try:
            await asyncio.sleep(30)
        finally:
            closed.append(1)

    async def main():
        outer = drive.run(slow(), soft=None, hard=None)
        outer.send(None)
        outer.close()

    asyncio.run(main())
    assert closed == [1]
