"""Workers and senders under load, and what is written down about them outside the queue."""

from __future__ import annotations

import os
import random
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.ledger import KEEPING, Ledger
from tests.chaos.oracle import Verdicts, classify
from tests.chaos.table import Fault, Sent
from tests.programs.nursery import Process, end, nursery
from tests.trips.project import Project, Worker

from umbel import Umbel
from umbel.states import READY_STATES
from umbel.stores.broker import Depth
from umbel.testing.waiting import factor, until

QUEUES = ("celery", "probe")

TASKS = (
    KEEPING
    + """
import random

def work(task, choices):
    tell("begin", task.request.id, os.getpid(), os.getppid(), time.monotonic(), WORKER)
    time.sleep(random.choice(choices))
    tell("end", task.request.id, os.getpid(), os.getppid(), time.monotonic(), WORKER)

@app.task(bind=True, ignore_result=True)
def late(self):
    work(self, (0, 0, 0.001, 0.005, 0.05))

@app.task(bind=True)
def kept(self):
    work(self, (0, 0, 0.001, 0.005, 0.05))

@app.task(bind=True, acks_late=False)
def early(self):
    work(self, (0, 0.001, 0.005))

@app.task(bind=True)
def slow(self):
    work(self, (1,))

@app.task(bind=True, ignore_result=True)
def probe(self):
    work(self, (0,))
"""
)

MOVING = """
import os, struct
from umbel import clock
_now, _moved = clock.now, os.open("clock", os.O_RDONLY)
clock.now = lambda: _now() + struct.unpack("d", os.pread(_moved, 8, 0))[0]
"""
"""Before all else in a program: its clock is one that `Arena.move_clocks` moves, as the machine's would move for all."""

SENDER = """
import itertools, os, sys, time, uuid
from umbel import Umbel
from umbel.errors import BrokerDown
app = Umbel("sender", broker=sys.argv[1], set_as_current=False)
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(*words):
    os.write(fd, (" ".join(map(str, words)) + "\\n").encode())
for number in itertools.count():
    id, kind = str(uuid.uuid4()), ("early", "late", "kept")[number % 3]
    note("try", id, kind, time.monotonic())
    try:
        app.send_task("proj." + kind, task_id=id, retry=False)
    except BrokerDown:
        note("unknown", id)
        time.sleep(0.05)
    else:
        note("sent", id)
    time.sleep(float(sys.argv[3]))
"""
"""Sends without end; without retries, so that what raised is known to be unknown."""

TAKEN = "was taken for dead"
"""What a worker says whose lease had run out."""
GIVEN = "Gave back"
"""What a worker says that gave back what another held."""
MOMENT = 1.0
"""Seconds in which a worker that has heard that it was taken for dead may still begin what it had in hand, if it is let."""
PLACES = ("worker", "nursery", "child")
SENDERS = 2
LATE = {"late", "kept", "slow", "probe"}
"""Kinds of tasks that may run again after their process was killed."""
ANSWERED = {"kept", "early", "slow"}
"""Kinds that leave a result."""


class Arena:
    """The processes of one run, and who was killed."""

    def __init__(self, project: Project, seed: int, *, workers: int, pause: float = 0.003):
        """`pause`: of the sender, between one message and the next."""
        self.project = project
        self._clock = os.open(project.folder / "clock", os.O_RDWR | os.O_CREAT)
        self.move_clocks(0.0)
        self.seed = seed
        self.random = random.Random(seed)
        self.killed: set[int] = set()
        self.exits: Counter[int] = Counter()
        """How often workers ended with which code; only -9, killed, is as it should be."""
        self.faults: list[Fault] = []
        self.sent: dict[str, Sent] = {}
        """What was sent from here, not by the sender."""
        self._notes = project.folder / "sent.txt"
        self._pause = pause
        self._effects: list[list[str]] = []
        self._read = 0
        self.workers = [self._worker() for _ in range(workers)]
        self.old: list[Worker] = []
        self.senders = [self._sender() for _ in range(SENDERS)]

    def _worker(self) -> Worker:
        return self.project.start("-c", "2", "-Q", ",".join(QUEUES))

    def _sender(self) -> Process:
        command = [sys.executable, "-c", MOVING + SENDER, self.project.store, str(self._notes), str(self._pause)]
        with (self.project.folder / "senders.log").open("ab") as log:
            return nursery(Path(sys.executable)).start(command, cwd=self.project.folder, env=os.environ, stdout=log)

    @contextmanager
    def app(self) -> Iterator[Umbel]:
        """A client whose connections are all new."""
        app = Umbel("client", broker=self.project.store, backend=self.project.store, set_as_current=False)
        try:
            yield app
        finally:
            app.close()

    # -- what happens ---------------------------------------------------------------------------------------------

    def effects(self) -> list[list[str]]:
        """The words of all lines that tasks have written so far."""
        if self.project.effects_file.exists():
            with self.project.effects_file.open("rb") as file:
                file.seek(self._read)
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._read += len(whole) + 1
                self._effects += [line.split() for line in whole.decode().split("\n")]
        return self._effects

    def works(self) -> bool:
        """Start a new worker for each that ended; True if there is one with children."""
        for index, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                self.exits[worker.process.returncode] += 1
                self.old.append(worker)
                self.workers[index] = self._worker()
        return any(worker.has_children() for worker in self.workers)

    def goes_on(self) -> None:
        """Wait until one more task has begun or ended."""
        seen = len(self.effects())
        until(lambda: self.works() and len(self.effects()) > seen)

    def send(self, app: Umbel, kind: str) -> str:
        """Send a task that the arena knows of; gives its id."""
        when = time.monotonic()
        id = app.send_task(f"proj.{kind}", queue="probe", retry=False).id
        self.sent[id] = Sent(kind, when, is_accepted=True)
        return id

    # -- kills ----------------------------------------------------------------------------------------------------

    def kill_one(self) -> None:
        """Kill a worker, its nursery or one of its children; what hangs on it counts as killed, too."""
        place = self.random.randrange(len(PLACES))
        families = [(worker, family) for worker in self.workers if len(family := worker.family()) > place]
        if not families:
            return
        worker, family = self.random.choice(families)
        victim = family[place] if place < 2 else self.random.choice(family[2:])
        try:
            if place < 2:  # all that hangs on it goes with it, also what it has forked since it was asked
                os.kill(victim, signal.SIGSTOP)
                worker.family()
                self.killed.update(worker.seen)
            self.killed.add(victim)
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.faults.append(Fault(PLACES[place]))

    def kill_sender(self) -> None:
        """Kill a sender in the middle of whatever it does, and start another."""
        self.faults.append(Fault("sender"))
        sender = self.senders.pop(self.random.randrange(SENDERS))
        end(sender)
        self.senders.append(self._sender())

    def _silence(self) -> None:
        for sender in self.senders:
            end(sender)

    # -- clocks ---------------------------------------------------------------------------------------------------

    def move_clocks(self, seconds: float) -> None:
        """Let the clocks of those who have `MOVING` be so many seconds ahead of this machine's or, negative, behind it."""
        os.pwrite(self._clock, struct.pack("d", seconds), 0)

    # -- the end --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Stop sending, and wait until the store holds nothing that is ready, held or later."""
        self._silence()
        with self.app() as app:

            def depths() -> Sequence[Depth]:
                return list(app.broker.depth(QUEUES).values())

            def is_quiet() -> bool:
                self.works()
                return all(depth.ready == depth.held == depth.later == 0 for depth in depths())

            until(is_quiet, times=4, saying=depths)
        quiet = time.monotonic()
        until(lambda: self.works() and self.have_renewed(quiet))

    def ledger(self) -> Ledger:
        """What workers were told so far of their holds and leases."""
        return Ledger.read((self.project.folder / "ledger.txt").read_text())

    def have_renewed(self, since: float) -> bool:
        """True if each worker has asked since then if it has lost anything."""
        renewals = self.ledger().renewals
        return all(any(each.asked > since for each in renewals[worker.process.pid]) for worker in self.workers)

    def judge(self) -> Verdicts:
        """What became of all that was sent."""
        sent = self.all_sent()
        failures, final = self._told(list(sent))
        return classify(
            tried=sent,
            confirmed=[id for id, one in sent.items() if one.is_accepted],
            effects=self.effects(),
            failures=failures,
            late=[id for id, one in sent.items() if one.kind in LATE],
            killed=self.killed,
            void=self.ledger().void(self.effects(), MOMENT * factor()),
            unanswered=[id for id, one in sent.items() if one.kind in ANSWERED and id not in final],
        )

    def all_sent(self) -> dict[str, Sent]:
        """All that anybody tried to send. A line that a kill cut off does not count."""
        sent = dict(self.sent)
        for line in self._notes.read_text().split("\n")[:-1]:
            what, id, *rest = line.split()
            if what == "try":
                sent[id] = Sent(rest[0], float(rest[1]))
            elif what == "sent":
                sent[id].is_accepted = True
        return sent

    def _told(self, ids: Sequence[str]) -> tuple[dict[str, str], set[str]]:
        """What was told of each task that failed or was buried; and which tasks have a final result."""
        final: set[str] = set()
        with self.app() as app:
            backend = app.backend
            assert backend is not None
            told = {buried.envelope.id: buried.reason for buried in app.broker.buried(limit=100_000)}
            for start in range(0, len(ids), 500):
                for id, result in backend.fetch(ids[start : start + 500]).items():
                    if result.state == "FAILURE":
                        told[id] = result.document.decode()
                    if result.state in READY_STATES:
                        final.add(id)
        return told, final

    def count(self, words: str) -> int:
        """How many lines in the logs of workers have these words."""
        return sum(path.read_text(errors="replace").count(words) for path in self.project.folder.glob("worker*.log"))

    def last_words(self) -> str:
        """How workers have ended, and the last that they said."""
        ends = ["\n".join(worker.log.split("\n")[-10:]) for worker in self.old]
        return "\n\n".join([str(dict(self.exits)), *ends])

    def close(self) -> None:
        """End all processes."""
        self._silence()
        for worker in self.workers:
            worker.signal(signal.SIGCONT)
            worker.kill_all()
        os.close(self._clock)


@contextmanager
def arena(project: Project, seed: int, *, workers: int, pause: float = 0.003) -> Iterator[Arena]:
    """An arena whose workers work."""
    made = Arena(project, seed, workers=workers, pause=pause)
    try:
        until(made.effects)
        until(lambda: all(worker.has_children() for worker in made.workers))
        yield made
    finally:
        made.close()


def new_seed() -> int:
    """A seed from the environment (to see a run again), or a new one, by the random numbers of this test."""
    return int(os.environ.get("UMBEL_CHAOS_SEED") or random.randrange(1_000_000))
