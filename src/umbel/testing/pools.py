"""What every pool must keep, as tests to inherit: give `make`, and say in class attributes what your pool is.

class TestProcesses(PoolContract):
    processes = True

    def make(self, runner, slots, **options):
        return ProcessPool(runner, slots=slots, **options)
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from umbel import clock
from umbel.errors import SoftTimeLimitExceeded
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.pools.pool import Pool, Stop
from umbel.testing.waiting import NEVER, pace, patience
from umbel.wire.envelope import Envelope

_numbers = itertools.count(1)


def job(task: str, *args: object, **options: Any) -> Job:
    """A job for `Acts`, with a number of its own; tasks whose name begins with `async_` are async."""
    envelope = Envelope(id="", queue="q", headers=b"{}", body=msgspec.json.encode(args))
    made = Job(next(_numbers), task, envelope, is_async=task.startswith("async_"))
    return msgspec.structs.replace(made, **options)


def jobs(count: int, task: str, *args: object, **options: Any) -> list[Job]:
    """That many of the same."""
    return [job(task, *args, **options) for _ in range(count)]


class Acts:
    """A runner that does what the task's name says; the text of the outcome is what the act gave."""

    def __init__(self, *, enter: Callable[[], None] = lambda: None, leave: Callable[[], None] = lambda: None):
        self.enter = enter
        self.leave = leave
        self._hoard: list[bytearray] = []

    def run(self, job: Job) -> Outcome:
        try:
            given = getattr(self, f"do_{job.task}")(*msgspec.json.decode(job.envelope.body))
        except SoftTimeLimitExceeded:
            return Outcome(job.number, Kind.FAILURE, text="SoftTimeLimitExceeded")
        return Outcome(job.number, Kind.SUCCESS, text=str(given))

    async def run_async(self, job: Job) -> Outcome:
        act = getattr(self, f"do_{job.task}")(*msgspec.json.decode(job.envelope.body))
        try:
            async with asyncio.timeout(job.hard):
                given = await act
        except asyncio.CancelledError as error:
            if error.args == (Stop.SOFT,):
                return Outcome(job.number, Kind.FAILURE, text="SoftTimeLimitExceeded")
            raise
        except TimeoutError:
            return Outcome(job.number, Kind.TIMEOUT)
        return Outcome(job.number, Kind.SUCCESS, text=str(given))

    def do_noop(self) -> None: ...

    def do_pid(self) -> int:
        return os.getpid()

    def do_sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def do_wait(self, path: str) -> int:
        """Until somebody makes that file."""
        while not os.path.exists(path):
            time.sleep(0.002)
        return os.getpid()

    def do_mark(self, path: str, seconds: float = 0.0) -> None:
        """Leaves a byte in that file, so that runs can be counted."""
        with open(path, "ab", buffering=0) as file:
            file.write(b".")
        time.sleep(seconds)

    def do_length(self, text: str) -> int:
        return len(text)

    def do_repeat(self, count: int) -> str:
        return "x" * count

    def do_kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(os.getpid(), number)

    def do_exit(self, code: int) -> None:
        os._exit(code)

    def do_quit(self, code: int) -> None:
        raise SystemExit(code)

    def do_hoard(self, mebibytes: int) -> int:
        self._hoard.append(bytearray(os.urandom(1024)) * 1024 * mebibytes)
        return os.getpid()

    async def do_async_noop(self) -> None: ...

    async def do_async_pid(self) -> int:
        return os.getpid()

    async def do_async_sleep(self, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return os.getpid()

    async def do_async_wait(self, path: str) -> int:
        while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240 - the file is made by another process
            await asyncio.sleep(0.002)
        return os.getpid()

    async def do_async_stubborn(self, path: str) -> None:
        """The same, and does not listen to cancellation."""
        while True:
            try:
                await self.do_async_wait(path)
            except asyncio.CancelledError:
                continue
            return

    async def do_async_block(self, seconds: float) -> None:
        """Holds up its loop, as a task must not do."""
        time.sleep(seconds)  # noqa: ASYNC251 - that is the point

    async def do_async_kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Trial:
    """A started pool and all that it has told so far."""

    def __init__(self, pool: Pool):
        self.pool = pool
        self.outcomes: dict[int, Outcome] = {}
        self.order: list[int] = []
        self.begun: dict[int, Begun] = {}

    async def read(self) -> None:
        """Take in the next news; one job with two outcomes is an error."""
        for news in await self.pool.news():
            if isinstance(news, Begun):
                assert news.number not in self.outcomes, "told as begun after its end"
                self.begun[news.number] = news
            else:
                assert news.number not in self.outcomes, f"two outcomes: {self.outcomes[news.number]} and {news}"
                self.outcomes[news.number] = news
                self.order.append(news.number)

    async def until(self, fact: Callable[[], object]) -> None:
        """Read until `fact` is true."""
        async with asyncio.timeout(patience()):
            while not fact():
                reading = asyncio.ensure_future(self.read())
                await asyncio.wait([reading], timeout=0.02)  # facts may also come true without news
                if not reading.done():
                    reading.cancel()
                await asyncio.gather(reading, return_exceptions=not reading.done())

    async def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Submit and wait for the outcomes, in the order of the jobs; what is returned is submitted again."""
        self.pool.submit(jobs)
        return await self.end_of(jobs)

    async def occupied(self, gate: Path, marks: Path) -> tuple[list[Job], Job]:
        """Jobs that run in all slots until there is a gate, and one behind them, which leaves a mark when it runs."""
        running, waiting = jobs(self.pool.slots, "wait", str(gate), tell=True), job("mark", str(marks))
        self.pool.submit(running)
        await self.until(lambda: all(each.number in self.begun for each in running))
        self.pool.submit([waiting])
        return running, waiting

    async def end_of(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The final outcomes of submitted jobs."""
        await self.until(lambda: self._again(jobs) and all(job.number in self.outcomes for job in jobs))
        return [self.outcomes[job.number] for job in jobs]

    def _again(self, jobs: Sequence[Job]) -> bool:
        back = [job for job in jobs if job.number in self.outcomes and self.outcomes[job.number].kind is Kind.RETURNED]
        for each in back:
            del self.outcomes[each.number]
        self.pool.submit(back)
        return not back


def trial(slots: int = 2, **options: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Make an async test of a started pool (a `Trial`) an ordinary one."""

    def wrap(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        def run(self: PoolContract, tmp_path: Path) -> None:
            asyncio.run(self.try_out(lambda it: test(self, it, tmp_path), slots, **options))

        run.__doc__ = test.__doc__
        return run

    return wrap


class PoolContract:
    """The promises of `Pool`."""

    processes = False
    """True if jobs run in child processes."""
    async_at_once = 1_000
    """How many async jobs run at once in a pool of two slots."""
    one_at_a_time = False
    """True if the pool has one slot and no second."""

    def make(self, runner: Acts, slots: int, **options: Any) -> Pool:
        """A new pool that is not started."""
        raise TypeError(f"{type(self).__name__} must give `make`")

    async def try_out(self, test: Callable[[Trial], Awaitable[None]], slots: int = 2, **options: Any) -> None:
        """Run `test` with a started pool, and stop it."""
        pool = self.make(options.pop("runner", None) or Acts(), 1 if self.one_at_a_time else slots, **options)
        await pool.start()
        try:
            async with asyncio.timeout(patience(3)):
                await test(Trial(pool))
        finally:
            await pool.stop(at_once=True)

    # -- one outcome for each job --------------------------------------------------------------------------------------

    @trial()
    async def test_each_job_yields_its_outcome(self, it: Trial, tmp_path: Path) -> None:
        batch = [job("length", "x" * length) for length in range(100)]
        outcomes = await it.run(batch)
        assert [outcome.text for outcome in outcomes] == [str(length) for length in range(100)]

    @trial()
    async def test_async_jobs_yield_their_outcomes(self, it: Trial, tmp_path: Path) -> None:
        outcomes = await it.run(jobs(50, "async_noop"))
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}

    @trial()
    async def test_sync_and_async_jobs_may_be_mixed(self, it: Trial, tmp_path: Path) -> None:
        mixed = [job("async_noop" if number % 3 else "noop") for number in range(300)]
        assert {outcome.kind for outcome in await it.run(mixed)} == {Kind.SUCCESS}

    @trial()
    async def test_large_bodies_and_large_outcomes_travel(self, it: Trial, tmp_path: Path) -> None:
        size = 5_000_000
        long, short = await it.run([job("length", "x" * size), job("repeat", size)])
        assert (long.text, len(short.text)) == (str(size), size)

    @trial()
    async def test_many_large_bodies_do_not_block_the_loop(self, it: Trial, tmp_path: Path) -> None:
        outcomes = await it.run(jobs(60, "length", "x" * 500_000))
        assert {outcome.text for outcome in outcomes} == {"500000"}

    @trial()
    async def test_ten_thousand_jobs_run_once_each(self, it: Trial, tmp_path: Path) -> None:
        file = tmp_path / "marks"
        outcomes = await it.run(jobs(10_000, "noop") + jobs(1_000, "mark", str(file)))
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}
        assert file.stat().st_size == 1_000

    # -- news and room -------------------------------------------------------------------------------------------------

    @trial()
    async def test_a_job_that_asks_is_told_when_it_begins(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        waiting = job("wait", str(gate), tell=True)
        before = time.time()
        it.pool.submit([waiting])
        await it.until(lambda: waiting.number in it.begun)
        begun = it.begun[waiting.number]
        assert before - 0.1 <= begun.when <= time.time() + 0.1
        assert begun.pid in it.pool.pids()
        gate.touch()
        assert (await it.end_of([waiting]))[0].text == str(begun.pid)

    @trial()
    async def test_an_async_job_that_asks_is_told_when_it_begins(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        waiting = job("async_wait", str(gate), tell=True)
        it.pool.submit([waiting])
        await it.until(lambda: waiting.number in it.begun)
        gate.touch()
        assert (await it.end_of([waiting]))[0].text == str(it.begun[waiting.number].pid)

    @trial()
    async def test_a_finished_outcome_does_not_wait_for_a_long_job(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        await it.run(jobs(300, "noop"))
        quick, slow = jobs(50, "noop"), jobs(2, "wait", str(gate))
        it.pool.submit([*quick[:25], *slow, *quick[25:]])
        await it.until(lambda: all(each.number in it.outcomes for each in quick[:25]))
        assert not any(each.number in it.outcomes for each in slow)
        gate.touch()
        await it.end_of([*quick, *slow])

    @trial()
    async def test_an_idle_pool_has_room(self, it: Trial, tmp_path: Path) -> None:
        async with asyncio.timeout(patience()):
            assert await it.pool.room() >= it.pool.slots

    @trial()
    async def test_a_busy_pool_has_no_room_until_a_job_ends(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        waiting = jobs(it.pool.slots, "wait", str(gate))
        it.pool.submit(waiting)
        room = asyncio.ensure_future(it.pool.room())
        await asyncio.wait([room], timeout=0.1)
        assert not room.done()
        gate.touch()
        await it.end_of(waiting)
        assert await asyncio.wait_for(room, patience()) >= 1

    @trial()
    async def test_room_grows_when_jobs_turn_out_to_be_short(self, it: Trial, tmp_path: Path) -> None:
        before, until = await it.pool.room(), clock.monotonic() + patience()
        await it.run(jobs(2_000, "noop"))
        while await it.pool.room() <= 5 * before:  # the machine had better things to do: they were long for once
            assert clock.monotonic() < until
            await it.run(jobs(200, "noop"))

    @trial()
    async def test_async_jobs_get_in_while_long_sync_jobs_fill_their_places(self, it: Trial, tmp_path: Path) -> None:
        if self.one_at_a_time:
            return
        gate = tmp_path / "gate"
        await it.run([job("async_noop")])
        waiting = jobs(it.pool.slots, "wait", str(gate))
        it.pool.submit(waiting)
        async with asyncio.timeout(patience()):
            assert await it.pool.room() >= 1
        assert (await it.run([job("async_noop")]))[0].kind is Kind.SUCCESS
        gate.touch()
        await it.end_of(waiting)

    # -- fairness ------------------------------------------------------------------------------------------------------

    @trial()
    async def test_a_thousand_short_jobs_do_not_wait_for_a_long_one(self, it: Trial, tmp_path: Path) -> None:
        if self.one_at_a_time:
            return
        gate = tmp_path / "gate"
        long, short = job("wait", str(gate)), jobs(1_000, "sleep", 0.001)
        it.pool.submit([long, *short])
        await it.end_of(short)
        assert long.number not in it.outcomes
        gate.touch()
        await it.end_of([long])

    @trial()
    async def test_short_jobs_queued_behind_a_long_one_are_taken_back(self, it: Trial, tmp_path: Path) -> None:
        """All look short, so that they are handed out in large batches; then one of them turns out to be long."""
        if self.one_at_a_time:
            return
        gate = tmp_path / "gate"
        gate.touch()
        await it.run(jobs(2_000, "wait", str(gate)))
        gate.unlink()
        other = tmp_path / "other"
        other.touch()
        batch = jobs(1_000, "wait", str(other))
        long = job("wait", str(gate))
        batch.insert(1, long)
        it.pool.submit(batch)
        await it.end_of([each for each in batch if each is not long])
        assert long.number not in it.outcomes
        gate.touch()
        await it.end_of([long])

    @trial(slots=2)
    async def test_a_thousand_async_sleeps_run_at_once(self, it: Trial, tmp_path: Path) -> None:
        count = self.async_at_once
        await it.run([job("async_noop")])
        start = pace()
        outcomes = await it.run(jobs(count, "async_sleep", 1.0))
        assert pace() - start < 2.0
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}

    # -- taking back, cancelling ---------------------------------------------------------------------------------------

    @trial()
    async def test_take_back_returns_what_has_not_begun(self, it: Trial, tmp_path: Path) -> None:
        gate, marks = tmp_path / "gate", tmp_path / "marks"
        running = jobs(it.pool.slots, "wait", str(gate), tell=True)
        it.pool.submit(running)
        await it.until(lambda: all(each.number in it.begun for each in running))
        others = jobs(100, "mark", str(marks))
        it.pool.submit(others)
        it.pool.take_back()
        await it.until(lambda: all(each.number in it.outcomes for each in others))
        assert {it.outcomes[each.number].kind for each in others} == {Kind.RETURNED}
        gate.touch()
        assert {outcome.kind for outcome in await it.end_of(running)} == {Kind.SUCCESS}
        assert not marks.exists()

    @trial()
    async def test_take_back_in_the_middle_runs_or_returns_each_job(self, it: Trial, tmp_path: Path) -> None:
        marks = tmp_path / "marks"
        marks.touch()
        batch = jobs(2_000, "mark", str(marks))
        for start in range(0, len(batch), 100):
            it.pool.submit(batch[start : start + 100])
            await it.read()
            it.pool.take_back()
        await it.until(lambda: all(each.number in it.outcomes for each in batch))
        kinds = [it.outcomes[each.number].kind for each in batch]
        assert set(kinds) <= {Kind.SUCCESS, Kind.RETURNED}
        assert marks.stat().st_size == kinds.count(Kind.SUCCESS)

    @trial()
    async def test_what_was_taken_back_may_be_submitted_again(self, it: Trial, tmp_path: Path) -> None:
        marks = tmp_path / "marks"
        batch = jobs(500, "mark", str(marks))
        it.pool.submit(batch)
        it.pool.take_back()
        assert {outcome.kind for outcome in await it.end_of(batch)} == {Kind.SUCCESS}
        assert marks.stat().st_size == 500

    @trial()
    async def test_cancelling_a_job_that_has_not_begun_ends_it(self, it: Trial, tmp_path: Path) -> None:
        gate, marks = tmp_path / "gate", tmp_path / "marks"
        running, waiting = await it.occupied(gate, marks)
        assert it.pool.cancel(waiting.number, Stop.SOFT)
        await it.until(lambda: waiting.number in it.outcomes)
        assert it.outcomes[waiting.number].kind is Kind.TERMINATED
        gate.touch()
        assert {outcome.kind for outcome in await it.end_of(running)} == {Kind.SUCCESS}
        assert not marks.exists()

    @trial()
    async def test_a_job_can_be_cancelled_unless_it_has_begun(self, it: Trial, tmp_path: Path) -> None:
        gate, marks = tmp_path / "gate", tmp_path / "marks"
        running, waiting = await it.occupied(gate, marks)
        assert it.pool.cancel(waiting.number, Stop.UNLESS_BEGUN)
        if it.pool.slots > 1:
            running += [native := job("async_sleep", 0.2, tell=True)]
            it.pool.submit([native])
            await it.until(lambda: native.number in it.begun)
        assert not any(it.pool.cancel(each.number, Stop.UNLESS_BEGUN) for each in running)
        gate.touch()
        assert {outcome.kind for outcome in await it.end_of(running)} == {Kind.SUCCESS}
        assert it.outcomes[waiting.number].kind is Kind.TERMINATED
        assert not marks.exists()

    @trial()
    async def test_a_cancellation_that_comes_too_late_ends_no_other_job(self, it: Trial, tmp_path: Path) -> None:
        if not it.pool.abilities.hard_sync:
            return
        await it.run(jobs(50, "sleep", 0.003))  # now it is known to be short: a child gets several at once
        batch = jobs(60, "sleep", 0.003)
        it.pool.submit(batch)
        late = batch[:: 2 * it.pool.slots]
        for each in late:
            time.sleep(0.007)  # noqa: ASYNC251 - so that what has ended meanwhile is not known yet
            it.pool.cancel(each.number, Stop.HARD)
        await it.end_of(batch)
        assert {it.outcomes[each.number].kind for each in batch if each not in late} == {Kind.SUCCESS}

    @trial()
    async def test_cancelling_one_of_many_lets_the_others_run(self, it: Trial, tmp_path: Path) -> None:
        batch = jobs(300, "sleep", 0.001)
        it.pool.submit(batch)
        cancelled = batch[::3]
        for each in cancelled:
            it.pool.cancel(each.number, Stop.HARD if self.processes and each is batch[-1] else Stop.SOFT)
        await it.end_of(batch)
        kept = [it.outcomes[each.number].kind for each in batch if each not in cancelled]
        assert set(kept) == {Kind.SUCCESS}

    @trial()
    async def test_an_unknown_or_finished_job_cannot_be_cancelled(self, it: Trial, tmp_path: Path) -> None:
        done = job("noop")
        await it.run([done])
        assert not it.pool.cancel(done.number, Stop.SOFT)
        assert not it.pool.cancel(-5, Stop.HARD)

    @trial()
    async def test_soft_cancel_raises_inside_a_sync_job_or_is_refused(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        running, other = job("wait", str(gate), tell=True), job("wait", str(gate))
        it.pool.submit([running, other])
        await it.until(lambda: running.number in it.begun)
        asked = it.pool.cancel(running.number, Stop.SOFT)
        assert asked == it.pool.abilities.soft_sync
        if asked:
            await it.until(lambda: running.number in it.outcomes)
            # The beginning is told just before the task is entered, where the cancellation may already come.
            assert it.outcomes[running.number].text in {"SoftTimeLimitExceeded", "SoftTimeLimitExceeded()"}
        gate.touch()
        assert (await it.end_of([other]))[0].kind is Kind.SUCCESS
        await it.end_of([running])

    @trial()
    async def test_hard_cancel_ends_a_sync_job_or_is_refused(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        running, other = job("wait", str(gate), tell=True), job("wait", str(gate))
        it.pool.submit([running, other])
        await it.until(lambda: running.number in it.begun)
        asked = it.pool.cancel(running.number, Stop.HARD)
        assert asked == it.pool.abilities.hard_sync
        if asked:
            await it.until(lambda: running.number in it.outcomes)
            assert it.outcomes[running.number].kind is Kind.TERMINATED
        gate.touch()
        assert (await it.end_of([other]))[0].kind is Kind.SUCCESS
        await it.end_of([running])

    @trial()
    async def test_cancel_ends_an_async_job_softly_or_hard(self, it: Trial, tmp_path: Path) -> None:
        for how, kind in ((Stop.SOFT, Kind.FAILURE), (Stop.HARD, Kind.TERMINATED)):
            running = job("async_sleep", NEVER, tell=True)
            it.pool.submit([running])
            await it.until(lambda running=running: running.number in it.begun)  # type: ignore[misc]  # bound in the loop
            assert it.pool.cancel(running.number, how)
            assert (await it.end_of([running]))[0].kind is kind

    @trial()
    async def test_an_async_job_that_swallows_its_cancellation_is_left_to_itself(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        running = job("async_stubborn", str(gate), tell=True)
        it.pool.submit([running])
        await it.until(lambda: running.number in it.begun)
        assert it.pool.cancel(running.number, Stop.HARD)
        assert (await it.end_of([running]))[0].kind is Kind.TERMINATED
        assert (await it.run([job("async_noop")]))[0].kind is Kind.SUCCESS
        gate.touch()

    # -- what runs -----------------------------------------------------------------------------------------------------

    @trial()
    async def test_it_says_what_runs_and_since_when_and_not_what_waits(self, it: Trial, tmp_path: Path) -> None:
        assert it.pool.running() == []
        before, gate = clock.now(), tmp_path / "gate"
        sync = jobs(it.pool.slots, "wait", str(gate))
        together = [] if self.one_at_a_time else jobs(2, "async_wait", str(gate))
        it.pool.submit([*jobs(20, "noop"), *sync, *together])
        wanted = {each.number for each in (*sync, *together)}
        await it.until(lambda: {each.number for each in it.pool.running()} == wanted)
        it.pool.submit(jobs(5, "noop"))
        running = it.pool.running()
        assert {each.number for each in running} == wanted
        assert {each.pid for each in running} <= set(it.pool.pids())
        assert all(before - 1 < each.when < clock.now() + 1 for each in running)
        assert [each.when for each in it.pool.running()] == pytest.approx([each.when for each in running], abs=0.01)
        gate.touch()
        await it.end_of([*sync, *together])
        await it.until(lambda: it.pool.running() == [])

    @trial()
    async def test_a_lone_async_job_is_said_to_run(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        running = job("async_wait", str(gate))
        it.pool.submit([running])
        await it.until(lambda: [each.number for each in it.pool.running()] == [running.number])
        gate.touch()
        await it.end_of([running])

    # -- resizing, stopping --------------------------------------------------------------------------------------------

    @trial()
    async def test_resizing_loses_nothing(self, it: Trial, tmp_path: Path) -> None:
        marks = tmp_path / "marks"
        batch = jobs(600, "mark", str(marks), 0.001)
        it.pool.submit(batch)
        for slots in (1,) if self.one_at_a_time else (4, 1, 3):
            await it.pool.resize(slots)
            await it.read()
            assert it.pool.slots == slots
        assert {outcome.kind for outcome in await it.end_of(batch)} == {Kind.SUCCESS}
        assert marks.stat().st_size == 600

    @trial()
    async def test_a_grown_pool_runs_more_at_once(self, it: Trial, tmp_path: Path) -> None:
        if self.one_at_a_time:
            return
        gate = tmp_path / "gate"
        await it.pool.resize(4)
        waiting = jobs(4, "wait", str(gate), tell=True)
        it.pool.submit(waiting)
        await it.until(lambda: len(it.begun) == 4)
        gate.touch()
        await it.end_of(waiting)

    @trial()
    async def test_shrinking_and_renewing_leave_what_runs_alone(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        running = jobs(it.pool.slots, "wait", str(gate), tell=True)
        it.pool.submit(running)
        await it.until(lambda: len(it.begun) == len(running))
        before = set(it.pool.pids())
        if self.processes:
            await it.pool.renew()
        else:
            with pytest.raises(ValueError, match="no processes of its own"):
                await it.pool.renew()
        if not self.one_at_a_time:
            await it.pool.resize(1)
        gate.touch()
        assert {outcome.kind for outcome in await it.end_of(running)} == {Kind.SUCCESS}
        if self.processes:
            await it.until(lambda: before.isdisjoint(it.pool.pids()) and len(it.pool.pids()) == 1)
        assert (await it.run([job("noop")]))[0].kind is Kind.SUCCESS

    @trial()
    async def test_stop_ends_an_idle_pool_and_tells_nothing_more(self, it: Trial, tmp_path: Path) -> None:
        await it.run([job("noop"), job("async_noop")])
        await asyncio.wait_for(it.pool.stop(), patience())
        assert await it.pool.news() == []

    @trial()
    async def test_stop_returns_what_has_not_begun_and_tells_what_it_leaves_running(self, it: Trial, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        running = jobs(it.pool.slots, "wait", str(gate), tell=True)
        it.pool.submit(running)
        await it.until(lambda: len(it.begun) == len(running))
        waiting = jobs(20, "noop")
        it.pool.submit(waiting)
        await asyncio.wait_for(it.pool.stop(at_once=True), patience())
        for each in await it.pool.news():
            assert isinstance(each, Outcome)
            it.outcomes[each.number] = each
        gate.touch()
        assert {it.outcomes[each.number].kind for each in running} == {Kind.LOST}
        assert {it.outcomes[each.number].kind for each in waiting} == {Kind.RETURNED}
