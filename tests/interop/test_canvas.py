"""Canvases of every shape, sent by Celery and by umbel, run by workers of both on the same queue, and read by both.

One is missing: where a part of a chord in a chord fails, and a worker of Celery's is the one that tells the inner body,
it does not tell the outer chord, which then never ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.interop.fleet import Agent, Fleet

from umbel.testing.waiting import until

WORDS = """
from shop import add, canvas, echo, refuse, second_time, spread, total, twice
chain, group, chord, signature = canvas.chain, canvas.group, canvas.chord, canvas.signature
a = add.s
"""
CANVASES: dict[str, tuple[str, Any]] = {
    "chain": ("a(1, 2) | a(3) | a(4)", 10),
    "chain()": ("chain(a(1, 2), a(3), a(4), a(5))", 15),
    "one step": ("chain(a(1, 2))", 3),
    "immutable": ("add.si(1, 2) | add.si(3, 4) | a(1)", 8),
    "chains": ("chain(chain(a(1, 2), a(3)), chain(a(4), a(5)))", 15),
    "group": ("group(a(1, 2), a(3, 4))", [3, 7]),
    "group of one": ("group(a(1, 2))", [3]),
    "group of a generator": ("group(a(n, n) for n in range(5))", [0, 2, 4, 6, 8]),
    "groups": ("group(a(1, 2), group(a(3, 4), a(5, 6)), a(7, 8))", [3, 7, 11, 15]),
    "group of chains": ("group(a(1, 2) | a(3), a(4, 5))", [6, 9]),
    "group of chords": ("group(chord([a(1, 2), a(3, 4)], total.s()), a(4, 5))", [10, 9]),
    "chord": ("chord([a(1, 2), a(3, 4)], total.s())", 10),
    "chord of one": ("chord([a(1, 2)], total.s())", 3),
    "chord of nothing": ("chord([], total.s())", 0),
    "chord of a generator": ("chord((a(n, n) for n in range(5)), echo.s())", [0, 2, 4, 6, 8]),
    "chord of thirty": ("chord([a(n, n) for n in range(30)], total.s())", 870),
    "chord of chains": ("chord([a(1, 2) | a(3), a(4, 5)], echo.s())", [6, 9]),
    "chord of chords": ("chord([chord([a(1, 2), a(3, 4)], total.s()), a(5, 6)], echo.s())", [10, 11]),
    "chord of chords of chords": (
        "chord([chord([chord([a(1, 1)], total.s()), a(3, 4)], total.s()), a(5, 6)], echo.s())",
        [9, 11],
    ),
    "chord, body of steps": ("chord([a(1, 2), a(3, 4)], total.s() | a(5) | a(6))", 21),
    "chord, body a group": ("chord([a(1, 2), a(3, 4)], group(total.s(), echo.s()))", [10, [3, 7]]),
    "chord, body a chord": ("chord([a(1, 2), a(3, 4)], chord([total.s(), total.s()], total.s()))", 20),
    "group | task": ("group(a(1, 2), a(3, 4)) | total.s()", 10),
    "group | steps": ("group(a(1, 2), a(3, 4)) | total.s() | a(100) | a(1000)", 1110),
    "group | group": ("group(a(1, 2), a(3, 4)) | group(total.s(), echo.s())", [10, [3, 7]]),
    "group | group | task": ("group(a(1, 2), a(3, 4)) | group(total.s(), total.s()) | total.s()", 20),
    "task | group": ("a(1, 2) | group(a(3), a(4))", [6, 7]),
    "task | group | task": ("a(1, 2) | group(a(3), a(4)) | total.s()", 13),
    "task | group | steps": ("a(1, 2) | group(a(3), a(4)) | total.s() | a(100) | a(1)", 114),
    "task | group | group | task": ("a(1, 2) | group(a(3), a(4)) | group(total.s(), total.s()) | total.s()", 26),
    "task | chord": ("a(1, 2) | chord([a(3), a(4)], total.s())", 13),
    "chord | task": ("chord([a(1, 2), a(3, 4)], total.s()) | a(1)", 11),
    "chord | chord": ("chord([a(1, 2), a(3, 4)], total.s()) | chord([a(1), a(2)], total.s())", 23),
    "chord | group": ("chord([a(1, 2), a(3, 4)], total.s()) | group(a(1), a(2))", [11, 12]),
    "chord | chain": ("chord([a(1, 2), a(3, 4)], total.s()) | (a(1) | a(2))", 13),
    "chord | chord | chord": (
        "chord([a(1, 2)], total.s()) | chord([a(1), a(2)], total.s()) | chord([a(1), a(2)], total.s())",
        21,
    ),
    "deep": (
        "group(a(1, 2) | group(a(3), a(4)) | total.s(), chord([a(1, 2)], total.s())) | echo.s() | group(echo.s(), total.s())",
        [[13, 3], 16],
    ),
    "map": ("total.map([[1, 2], [3]])", [3, 3]),
    "map | task": ("total.map([[1, 2], [3]]) | total.s()", 6),
    "starmap": ("add.starmap([(1, 2), (3, 4)])", [3, 7]),
    "starmap in a chord": ("chord([add.starmap([(1, 2), (3, 4)]), total.map([[1]])], echo.s())", [[3, 7], [1]]),
    "chunks": ("add.chunks([(n, n) for n in range(5)], 2)", [[0, 2], [4, 6], [8]]),
    "chunks as a group": ("add.chunks([(n, n) for n in range(4)], 2).group()", [[0, 2], [4, 6]]),
    "retries in a chain": ("second_time.s(3) | second_time.s() | a(1)", 4),
    "retries in a chord": ("chord([second_time.s(1), a(1, 1)], echo.s())", [1, 2]),
    "replaced": ("twice.s(4)", 8),
    "replaced in a chain": ("a(1, 1) | twice.s() | a(1)", 5),
    "replaced in a chord": ("chord([twice.s(4), a(1, 1)], echo.s())", [8, 2]),
    "replaced by a group": ("spread.s(4)", [5, 6]),
    "replaced by a group in a chain": ("spread.s(4) | total.s()", 11),
    "replaced by a group in a chord": ("chord([spread.s(4), a(1, 1)], echo.s())", [[5, 6], 2]),
    "callbacks": ("a(1, 2).set(link=[a(1), a(2) | a(3)])", 3),
    "callbacks that are groups": ("a(1, 2).set(link=[group(a(1), a(2)), chord([a(1), a(2)], total.s())])", 3),
    "to and from JSON": ("signature(json.loads(json.dumps(a(1, 2) | group(a(3), a(4)) | total.s() | a(1))))", 14),
    "an empty group": ("chain(a(1, 2), group(), a(3))", 6),
    "a later start": ("chord([a(1, 2), a(3, 4)], total.s()).set(countdown=0.1)", 10),
    "an urgent one": ("chord([a(1, 2), a(3, 4)], total.s()).set(priority=3)", 10),
    "a step that fails": ("refuse.s('no', 7) | echo.s() | echo.s()", ["Refused", ["no", 7]]),
    "a part that fails": ("chord([refuse.s('no', 7), a(1, 1)], total.s())", ["ChordError", "Refused('no', 7)"]),
    "a chain in a chord that fails": (
        "chord([refuse.s('no', 7) | echo.s(), a(1, 1)], total.s())",
        ["ChordError", "Refused('no', 7)"],
    ),
    "a body that fails": ("chord([a(1, 1)], refuse.si('no', 7))", ["Refused", ["no", 7]]),
}
SENDERS = ("celery", "umbel")


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    fleet = make_fleet(SHARED="1")
    fleet.ready(fleet.start("celery", "-c", "2"), fleet.start("umbel", "-c", "2"))
    return fleet


@pytest.fixture(scope="module")
def agents(fleet: Fleet) -> dict[str, Agent]:
    return {system: fleet.agent(system) for system in SENDERS}


@pytest.fixture(scope="module")
def sent(agents: dict[str, Agent]) -> dict[tuple[str, str], Any]:
    """The result tuple of each canvas, by who has sent it: all are on their way at once."""
    found = {}
    for sender, agent in agents.items():
        agent.ask("import json" + WORDS + "\nsent = {}")
        for name, (code, _) in CANVASES.items():
            agent.ask(f"sent[{name!r}] = ({code}).apply_async()")
            found[sender, name] = json.loads(agent.ask(f"json.dumps(sent[{name!r}].as_tuple())"))
    return found


def came_to(agent: Agent, tree: Any, *, failed: bool) -> Any:
    """What a canvas came to, as a client sees it that has only its result tuple."""
    options = ", follow_parents=False" if failed else ""
    return agent.ask(
        f"""
import os
if os.environ["SYSTEM"] == "celery":
    from celery.result import result_from_tuple
else:
    from umbel.client.results.result import result_from_tuple
try:
    value = result_from_tuple({tree!r}, app).get(timeout=patience{options})
except Exception as error:
    text = str(error).partition(" raised ")[2].partition("(\\"")[0]
    value = [type(error).__name__, text or list(error.args)]
value
"""
    )


@pytest.mark.parametrize("name", CANVASES)
@pytest.mark.parametrize("sender", SENDERS)
def test_it_comes_to_the_same_whoever_sends_runs_and_reads_it(
    agents: dict[str, Agent], sent: dict[tuple[str, str], Any], sender: str, name: str
) -> None:
    for reader in SENDERS:
        found = came_to(agents[reader], sent[sender, name], failed="fails" in name)
        assert found == CANVASES[name][1], reader


def test_workers_of_both_have_run_them(fleet: Fleet, sent: Any) -> None:
    until(lambda: all("succeeded in" in worker.log for worker in fleet.workers))
    assert not [line for worker in fleet.workers for line in worker.log.splitlines() if "CRITICAL" in line]
