"""Leading beats are killed and paused at random moments: each firing of each entry is sent once, and another leads within 5 s."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from tests.beat.messages import drain, waiting
from tests.chaos.arena import new_seed
from tests.programs.nursery import Process, nursery
from tests.servers import redis

from umbel import Umbel
from umbel.testing.waiting import pace, patience, until

BLOWS = int(os.environ.get("UMBEL_CHAOS_BEATS", "6"))
BEATS = 3
TAKEOVER = 5.0
"""Seconds within which another beat is promised to send."""
EVERY = {f"entry{number}": 1 + number * 0.04 for number in range(100)}

CODE = """
from umbel import Umbel
app = Umbel("proj", broker="{store}")
app.conf.beat_schedule = {{name: {{"task": "t", "schedule": every}} for name, every in {every}.items()}}
"""


class Arena:
    """The beats of one run on one store, and who was struck when. Each runs in a thread of its own."""

    def __init__(self, folder: Path, store: str, seed: int, blows: int):
        folder.mkdir()
        (folder / "proj.py").write_text(CODE.format(store=store, every=EVERY))
        self.folder = folder
        self.blows = blows
        self.random = random.Random(seed)
        self.app = Umbel("proj", broker=store, set_as_current=False)
        self.beats: dict[int, Process] = {}
        self.paused: list[tuple[float, int]] = []
        self.growth: list[tuple[float, int]] = []
        """When, by the pace of this machine, how many messages were there, each time that there were more."""
        self.failure: BaseException | None = None
        self.quiet = threading.Event()

    def run(self) -> None:
        """The whole story; the failure, if there is one, is kept."""
        watcher = threading.Thread(target=self.watch)
        try:
            self.fill()
            until(lambda: waiting(self.app))
            watcher.start()
            for _ in range(self.blows):
                self.strike()
            self.wake(everyone=True)
            sent = waiting(self.app)
            until(lambda: waiting(self.app) > sent + len(EVERY))
        except BaseException as failure:
            self.failure = failure
        finally:
            self.quiet.set()
            if watcher.ident:
                watcher.join()
            self.wake(everyone=True)
            for process in self.beats.values():
                process.terminate()
            for process in self.beats.values():
                process.wait(patience())

    def fill(self) -> None:
        """Start as many beats as are missing."""
        for pid in [pid for pid, process in self.beats.items() if process.poll() is not None]:
            del self.beats[pid]
        while len(self.beats) < BEATS:
            command = [sys.executable, "-m", "umbel", "-A", "proj", "beat", "-q"]
            with (self.folder / "beats.log").open("ab") as log:
                process = nursery(Path(sys.executable)).start(command, cwd=self.folder, env=os.environ, stdout=log)
            self.beats[process.pid] = process

    def leader(self) -> int | None:
        """The process that leads, if it is one of those that run."""
        leader = self.app.schedule.leader()
        pid = int(leader.owner.rsplit("-", 2)[1]) if leader is not None else 0
        is_alive = pid in self.beats and self.beats[pid].poll() is None
        return pid if is_alive and pid not in {paused for _, paused in self.paused} else None

    def strike(self) -> None:
        """Kill or pause the leader at a random moment, and wait until there is one that sends."""
        pid = until(self.leader)
        time.sleep(self.random.uniform(0.0, 1.2))
        if self.random.random() < 0.5 or len(self.paused) == BEATS - 1:
            os.kill(pid, signal.SIGKILL)
            self.beats[pid].wait()
        else:
            os.kill(pid, signal.SIGSTOP)
            self.paused.append((time.monotonic() + self.random.uniform(0.5, 8.0), pid))
        struck = pace()
        until(lambda: self.wake() or (self.leader() and self.growth[-1][0] > struck + 0.2))
        self.fill()

    def wake(self, *, everyone: bool = False) -> None:
        """Let those go on whose pause is over. Gives nothing."""
        for until_, pid in list(self.paused):
            if everyone or time.monotonic() > until_:
                os.kill(pid, signal.SIGCONT)
                self.paused.remove((until_, pid))

    def watch(self) -> None:
        """Note when more was sent."""
        while not self.quiet.wait(0.05):
            count = waiting(self.app)
            if not self.growth or count > self.growth[-1][1]:
                self.growth.append((pace(), count))

    def longest_gap(self) -> float:
        """How long nothing was sent at most."""
        times = [when for when, _ in self.growth]
        return max(later - former for former, later in itertools.pairwise(times))

    def judge(self) -> tuple[int, list[str]]:
        """How many firings were sent, and what was wrong with them."""
        dues: dict[str, list[float]] = defaultdict(list)
        for message in drain(self.app):
            dues[message["periodic_task_name"]].append(message["due"])
        wrong = [f"{name} was never sent" for name in EVERY if not dues[name]]
        begun = {row.name: row.since for row in self.app.schedule_store.changes().rows}
        for name, found in dues.items():
            found.sort()
            every = EVERY[name]
            for former, later in zip([begun[name], *found], found, strict=False):
                if abs(later - former - every) > 0.003:  # ids tell milliseconds
                    wrong.append(f"{name} (every {every:g} s): {later:.3f} came {later - former:.3f} s after the one before")
        return sum(map(len, dues.values())), wrong


def play(folder: Path, seed: int, blows: int) -> None:
    """Strike so often on SQLite, and on Redis at the same time; AssertionError if anything was lost, doubled or late."""
    with redis.running(folder / "redis") as server:
        arenas = {
            "sqlite": Arena(folder / "on_sqlite", f"sqlite:///{folder}/q.db", seed, blows),
            "redis": Arena(folder / "on_redis", f"redis://127.0.0.1:{server.port}/0", seed + 1, blows),
        }
        threads = [threading.Thread(target=arena.run) for arena in arenas.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, arena in arenas.items():
            said = (arena.folder / "beats.log").read_text()
            assert arena.failure is None, f"{name}: {arena.failure}\n{said[-3000:]}"
            count, wrong = arena.judge()
            gap = arena.longest_gap()
            arena.app.close()
            print(f"{name}, seed {seed}: {blows} blows, {count} firings sent, {len(wrong)} wrong; longest gap {gap:.2f} s")
            assert not wrong, wrong[:10]
            assert "Traceback" not in said, said
            assert count > blows * len(EVERY) / 5
            assert gap < TAKEOVER


def test_each_firing_is_sent_once_whoever_is_killed_or_paused(tmp_path: Path) -> None:
    seed = new_seed()
    print("seed", seed)
    play(tmp_path, seed, BLOWS)
