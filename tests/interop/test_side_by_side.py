"""One queue, served by workers of both systems at once, filled by clients of both."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.interop.fleet import Fleet
from tests.trips.project import Worker

from umbel.testing.waiting import until

SECONDS = 10
SEND = f"""
import itertools, time
sent, began = [], time.monotonic()
for number in itertools.count():
    if time.monotonic() > began + {SECONDS} and len(sent) > 50 * {SECONDS}:
        break
    sent.append(shop.work.delay().id)
    time.sleep(max(0.0, began + number / 150 - time.monotonic()))
sent
"""


def test_workers_of_both_come_and_go_and_each_task_runs_once(make_fleet: Callable[..., Fleet]) -> None:
    """A prefork worker of Celery's that is stopped now and then does not acknowledge what it has just run, hangs for half a
    minute, and gives it back; so Celery's have threads here, and a task that runs again after them is Celery's doing.
    """
    fleet = make_fleet()
    serving = [start(fleet, system) for system in ("celery", "umbel", "celery", "umbel")]
    agents = [fleet.agent("celery"), fleet.agent("umbel")]
    fleet.ready(*serving)
    leaving: list[Worker] = []
    with ThreadPoolExecutor(len(agents)) as threads:
        sending = [threads.submit(agent.ask, SEND) for agent in agents]
        systems = ["umbel", "celery"]
        while not all(each.done() for each in sending):  # one comes, the eldest goes
            serving.append(start(fleet, systems[0]))
            fleet.ready(serving[-1])
            leaving.append(serving.pop(0))
            leaving[-1].signal(signal.SIGTERM)
            systems.reverse()
    confirmed = {id_ for each in sending for id_ in each.result()}
    assert len(confirmed) > 100 * SECONDS
    until(lambda: confirmed <= runs(fleet).keys(), times=2, saying=lambda: f"{len(runs(fleet))} of {len(confirmed)}")
    for worker in (each for each in leaving if each.logfile.stem.startswith("umbel")):
        assert worker.wait() == 0, worker.log
    seen = runs(fleet)
    first = Counter(systems[0] for systems in seen.values())
    again = Counter(systems[0] for systems in seen.values() if len(systems) > 1)
    print(f"{len(confirmed)} tasks, run by {dict(first)}, {len(fleet.workers)} workers; run again after {dict(again)}")
    assert seen.keys() == confirmed
    assert again["umbel"] == 0
    assert min(first["celery"], first["umbel"]) > len(confirmed) // 50


def start(fleet: Fleet, system: str) -> Worker:
    return fleet.start(system, "-c", "2", *(("-P", "threads") if system == "celery" else ()))


def runs(fleet: Fleet) -> dict[str, list[str]]:
    """The systems that have run each task to its end, in their order."""
    found = defaultdict(list)
    for what, id_, *_, system in fleet.effects():
        if what == "end":
            found[id_].append(system)
    return found


def test_what_a_killed_worker_of_celerys_held_runs_in_umbel(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(VISIBILITY="2")
    gate = fleet.folder / "gate"
    killed, agent = fleet.start("celery", "-c", "1"), fleet.agent("celery")
    agent.ask(f"results = [shop.hold.delay({str(gate)!r}) for _ in range(3)]")
    until(lambda: len(fleet.effects()) == 1)  # one runs, two wait
    killed.kill_all()
    gate.touch()
    fleet.start("umbel", "-c", "1")
    assert agent.ask("[result.get(timeout=patience) for result in results]") == ["umbel"] * 3
    runs = [words[2] for words in fleet.effects()]
    assert sorted(runs[1:]) == ["False", "False", "True"]


def test_what_umbel_holds_is_not_taken_by_celery(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(VISIBILITY="1")
    gate = fleet.folder / "gate"
    holder, agent = fleet.start("umbel", "-c", "1"), fleet.agent("umbel")
    agent.ask(f"result = shop.hold.delay({str(gate)!r})")
    until(lambda: len(fleet.effects()) == 1)
    fleet.ready(fleet.start("celery", "-c", "1"))
    agent.ask("import time\ntime.sleep(2)")  # twice the timeout after which Celery's own would be run again
    assert len(fleet.effects()) == 1
    gate.touch()
    assert agent.ask("result.get(timeout=patience)") == "umbel"
    assert holder.process.poll() is None
