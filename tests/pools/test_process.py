from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from umbel import clock
from umbel.errors import WorkerError
from umbel.execution.outcome import Kind, Outcome
from umbel.pools import child, process, storm
from umbel.pools.mix import SPARE
from umbel.pools.nursery import describe
from umbel.pools.pool import Stop
from umbel.pools.process import ProcessPool
from umbel.pools.room import make_room
from umbel.testing.pools import Acts, PoolContract, Trial, job, jobs, trial
from umbel.testing.waiting import NEVER, pace, patience, until


def is_gone(pid: int) -> bool:
    """True if there is no such process, or only its corpse."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


async def begin(it: Trial, *waiting) -> None:
    it.pool.submit(waiting)
    await it.until(lambda: all(each.number in it.begun for each in waiting))


@pytest.fixture
def long_storms(monkeypatch) -> float:
    """A busy machine may take its time to start and to bury eleven children. Gives the length of a storm."""
    seconds = patience()
    monkeypatch.setattr(storm, "PERIOD", seconds)
    monkeypatch.setattr(process, "PERIOD", seconds)
    return seconds


class TestProcesses(PoolContract):
    processes = True

    def make(self, runner: Acts, slots: int, **options) -> ProcessPool:
        return ProcessPool(runner, slots=slots, **options)

    # -- children that die ---------------------------------------------------------------------------------------------

    @trial()
    async def test_a_child_killed_in_its_job_yields_one_lost_outcome_and_is_replaced(self, it, tmp_path):
        outcome, *others = await it.run([job("kill"), *jobs(500, "noop")])
        assert (outcome.kind, outcome.text) == (Kind.LOST, "signal 9 (SIGKILL)")
        assert {other.kind for other in others} == {Kind.SUCCESS}
        await it.until(lambda: len(it.pool.pids()) == 2)

    @trial()
    async def test_a_child_that_exits_in_its_job_tells_the_code(self, it, tmp_path):
        outcomes = await it.run([job("exit", 0), job("exit", 3), job("quit", 4)])
        assert [(outcome.kind, outcome.text) for outcome in outcomes] == [
            (Kind.LOST, "exitcode 0"),
            (Kind.LOST, "exitcode 3"),
            (Kind.LOST, "exitcode 4"),
        ]

    @trial(slots=1)
    async def test_what_a_dead_child_had_not_begun_runs_in_another(self, it, tmp_path):
        marks = tmp_path / "marks"
        await it.run(jobs(300, "mark", str(marks)))
        batch = jobs(200, "mark", str(marks))
        batch.insert(50, job("kill"))
        outcomes = await it.run(batch)
        assert [outcome.kind for outcome in outcomes].count(Kind.SUCCESS) == 200
        assert marks.stat().st_size == 500

    @trial()
    async def test_a_child_killed_while_idle_is_replaced(self, it, tmp_path):
        await it.run(jobs(10, "noop"))
        before = it.pool.pids()
        os.kill(before[0], signal.SIGKILL)
        await it.until(lambda: len(it.pool.pids()) == 2 and before[0] not in it.pool.pids())
        assert (await it.run([job("noop")]))[0].kind is Kind.SUCCESS

    @trial()
    async def test_an_async_child_that_dies_loses_what_ran_in_it_and_is_replaced(self, it, tmp_path):
        sleeping = jobs(20, "async_sleep", NEVER, tell=True)
        await begin(it, *sleeping)
        within = []
        while not within:  # on a busy machine it may be another than theirs
            outcomes = await it.run([job("async_kill"), *jobs(5, "noop")])
            assert [outcome.kind for outcome in outcomes] == [Kind.LOST] + [Kind.SUCCESS] * 5
            there = it.pool.pids()
            within = [each for each in sleeping if it.begun[each.number].pid not in there]
        assert {outcome.kind for outcome in await it.end_of(within)} == {Kind.LOST}
        assert not [each for each in sleeping if each not in within and each.number in it.outcomes]
        assert (await it.run([job("async_noop")]))[0].kind is Kind.SUCCESS

    @trial(slots=3)
    async def test_ten_thousand_jobs_end_once_each_while_children_are_killed(self, it, tmp_path):
        marks, fate = tmp_path / "marks", random.Random(7)
        first = job("wait", str(tmp_path / "gate"), tell=True)  # one at least dies in the middle of its work
        await begin(it, first)
        os.kill(it.begun[first.number].pid, signal.SIGKILL)
        await it.end_of([first])
        batch = [job("mark", str(marks)) if number % 4 else job("noop") for number in range(10_000)]
        at, kills = 0, 0
        while len(it.outcomes) < 1 + len(batch):
            for _ in range(0, min(await it.pool.room(), len(batch) - at), 50):
                it.pool.submit(batch[at : at + 50])
                at += 50
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(it.read(), 0.5)
            returned = [each for each in batch if each.number in it.outcomes and it.outcomes[each.number].kind is Kind.RETURNED]
            for each in returned:
                del it.outcomes[each.number]
            it.pool.submit(returned)
            if len(it.outcomes) // 120 > kills and it.pool.pids():
                kills += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(fate.choice(it.pool.pids()), signal.SIGKILL)
        kinds = [it.outcomes[each.number].kind for each in batch]
        assert {it.outcomes[first.number].kind, *kinds} == {Kind.SUCCESS, Kind.LOST}
        assert kinds.count(Kind.LOST) <= kills
        marked = [kind for kind, each in zip(kinds, batch, strict=True) if each.task == "mark"]
        assert marked.count(Kind.SUCCESS) <= marks.stat().st_size <= len(marked)

    @trial()
    async def test_any_number_of_jobs_that_end_their_process_leave_the_pool_as_it_is(self, it, tmp_path):
        outcomes = await it.run([*jobs(40, "exit", 7), job("noop")])
        assert [outcome.kind for outcome in outcomes] == [Kind.LOST] * 40 + [Kind.SUCCESS]
        await it.until(lambda: len(it.pool.pids()) == 2)

    @trial()
    async def test_children_that_keep_dying_idle_are_replaced_ever_more_slowly(self, it, tmp_path):
        await it.run([job("noop")])
        start, killed = time.monotonic(), 0
        while killed < 12:
            for pid in it.pool.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                await it.until(lambda pid=pid: pid not in it.pool.pids())
                killed += 1
            await it.until(it.pool.pids)
        assert time.monotonic() - start > 1.0
        assert (await it.run([job("noop")]))[0].kind is Kind.SUCCESS

    @trial()
    async def test_deaths_between_jobs_that_end_are_no_storm(self, it, tmp_path):
        for _ in range(25):
            outcomes = await it.run([job("kill"), job("noop")])
            assert {outcome.kind for outcome in outcomes} == {Kind.LOST, Kind.SUCCESS}

    def test_children_that_cannot_begin_are_a_storm(self, long_storms):
        def fail() -> None:
            raise RuntimeError("no such database")

        async def die(it: Trial) -> None:
            with pytest.raises(WorkerError, match="exitcode 1"):
                await it.until(lambda: False)

        start, paced = time.monotonic(), pace()
        asyncio.run(self.try_out(die, runner=Acts(enter=fail)))
        assert time.monotonic() - start > 1  # it does not spin
        assert pace() - paced < 20

    @trial()
    async def test_the_nursery_may_die_any_number_of_times(self, it, tmp_path):
        for number in range(4):
            running = jobs(2, "wait", str(tmp_path / f"gate{number}"), tell=True)
            await begin(it, *running)
            others = jobs(10, "noop")
            it.pool.submit(others)
            pids = it.pool.pids()
            os.kill(it.pool._nursery.pid, signal.SIGKILL)
            assert {outcome.kind for outcome in await it.end_of(running)} == {Kind.LOST}
            assert {outcome.kind for outcome in await it.end_of(others)} == {Kind.SUCCESS}
            until(lambda pids=pids: all(is_gone(pid) for pid in pids))

    @trial()
    async def test_the_nursery_may_die_while_it_forks(self, it, tmp_path):
        for _ in range(5):
            it.pool.submit(jobs(2, "kill"))
            os.kill(it.pool._nursery.pid, signal.SIGKILL)
            assert {outcome.kind for outcome in await it.run(jobs(20, "noop"))} == {Kind.SUCCESS}
        await it.until(lambda: len(it.pool.pids()) == 2)

    @trial()
    async def test_an_async_job_that_kills_its_process_is_found_among_others(self, it, tmp_path):
        """Whose process died runs again, as a worker does it: each time in smaller company, so that the others get out."""
        batch = [*jobs(20, "async_sleep", 0.3), job("async_kill"), *jobs(20, "async_sleep", 0.3)]
        waiting, ended = batch, {}
        while waiting:
            outcomes = await it.run(waiting)
            again = []
            for each, outcome in zip(waiting, outcomes, strict=True):
                ended[each.task] = max(ended.get(each.task, 0), each.attempt)
                if outcome.kind is Kind.LOST and each.attempt < 5:
                    del it.outcomes[each.number]
                    again.append(msgspec.structs.replace(each, attempt=each.attempt + 1))
            waiting = again
        assert ended == {"async_sleep": 3, "async_kill": 5}
        assert [it.outcomes[each.number].kind for each in batch].count(Kind.LOST) == 1

    @trial(max_tasks_per_child=1)
    async def test_recycled_children_are_no_deaths(self, it, tmp_path):
        with self.caplog.at_level("ERROR"):
            await it.run(jobs(60, "noop"))
            await it.until(lambda: len(it.pool.pids()) == 2)
        assert not self.caplog.records
        assert not it.pool._storm.deaths

    @pytest.fixture(autouse=True)
    def keep_the_log(self, caplog):
        self.caplog = caplog

    # -- what cannot be carried ------------------------------------------------------------------------------------------

    @trial()
    async def test_a_job_that_cannot_be_handed_out_is_told_and_no_other_suffers(self, it, tmp_path):
        for task in ("noop", "async_noop"):
            bad = [job(task) for _ in range(4)]
            bad[0].envelope.properties = {"long": 1 << 70}
            bad[1].envelope.id = "\ud800"
            bad[2].envelope.properties = {"what": object()}
            bad[3].envelope.priority = 5.5  # this one goes out, and is found out where it arrives
            batch = [*jobs(5, task), *bad, *jobs(5, task)]
            outcomes = await it.run(batch)
            kinds = [outcome.kind for outcome in outcomes]
            assert kinds == [Kind.SUCCESS] * 5 + [Kind.UNTOLD] * 4 + [Kind.SUCCESS] * 5
            assert all(outcome.text for outcome in outcomes[5:9])
        assert not it.pool._storm.deaths

    def test_an_outcome_that_cannot_be_told_is_told_as_such(self):
        class Odd(Acts):
            def run(self, job):
                kind = job.task
                envelope = msgspec.structs.replace(job.envelope)
                if kind == "float":
                    envelope.priority = 5.5
                elif kind == "object":
                    envelope.properties = {"what": object()}
                return Outcome(job.number, Kind.SUCCESS, [], [envelope], text="\udce9" if kind == "text" else "")

            async def run_async(self, job):
                return self.run(job)

        async def tell(it: Trial) -> None:
            before = it.pool.pids()
            for is_async in (False, True):
                batch = [job(kind, is_async=is_async) for kind in ("fine", "float", "object", "text", "fine")]
                kinds = [outcome.kind for outcome in await it.run(batch)]
                assert kinds == [Kind.SUCCESS, Kind.UNTOLD, Kind.UNTOLD, Kind.UNTOLD, Kind.SUCCESS]
            assert set(before) <= set(it.pool.pids())

        asyncio.run(self.try_out(tell, runner=Odd()))

    # -- limits --------------------------------------------------------------------------------------------------------

    @trial()
    async def test_a_hard_limit_ends_the_run_and_only_that(self, it, tmp_path):
        await it.run(jobs(500, "noop"))
        slow = job("sleep", NEVER, hard=0.2)
        start, paced = time.monotonic(), pace()
        outcome, *others = await it.run([slow, *jobs(500, "noop")])
        assert outcome.kind is Kind.TIMEOUT
        assert time.monotonic() - start >= 0.2
        assert pace() - paced < 1
        assert {other.kind for other in others} == {Kind.SUCCESS}

    @trial(slots=1)
    async def test_a_hard_limit_counts_from_the_beginning_of_the_run(self, it, tmp_path):
        outcomes = await it.run([job("sleep", 0.15, hard=0.5) for _ in range(6)])
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}

    @trial(slots=1)
    async def test_a_hard_limit_is_kept_in_the_middle_of_a_batch(self, it, tmp_path):
        gate = tmp_path / "gate"
        gate.touch()
        await it.run(jobs(2_000, "wait", str(gate)))
        batch = jobs(100, "wait", str(gate), hard=0.3)
        batch.insert(50, job("wait", str(tmp_path / "never"), hard=0.3))
        start = pace()
        kinds = [outcome.kind for outcome in await it.run(batch)]
        assert kinds.count(Kind.SUCCESS) == 100
        assert kinds[50] is Kind.TIMEOUT
        assert pace() - start < 1.5

    @trial()
    async def test_timeouts_are_no_storm(self, it, tmp_path):
        outcomes = await it.run(jobs(30, "sleep", NEVER, hard=0.02))
        assert {outcome.kind for outcome in outcomes} == {Kind.TIMEOUT}

    @trial()
    async def test_an_async_job_that_blocks_its_loop_is_ended_at_its_hard_limit_with_its_process(self, it, tmp_path):
        blocking = job("async_block", NEVER, hard=0.1)
        it.pool.submit([blocking])
        assert (await it.end_of([blocking]))[0].kind is Kind.TIMEOUT
        assert (await it.run([job("async_noop")]))[0].kind is Kind.SUCCESS

    @trial()
    async def test_async_jobs_behind_one_that_blocks_its_loop_run_elsewhere(self, it, tmp_path):
        blocking = job("async_block", NEVER, tell=True)
        await begin(it, blocking)
        outcomes = await it.run(jobs(50, "async_noop"))
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}
        assert blocking.number not in it.outcomes

    @trial(slots=1)
    async def test_a_loop_that_was_blocked_for_a_moment_gets_jobs_again(self, it, tmp_path):
        """Also if nothing that runs on it ends: its jobs may sleep for long."""
        await begin(it, job("async_sleep", NEVER, tell=True), job("async_block", 0.3, tell=True))
        outcomes = await it.run(jobs(50, "async_noop"))
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}

    @trial()
    async def test_jobs_behind_long_ones_in_all_children_come_back(self, it, tmp_path):
        await begin(it, *jobs(2, "wait", str(tmp_path / "gate"), tell=True))
        waiting = jobs(100, "noop")
        it.pool.submit(waiting)
        await it.until(lambda: all(each.number in it.outcomes for each in waiting))
        assert {it.outcomes[each.number].kind for each in waiting} == {Kind.RETURNED}

    @trial()
    async def test_a_few_may_wait_where_async_jobs_come_too(self, it, tmp_path):
        await it.run([job("async_noop")])
        await begin(it, *jobs(2, "wait", str(tmp_path / "gate"), tell=True))
        waiting = jobs(100, "noop")
        it.pool.submit(waiting)
        await it.until(lambda: all(each.number in it.outcomes for each in waiting[SPARE:]))
        assert not any(each.number in it.outcomes for each in waiting[:SPARE])

    @trial()
    async def test_soft_cancels_never_hit_another_job(self, it, tmp_path):
        await it.run(jobs(500, "noop"))
        batch = jobs(1_500, "noop")
        it.pool.submit(batch)
        asked = {each.number for each in batch[::10] if it.pool.cancel(each.number, Stop.SOFT)}
        await it.end_of(batch)
        for each in batch:
            if each.number not in asked:
                assert it.outcomes[each.number].kind is Kind.SUCCESS

    @trial()
    async def test_a_soft_cancel_just_after_the_beginning_is_not_lost(self, it, tmp_path):
        for _ in range(40):
            running = job("sleep", NEVER)
            it.pool.submit([running])
            await asyncio.sleep(random.Random(running.number).random() * 0.001)
            assert it.pool.cancel(running.number, Stop.SOFT)
            assert (await it.end_of([running]))[0].kind in {Kind.FAILURE, Kind.TERMINATED}

    # -- room --------------------------------------------------------------------------------------------------------------

    @trial()
    async def test_room_for_short_jobs_comes_in_large_pieces_while_no_child_idles(self, it, tmp_path):
        """Fetching few large batches costs a worker less than many small ones."""
        await it.run(jobs(3_000, "noop"))
        large, small = 0, []

        async def feed() -> None:
            nonlocal large
            for _ in range(40):
                room = await it.pool.room()
                wards, now = it.pool._sync.wards, clock.monotonic()
                if 2 * room >= it.pool.slots * it.pool._pace.stock:
                    large += 1
                elif all(ward.jobs and now - ward.heard <= process.DEAF / 2 for ward in wards):
                    small.append((room, it.pool._pace.stock, [len(ward.jobs) for ward in wards]))
                it.pool.submit(jobs(room, "noop"))

        feeding = asyncio.ensure_future(feed())
        await it.until(feeding.done)
        assert (small, large > 0) == ([], True)

    @trial()
    async def test_room_is_told_at_once_while_a_child_idles(self, it, tmp_path):
        await it.run(jobs(3_000, "noop"))
        await begin(it, job("wait", str(tmp_path / "gate"), tell=True))
        it.pool._pace.stock = 4
        it.pool._sync.waiting.extend(jobs(3, "noop"))  # not dealt yet, so that little is left
        assert await asyncio.wait_for(it.pool.room(), patience()) >= 1

    # -- recycling -----------------------------------------------------------------------------------------------------

    @trial(max_tasks_per_child=3)
    async def test_a_child_ends_after_its_number_of_tasks(self, it, tmp_path):
        outcomes = await it.run(jobs(60, "pid"))
        per_child = {text: [outcome.text for outcome in outcomes].count(text) for text in {outcome.text for outcome in outcomes}}
        assert max(per_child.values()) <= 3
        assert len(per_child) >= 20

    @trial(max_tasks_per_child=100)
    async def test_recycling_neither_loses_nor_repeats_nor_delays(self, it, tmp_path):
        marks = tmp_path / "marks"
        start = pace()
        outcomes = await it.run(jobs(5_000, "mark", str(marks)))
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}
        assert marks.stat().st_size == 5_000
        assert pace() - start < 10

    @trial(slots=1, max_tasks_per_child=5)
    async def test_async_children_are_recycled_too(self, it, tmp_path):
        outcomes = await it.run(jobs(40, "async_pid"))
        assert {outcome.kind for outcome in outcomes} == {Kind.SUCCESS}
        assert len({outcome.text for outcome in outcomes}) == 8

    def test_a_child_that_has_grown_too_large_is_replaced(self, tmp_path):
        async def hoard(it: Trial) -> None:
            pids = [(await it.run([job("hoard", 40)]))[0].text for _ in range(8)]
            assert 2 <= len(set(pids)) <= 4

        here = psutil.Process().memory_info().rss // 1024  # what a forked child begins with
        asyncio.run(self.try_out(hoard, slots=1, max_memory_per_child=here + 100_000))

    def test_a_replacement_does_not_wait_for_a_slow_end(self, monkeypatch):
        monkeypatch.setattr(process, "GRACE", NEVER)

        async def recycle(it: Trial) -> None:
            await it.run(jobs(3, "pid"))

        asyncio.run(self.try_out(recycle, slots=1, max_tasks_per_child=1, runner=Acts(leave=lambda: time.sleep(NEVER))))

    def test_a_child_that_does_not_end_is_killed(self, monkeypatch):
        monkeypatch.setattr(process, "GRACE", 0.2)

        async def recycle(it: Trial) -> None:
            before = it.pool.pids()
            await it.run(jobs(1, "pid"))
            await it.until(lambda: not {*before} & {*it.pool.pids()})

        asyncio.run(self.try_out(recycle, slots=1, max_tasks_per_child=1, runner=Acts(leave=lambda: time.sleep(NEVER))))

    @trial()
    async def test_a_worker_without_descriptors_for_children_says_so(self, it, tmp_path):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 4, hard))
        spare = []
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.dup(0))
        os.close(spare.pop())
        try:
            resizing = asyncio.ensure_future(it.pool.resize(3))
            await it.until(lambda: "no process can be forked: Too many open files" in self.caplog.text)
            assert {outcome.kind for outcome in await it.run(jobs(20, "noop"))} == {Kind.SUCCESS}
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in spare:
                os.close(fd)
        await resizing
        await it.until(lambda: len(it.pool.pids()) == 3)

    def test_a_pool_that_can_never_have_its_descriptors_does_not_start(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard == resource.RLIM_INFINITY:
            pytest.skip("there is no limit here")
        with pytest.raises(WorkerError, match=r"child processes take .* open files, and this process may have"):
            make_room(hard)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)

    # -- children as processes -----------------------------------------------------------------------------------------

    def test_enter_and_leave_are_called_once_in_each_child(self, tmp_path):
        entered, left = tmp_path / "entered", tmp_path / "left"
        acts = Acts()
        acts.enter = lambda: acts.do_mark(str(entered))
        acts.leave = lambda: acts.do_mark(str(left))

        async def live(it: Trial) -> None:
            await it.run([*jobs(20, "noop"), *jobs(5, "async_noop")])
            await it.pool.stop()

        asyncio.run(self.try_out(live, runner=acts))
        assert entered.stat().st_size == left.stat().st_size == 3

    def test_children_have_indices_and_names(self):
        class Named(Acts):
            def do_name(self) -> str:
                import multiprocessing

                return f"{child.index} {multiprocessing.current_process().name}"

        async def live(it: Trial) -> None:
            for _ in range(3):
                outcomes = await it.run([*jobs(20, "name"), job("kill")])
                assert {outcome.text for outcome in outcomes} <= {"1 Job-1", "2 Job-2", "signal 9 (SIGKILL)"}

        asyncio.run(self.try_out(live, runner=Named(), names=lambda index: f"Job-{index}"))
        assert child.index == 0

    def test_what_is_around_a_childs_life_is_done_at_its_end_even_if_that_is_a_failure(self, monkeypatch, tmp_path):
        def note(life) -> None:
            try:
                life()
            finally:
                (tmp_path / f"{os.getpid()}").write_text(str(child.index))

        monkeypatch.setattr(child, "around", note)

        class Leaving(Acts):
            def leave(self) -> None:
                raise OSError("no")

        async def live(it: Trial) -> None:
            await it.run(jobs(4, "noop"))
            await it.pool.stop()

        asyncio.run(self.try_out(live, slots=2))
        assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["1", "2"]
        asyncio.run(self.try_out(live, runner=Leaving(), slots=2))
        assert len(list(tmp_path.iterdir())) == 4

    @trial()
    async def test_children_survive_the_signals_that_reach_the_whole_group(self, it, tmp_path):
        gate = tmp_path / "gate"
        running = jobs(2, "wait", str(gate), tell=True)
        await begin(it, *running)
        for pid in [*it.pool.pids(), it.pool._nursery.pid]:
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(pid, number)
        gate.touch()
        assert {outcome.kind for outcome in await it.end_of(running)} == {Kind.SUCCESS}

    def test_programs_started_by_tasks_can_be_ended_as_usual(self):
        class Starter(Acts):
            def do_start(self) -> int:
                with subprocess.Popen(["/bin/sleep", "30"]) as program:
                    program.terminate()
                    return program.wait(patience())

        async def start(it: Trial) -> None:
            assert (await it.run([job("start")]))[0].text == str(-signal.SIGTERM)

        asyncio.run(self.try_out(start, runner=Starter()))

    def test_children_do_not_listen_where_the_worker_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

            async def closing(it: Trial) -> None:
                server.close()
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", port)
                assert (await it.run([job("noop")]))[0].kind is Kind.SUCCESS

            asyncio.run(self.try_out(closing))

    def test_stop_leaves_neither_processes_nor_descriptors(self, tmp_path):
        def descriptors() -> set[str]:
            return set(os.listdir("/proc/self/fd"))

        asyncio.run(self.try_out(lambda it: it.run([job("noop")])))
        before, others, pids = descriptors(), children_of(os.getpid()), []  # a server that other tests started may be among them

        async def live(it: Trial) -> None:
            await it.run([*jobs(50, "noop"), job("async_noop"), job("kill"), *jobs(50, "noop")])
            await it.pool.resize(5)
            await it.pool.resize(2)
            pids.extend([*it.pool.pids(), it.pool._nursery.pid])
            await it.pool.stop()
            assert not it.pool.pids()

        for _ in range(3):
            asyncio.run(self.try_out(live))
        assert descriptors() == before
        assert all(not Path(f"/proc/{pid}").exists() for pid in pids)
        assert children_of(os.getpid()) == others

    @trial()
    async def test_stop_ends_busy_children_by_force(self, it, tmp_path):
        running = job("wait", str(tmp_path / "gate"), tell=True)
        await begin(it, running)
        pids = it.pool.pids()
        await asyncio.wait_for(it.pool.stop(), patience())
        [told] = await it.pool.news()
        assert isinstance(told, Outcome)
        assert (told.number, told.kind) == (running.number, Kind.LOST)
        assert all(is_gone(pid) for pid in pids)

    def test_all_processes_end_with_a_worker_that_is_killed(self, tmp_path):
        script = textwrap.dedent("""
            import asyncio, sys
            from umbel.pools.process import ProcessPool
            from umbel.testing.pools import Acts, job, jobs

            async def main():
                pool = ProcessPool(Acts(), slots=3)
                await pool.start()
                pool.submit([*jobs(2, "sleep", 3600, tell=True), job("async_sleep", 3600, tell=True)])
                told = 0
                while told < 3:
                    told += len(await pool.news())
                print(pool._nursery.pid, *pool.pids(), flush=True)
                await asyncio.sleep(3600)

            asyncio.run(main())
        """)
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as worker:
            pids = [int(word) for word in worker.stdout.readline().split()]
            assert len(pids) == 5
            worker.kill()
        until(lambda: all(is_gone(pid) for pid in pids))

    def test_a_death_is_described_for_people(self):
        assert describe(3) == "exitcode 3"
        assert describe(-11) == "signal 11 (SIGSEGV)"
        assert describe(-40) == "signal 40"
