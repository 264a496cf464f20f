"""Celery's tools steer umbel's workers, and umbel's tools Celery's: each answer has the shape that Celery's workers give."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.interop.fleet import Agent, Fleet
from tests.trips.project import Worker

from umbel.testing.waiting import until

ASK = "app.control.inspect(timeout=patience / 10, limit={limit})"


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet()


@pytest.fixture(scope="module")
def workers(fleet: Fleet) -> Iterator[dict[str, Worker]]:
    """One of Celery's and two of umbel's, each with a queue of its own; at the end those of umbel's have told of no error."""
    found = {
        "celery": fleet.start("celery", "-Q", "by celery", "-c", "2"),
        "prefork": fleet.start("umbel", "-Q", "by prefork", "-c", "2"),
        "threads": fleet.start("umbel", "-Q", "by threads", "-c", "2", "-P", "threads"),
    }
    fleet.ready(*found.values())
    yield found
    for kind in ("prefork", "threads"):
        told = [line for line in found[kind].log.splitlines() if re.search("ERROR|CRITICAL|Traceback", line)]
        assert not [line for line in told if "Trying again until it works" not in line]  # a server that stood still for a while


@pytest.fixture(scope="module")
def nodes(workers: dict[str, Worker]) -> dict[str, str]:
    """The names of the workers."""
    return {kind: f"{worker.logfile.stem}@host" for kind, worker in workers.items()}


@pytest.fixture(scope="module")
def celery(fleet: Fleet) -> Agent:
    return fleet.agent("celery")


@pytest.fixture(scope="module")
def umbel(fleet: Fleet) -> Agent:
    return fleet.agent("umbel")


@pytest.fixture(scope="module")
def running(fleet: Fleet, workers: dict[str, Worker], umbel: Agent) -> Iterator[dict[str, str]]:
    """The id of a task that runs in each worker as long as this is in use."""
    gate = fleet.folder / "gate"
    call = f"shop.hold.apply_async((), {{'path': {str(gate)!r}}}, queue='by %s').id"
    ids = {kind: umbel.ask(call % kind) for kind in workers}
    until(lambda: {line[1] for line in fleet.effects() if line[0] == "holds"} >= set(ids.values()))
    yield ids
    gate.touch()


def shape(value: Any) -> Any:
    """Of what it is made."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


INSPECT = {
    "ping": "ping()",
    "active": "active()",
    "active_safe": "active(safe=True)",
    "reserved": "reserved()",
    "scheduled": "scheduled()",
    "revoked": "revoked()",
    "registered": "registered()",
    "registered_with": "registered('max_retries')",
    "active_queues": "active_queues()",
    "query_task": "query_task('nobody')",
    "clock": "clock()",
    "memdump": "memdump()",
    "report": "report()",
    "hello": "hello('somebody@else', {})",
}


@pytest.mark.parametrize("system", ["celery", "umbel"])
@pytest.mark.parametrize("what", INSPECT)
def test_answers_have_celerys_shape(
    what: str, system: str, celery: Agent, umbel: Agent, nodes: dict[str, str], running: dict[str, str]
) -> None:
    agent = celery if system == "celery" else umbel
    found = agent.ask(f"{ASK.format(limit=3)}.{INSPECT[what]}")
    assert found.keys() == set(nodes.values())
    shapes = {kind: shape(found[node]) for kind, node in nodes.items()}
    if what == "hello":  # of 5.6 a dict, of 5.7 a list; who has heard of what was revoked here before does not matter
        assert all(each.pop("revoked") in ({}, [], ["str"]) for each in shapes.values())
    if what == "active_queues":
        for queue in found.values():
            assert queue[0].keys() == found[nodes["celery"]][0].keys()
            assert queue[0]["exchange"].keys() == found[nodes["celery"]][0]["exchange"].keys()
        return
    assert shapes["prefork"] == shapes["celery"]
    assert shapes["threads"] == shapes["celery"]


def test_what_runs_is_told_alike(celery: Agent, nodes: dict[str, str], running: dict[str, str]) -> None:
    found = celery.ask(f"{ASK.format(limit=3)}.active()")
    tasks = {kind: found[node] for kind, node in nodes.items()}
    for kind, (task,) in tasks.items():
        assert task["id"] == running[kind]
        assert task["kwargs"].keys() == {"path"}
        assert task["hostname"] == nodes[kind]
        assert abs(task["time_start"] - tasks["celery"][0]["time_start"]) < 3600
        asked = celery.ask(f"{ASK.format(limit=3)}.query_task({task['id']!r})")
        assert asked[nodes[kind]][task["id"]][0] == "active"
        assert [answer for node, answer in asked.items() if node != nodes[kind]] == [{}, {}]


def test_figures_have_celerys_names(celery: Agent, nodes: dict[str, str], running: dict[str, str]) -> None:
    found = celery.ask(f"{ASK.format(limit=3)}.stats()")
    theirs = found[nodes["celery"]]
    for kind in ("prefork", "threads"):
        ours = found[nodes[kind]]
        assert ours.keys() == theirs.keys()
        for part in ("broker", "rusage"):
            assert ours[part].keys() == theirs[part].keys()
        assert ours["pool"].keys() >= theirs["pool"].keys() - {"writes"}
        assert {key: ours["broker"][key] for key in ("hostname", "port", "transport", "virtual_host")} == {
            key: theirs["broker"][key] for key in ("hostname", "port", "transport", "virtual_host")
        }


def test_settings_are_told_by_their_names(celery: Agent, nodes: dict[str, str]) -> None:
    found = celery.ask(f"{ASK.format(limit=3)}.conf()")
    for kind in ("prefork", "threads"):
        assert found[nodes[kind]]["result_extended"] is True
        assert found[nodes[kind]]["accept_content"] == found[nodes["celery"]]["accept_content"]


CONTROL = [
    "rate_limit('shop.echo', '9/m')",
    "rate_limit('shop.nothing', '9/m')",
    "rate_limit('shop.echo', 'often')",
    "time_limit('shop.echo', soft=3, hard=5)",
    "time_limit('shop.nothing', soft=3, hard=5)",
    "add_consumer('further')",
    "cancel_consumer('further')",
    "pool_restart()",
    "autoscale(3, 1)",
    "heartbeat()",
    "revoke('a task')",
    "terminate('a task')",
    "revoke_by_stamped_headers({'stamp': ['value']})",
    "broadcast('ping', {'nonsense': 1})",
]


@pytest.mark.parametrize("system", ["celery", "umbel"])
def test_what_they_are_told_is_answered_alike(system: str, celery: Agent, umbel: Agent, nodes: dict[str, str]) -> None:
    agent = celery if system == "celery" else umbel
    for command in CONTROL:
        call = f"{command[:-1]}{', ' if command[-2] != '(' else ''}reply=True, timeout=patience / 10, limit=3)"
        replies = agent.ask(f"app.control.{call}")
        found = {node: answer for reply in replies for node, answer in reply.items()}
        assert found.keys() == set(nodes.values()), command
        theirs = found[nodes["celery"]]
        for kind in ("prefork", "threads"):
            ours = found[nodes[kind]]
            assert shape(ours) == shape(theirs), command
            if theirs and "ok" in theirs:
                assert ours == theirs, command
    replies = agent.ask("app.control.broadcast('nonsense', reply=True, timeout=patience / 10)")
    assert {str(answer) for reply in replies for answer in reply.values()} == {str({"error": "KeyError('nonsense')"})}


def test_pools_grow_and_shrink(celery: Agent, umbel: Agent, nodes: dict[str, str]) -> None:
    for agent, command, size in ((celery, "grow", 4), (umbel, "shrink", 2), (umbel, "grow", 4), (celery, "shrink", 2)):
        call = f"pool_{command}(2, reply=True, timeout=patience / 10, destination=[{nodes['prefork']!r}])"
        assert agent.ask(f"app.control.{call}") == [{nodes["prefork"]: {"ok": f"pool will {command}"}}]
        found = umbel.ask(f"app.control.inspect([{nodes['prefork']!r}], patience).stats()")[nodes["prefork"]]
        assert found["pool"]["max-concurrency"] == size


@pytest.mark.parametrize("system", ["celery", "umbel"])
def test_what_one_revokes_the_workers_of_both_let_be(
    system: str, fleet: Fleet, celery: Agent, umbel: Agent, workers: dict[str, Worker]
) -> None:
    agent = celery if system == "celery" else umbel
    for kind in workers:
        id_ = f"revoked by {system} for {kind}"
        agent.ask(f"app.control.revoke({id_!r}, reply=True, timeout=patience / 10, limit=3) and None")
        umbel.ask(f"shop.echo.apply_async((1,), queue={'by ' + kind!r}, task_id={id_!r}) and None")
        told = umbel.ask(f"app.AsyncResult({id_!r}).get(timeout=patience, propagate=False)")
        assert type(told).__name__ == "TaskRevokedError"


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("system", ["celery", "umbel"])
def test_what_one_terminates_ends_in_workers_of_both(system: str, fleet: Fleet, celery: Agent, umbel: Agent) -> None:
    agent = celery if system == "celery" else umbel
    never = fleet.folder / f"never {system}"
    for kind in ("celery", "prefork"):
        id_ = umbel.ask(f"shop.hold.apply_async(({str(never)!r},), queue={'by ' + kind!r}).id")
        until(lambda id_=id_: any(line[:2] == ["holds", id_] for line in fleet.effects()))
        agent.ask(f"app.control.terminate({id_!r}) and None")
        told = umbel.ask(f"app.AsyncResult({id_!r}).get(timeout=patience, propagate=False)")
        assert type(told).__name__ == "TaskRevokedError"
    reserved, active = (f"{ASK.format(limit=3)}.{which}()" for which in ("reserved", "active"))
    until(lambda: not any(agent.ask(reserved).values()), saying=lambda: agent.ask(reserved))
    # Nor has any of them more than what it was given for the other tests.
    until(lambda: all(len(tasks) <= 1 for tasks in agent.ask(active).values()), saying=lambda: agent.ask(active))


def test_the_command_lines_of_both_see_the_workers_of_both(fleet: Fleet, nodes: dict[str, str]) -> None:
    for system in ("celery", "umbel"):
        told = fleet.run(system, "inspect", "ping", "--json", "-t", "5", "-d", ",".join(nodes.values()))
        assert json.loads(told.stdout) == {node: {"ok": "pong"} for node in nodes.values()}, told.stderr
        status = fleet.run(system, "status", "-t", "5", "-d", ",".join(nodes.values()))
        assert "3 nodes online" in status.stdout or "3 workers online" in status.stdout
        for command in ("active", "registered", "stats", "active_queues", "conf", "report", "memsample", "revoked", "scheduled"):
            told = fleet.run(system, "inspect", command, "-t", "5", "-d", ",".join(nodes.values()))
            assert all(node in told.stdout for node in nodes.values()), (command, told)
        told = fleet.run(system, "inspect", "ping", "-t", "0.5", "-d", "nobody@host")
        assert told.returncode == 69


def test_one_shuts_down_the_workers_of_both(fleet: Fleet, celery: Agent, umbel: Agent) -> None:
    for agent in (celery, umbel):
        both = [fleet.start(system, "-Q", "none", "-c", "1") for system in ("celery", "umbel")]
        fleet.ready(*both)
        names = [f"{each.logfile.stem}@host" for each in both]
        until(lambda names=names: len(umbel.ask(f"app.control.ping({names!r})")) == 2)
        agent.ask(f"app.control.shutdown({names!r})")
        for each in both:
            until(lambda each=each: each.process.poll() is not None)
            assert each.process.poll() == 0
            assert "Traceback" not in each.log
