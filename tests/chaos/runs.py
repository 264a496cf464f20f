"""The kinds of runs: processes are killed, stand still, or lose their store, under load."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from tests.chaos.arena import GIVEN, TAKEN, Arena
from tests.chaos.oracle import Verdicts
from tests.chaos.outages import OUTAGES, Stage
from tests.chaos.table import Fault, Table
from tests.servers.redis import RedisServer

from umbel.testing.waiting import pace, until

RESUME = 5.0
"""Seconds within which every worker is to take new work, once the store is back."""
ALLOWANCE = 5.0
"""Seconds more that a machine may take which has much else to do."""


def kills(arena: Arena, count: int, table: Table) -> None:
    """Kill `count` processes at random moments, then judge: of workers, and each tenth time a sender."""
    while len(arena.faults) < count:
        arena.goes_on()
        time.sleep(arena.random.uniform(0.0, 0.01))  # any moment will do
        if len(arena.faults) % 10 == 9:
            arena.kill_sender()
        else:
            arena.kill_one()
    arena.settle()
    judge(arena, table)
    assert set(arena.exits) <= {-signal.SIGKILL}, arena.last_words()


def jumps(arena: Arena, count: int, table: Table) -> None:
    """Let the clock jump, forward or back by up to ten leases; then judge: it must take nothing from a worker that lives."""
    lease = arena.project.lease
    for _ in range(count):
        arena.faults.append(Fault("clock jumps"))
        time.sleep(arena.random.uniform(0, 0.5) * lease)  # at any moment between two renewals
        moved = time.monotonic()
        arena.move_clocks(arena.random.uniform(-10, 10) * lease)
        arena.goes_on()
        until(lambda moved=moved: arena.have_renewed(moved))  # forward and back between two of them nobody can see
    arena.move_clocks(0.0)
    assert arena.works()
    assert not arena.exits, arena.last_words()
    arena.settle()
    judge(arena, table)
    assert arena.count("Traceback") == 0


def outages(arena: Arena, stage: Stage, kinds: Sequence[str], table: Table) -> None:
    """Let these outages happen one after the other, then judge: no worker may be taken for dead, or log a traceback."""
    for kind in kinds:
        with arena.app() as app:
            slow = [arena.send(app, "slow") for _ in arena.workers]
            until(lambda slow=slow: begun(arena, slow) == set(slow))
        fault = Fault(kind)
        arena.faults.append(fault)
        OUTAGES[kind](stage, arena.random)
        until(lambda: answers(stage))
        fault.resumed = resumed(arena, pace())
        assert max(fault.resumed) <= RESUME + ALLOWANCE, f"{kind}: {fault.resumed}"
        with arena.app() as app:
            backend = app.backend
            assert backend is not None
            until(lambda slow=slow, backend=backend: len(backend.fetch(slow)) == len(slow))
    assert arena.works()
    assert not arena.exits, arena.last_words()
    arena.settle()
    judge(arena, table)
    assert arena.count(TAKEN) == 0
    assert arena.count("Traceback") == 0


def stalls(arena: Arena, count: int, table: Table) -> None:
    """Let workers stand still, alone or with all their processes, until others have what they held; then judge."""
    for number in range(count):
        arena.goes_on()
        worker = arena.random.choice(arena.workers)
        still = worker.family() if number % 2 else [worker.process.pid]
        arena.faults.append(Fault("worker stands still, all of it" if number % 2 else "worker stands still"))
        before, given, end = worker.log.count(TAKEN), arena.count(GIVEN), time.monotonic() + 10 * arena.project.lease
        for pid in still:
            os.kill(pid, signal.SIGSTOP)
        until(lambda given=given, end=end: arena.count(GIVEN) > given or time.monotonic() > end)
        taken = arena.count(GIVEN) > given  # if not, it held nothing, or the others had no time either
        for pid in still:
            os.kill(pid, signal.SIGCONT)
        until(lambda worker=worker, before=before, taken=taken: worker.log.count(TAKEN) > before or not taken)
    assert arena.works()
    assert not arena.exits, arena.last_words()
    arena.settle()
    judge(arena, table)


def begun(arena: Arena, ids: Sequence[str]) -> set[str]:
    """Which of these have begun."""
    wanted = set(ids)
    return {id for what, id, *_ in arena.effects() if what == "begin" and id in wanted}


def answers(stage: Stage) -> bool:
    """True if the server answers on a new connection through the network."""
    through = RedisServer(stage.server.directory, port=stage.proxy.port)
    return through.answers()


def resumed(arena: Arena, back: float) -> list[float]:
    """For each worker, how long after `back` it began a task that was sent after that, by the pace of this machine."""
    first: dict[int, float] = {}
    for worker in arena.workers:
        worker.family()
    owners = {pid: index for index, worker in enumerate(arena.workers) for pid in worker.seen}
    probes: set[str] = set()
    start = len(arena.effects())

    def all_have() -> bool:
        nonlocal start
        probes.add(arena.send(app, "probe"))
        lines = arena.effects()
        for what, id, _, parent, *_ in lines[start:]:
            if what == "begin" and id in probes:
                first.setdefault(owners[int(parent)], pace() - back)
        start = len(lines)
        return len(first) == len(arena.workers)

    with arena.app() as app:
        until(all_have, saying=lambda: f"{first} of {len(arena.workers)} workers, {len(probes)} probes")
    return list(first.values())


def judge(arena: Arena, table: Table) -> None:
    """Count the run, say how it went, and fail if anything is wrong."""
    verdicts: Verdicts = arena.judge()
    sent = arena.all_sent()
    table.add(arena.faults, sent, verdicts)
    accepted = sum(one.is_accepted for one in sent.values())
    print(f"seed {arena.seed}: {len(arena.faults)} faults, {accepted} accepted: {verdicts}")
    print(f"{arena.count(GIVEN)} recoveries, {arena.count(TAKEN)} leases lost, exits {dict(arena.exits)}")
    faults = verdicts.faults()
    for line in arena.effects():
        if any(line[1] in ids for ids in faults.values()):
            print(*line)
    assert not faults, faults
    assert accepted > len(arena.faults)
