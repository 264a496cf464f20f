"""What one system sends the other runs, and the sender learns what became of it; the same is asked of all four pairs.

Celery's own pair says that an expectation is Celery's, umbel's that it is kept where no Celery is.
"""

from __future__ import annotations

import itertools
import signal
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.interop.fleet import Agent, Fleet

from umbel.testing.waiting import until

OTHER = {"celery": "umbel", "umbel": "celery"}
_numbers = itertools.count(1)


@dataclass
class Way:
    """From a client to a worker.

    In the code that `ask` runs `queue` is that worker's, `other` the other system's, and `name` occurs in no other test.
    """

    sender: str
    worker: str
    agent: Agent
    fleet: Fleet
    node: str
    name: str

    def ask(self, code: str) -> Any:
        names = f"queue, other, name = {self.worker!r}, {OTHER[self.worker]!r}, {self.name!r}\n"
        return self.agent.ask(names + textwrap.dedent(code).strip())

    def gate(self) -> Path:
        """A file that is not there yet, for tasks to wait for."""
        return self.fleet.folder / f"gate{next(_numbers)}"

    def noted(self, *words: str) -> bool:
        return list(words) in self.fleet.effects()


@pytest.fixture(scope="module")
def parts(make_fleet: Callable[..., Fleet]) -> tuple[Fleet, dict[str, str], dict[str, Agent]]:
    fleet = make_fleet()
    workers = {system: fleet.start(system, "-Q", system, "-c", "2") for system in OTHER}
    agents = {system: fleet.agent(system) for system in OTHER}
    fleet.ready(*workers.values())
    return fleet, {system: f"{worker.logfile.stem}@host" for system, worker in workers.items()}, agents


@pytest.fixture
def make_agents(parts: Any) -> Iterator[Callable[..., dict[str, Agent]]]:
    """Makes a client of each system, in an environment of their own."""
    made: list[Agent] = []

    def make(**env: str) -> dict[str, Agent]:
        agents = {system: parts[0].agent(system, **env) for system in OTHER}
        made.extend(agents.values())
        return agents

    yield make
    for agent in made:
        agent.close()


PAIRS = [("celery", "umbel"), ("umbel", "celery"), ("celery", "celery"), ("umbel", "umbel")]


SLOW = pytest.mark.parametrize("way", PAIRS[:2], ids=" to ".join, indirect=True)
"""Asked only of the pairs of which one is Celery's and one umbel's, as it takes a second."""
FROM_CELERY = pytest.mark.parametrize("way", PAIRS[0::2], ids=" to ".join, indirect=True)
"""What umbel's clients cannot make yet."""
FROM_UMBEL = pytest.mark.parametrize("way", PAIRS[1::2], ids=" to ".join, indirect=True)


@pytest.fixture(params=PAIRS, ids=" to ".join)
def way(request: pytest.FixtureRequest, parts: Any) -> Iterator[Way]:
    fleet, nodes, agents = parts
    sender, worker = request.param
    return Way(sender, worker, agents[sender], fleet, nodes[worker], f"name{next(_numbers)}")


# -- results -------------------------------------------------------------------------------------------------------------


def test_a_value_and_all_that_is_kept_beside_it(way: Way) -> None:
    told = way.ask("told(shop.add.apply_async((2,), {'y': 3}, queue=queue))")
    assert told.pop("date_done").endswith("+00:00")
    assert told == {
        "state": "SUCCESS",
        "result": 5,
        "traceback": None,
        "children": [],
        "name": "shop.add",
        "args": [2],
        "kwargs": {"y": 3},
        "worker": way.node,
        "retries": 0,
        "queue": way.worker,
    }


def test_a_failure_is_raised_as_the_class_that_it_was(way: Way) -> None:
    told = way.ask(
        """
result = shop.refuse.apply_async(("no", 7), queue=queue)
try:
    result.get(timeout=patience)
except shop.Refused as error:
    caught = str(error), error.code
caught, result.state, result.traceback, result.failed()
"""
    )
    caught, state, traceback, failed = told
    assert caught == ("('no', 7)", 7)
    assert (state, failed) == ("FAILURE", True)
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert "in refuse\n    raise Refused(text, code)\nshop.Refused: ('no', 7)" in traceback


def test_an_exception_whose_arguments_cannot_travel_keeps_its_class(way: Way) -> None:
    told = way.ask("told(shop.fail_oddly.apply_async(queue=queue))")
    kind, (text, thing) = told["result"]
    assert (kind, text) == ("builtins.LookupError", "odd")
    assert thing.startswith("<object object at")


def test_what_takes_no_such_arguments_fails(way: Way) -> None:
    told = way.ask("told(app.send_task('shop.add', (1, 2, 3), queue=queue))")
    assert told["state"] == "FAILURE"
    assert told["result"][0] == "builtins.TypeError"


def test_a_task_that_has_begun_says_so(way: Way) -> None:
    gate = way.gate()
    way.ask(f"result = shop.wait_for.apply_async(({str(gate)!r},), queue=queue)")
    until(lambda: way.ask("result.state") == "STARTED")
    info = way.ask("result.info")
    assert info.keys() == {"pid", "hostname"}
    assert info["hostname"] == way.node
    gate.touch()
    assert way.ask("result.get(timeout=patience)") == "there"


def test_a_state_of_the_tasks_own(way: Way) -> None:
    gate = way.gate()
    way.ask(f"result = shop.progress.apply_async(({str(gate)!r},), queue=queue)")
    until(lambda: way.ask("result.state") == "PROGRESS")
    assert way.ask("result.info") == {"percent": 50}
    gate.touch()
    assert way.ask("result.get(timeout=patience)") == "done"


def test_the_children_of_a_task_are_known(way: Way) -> None:
    child, known, facts = way.ask(
        """
result = shop.send_child.apply_async((other,), queue=queue)
child = result.get(timeout=patience)
child, [each.id for each in result.children], result.children[0].get(timeout=patience) | {"mother": result.id}
"""
    )
    assert known == [child]
    assert facts["id"] == child
    assert facts["parent_id"] == facts["root_id"] == facts["mother"]


def test_a_result_that_nobody_wants_is_not_kept(way: Way) -> None:
    id_, value = way.ask(
        """
result = shop.write.apply_async(("unwanted",), ignore_result=True, queue=queue)
result.id, result.get(timeout=patience)
"""
    )
    assert value is None
    until(lambda: way.noted("unwanted", id_))
    assert way.ask("shop.add.apply_async((1, 1), queue=queue).get(timeout=patience)") == 2
    assert way.ask(f"app.AsyncResult({id_!r}).state") == "PENDING"


def test_a_result_is_found_by_its_id_and_forgotten(way: Way) -> None:
    found = way.ask(
        """
shop.add.apply_async((1, 2), task_id=name, queue=queue).get(timeout=patience)
result = app.AsyncResult(name)
before = result.state, result.result
result.forget()
before, app.AsyncResult(name).state
"""
    )
    assert found == (("SUCCESS", 3), "PENDING")


def test_what_was_ignored_or_rejected(way: Way) -> None:
    id_ = way.ask("result = shop.ignored.apply_async(queue=queue)\nresult.id")
    until(lambda: way.noted("ignored", id_))
    kind, told = way.ask("told(shop.rejected.apply_async(queue=queue))")["result"]
    assert kind.endswith(".Reject")
    assert told == ["no", False]
    assert way.ask("result.state") == "PENDING"


def test_a_task_that_nobody_knows(way: Way) -> None:
    told = way.ask("told(app.send_task('shop.nothing', queue=queue))")
    assert told["state"] == "FAILURE"
    assert told["result"][0].endswith(".NotRegistered")
    assert told["result"][1] == ["shop.nothing"]


# -- bytes ---------------------------------------------------------------------------------------------------------------

TYPED = """
import datetime, decimal, uuid
values = [
    datetime.datetime(2024, 5, 6, 7, 8, 9, 123), datetime.datetime(2024, 5, 6, tzinfo=datetime.timezone.utc),
    datetime.date(2024, 5, 6), datetime.time(7, 8), decimal.Decimal("1.50"), uuid.UUID(int=5), "text".encode(), bytes([255, 0]),
    "é\\u2028\\U0001f600", None, True, 1.5, 2 ** 70, {"a": [1]},
]
"""


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_typed_values_come_as_what_they_were(way: Way, serializer: str) -> None:
    sent, seen, back = way.ask(
        TYPED
        + f"""
options = dict(queue=queue, serializer={serializer!r})
seen = shop.look_at.apply_async((values,), **options).get(timeout=patience)
back = shop.echo.apply_async((values,), **options).get(timeout=patience)
[repr(each) for each in values], seen, [repr(each) for each in back]
"""
    )
    assert seen == sent
    assert back == sent


@pytest.mark.parametrize(
    ("serializer", "values"),
    [
        ("pickle", "[(1, 2), float('inf'), datetime.datetime(2024, 5, 6), '\\ud800']"),
        ("yaml", "[1, 'é', None, True, 1.5, {'a': [1]}, b'\\xff', datetime.date(2024, 5, 6), datetime.datetime(2024, 5, 6, 7)]"),
        ("msgpack", "[1, 'é', None, True, 1.5, {'a': [1]}, b'\\xff', 2 ** 63]"),
        ("json", "[1, 'é', float('inf'), -0.0, 1e300, '', {}, [], '\\ud800']"),
    ],
)
def test_what_each_serializer_can_do(way: Way, serializer: str, values: str) -> None:
    sent, seen = way.ask(
        f"""
import datetime
values = {values}
result = shop.look_at.apply_async((values,), queue=queue, serializer={serializer!r})
[repr(each) for each in values], result.get(timeout=patience)
"""
    )
    assert seen == sent


def test_what_only_pickle_can_do(way: Way) -> None:
    id_ = way.ask("shop.show.apply_async(({1}, 1j, ValueError('x'), print), queue=queue, serializer='pickle').id")
    until(lambda: way.noted(id_, "{1}", "1j", "ValueError('x')", "<built-in_function_print>"))


@pytest.mark.parametrize("compression", ["gzip", "zlib", "bzip2", "lzma", "brotli"])
def test_compressed_messages(way: Way, compression: str) -> None:
    text = "many words " * 1000
    assert way.ask(f"shop.echo.apply_async(({text!r},), compression={compression!r}, queue=queue).get(timeout=patience)") == text


def test_long_messages(way: Way) -> None:
    assert way.ask("len(shop.echo.apply_async(('x' * 3_000_000,), queue=queue).get(timeout=patience))") == 3_000_000


# -- what stands in the headers ------------------------------------------------------------------------------------------


def test_what_a_task_knows_of_its_call(way: Way) -> None:
    facts = way.ask(
        """
shop.request.apply_async(
    (1,), {"k": 2}, queue=queue, task_id=name, root_id="r", parent_id="p", shadow="nick", group_id="g", group_index=3,
    argsrepr="(***)", kwargsrepr="{***}", time_limit=50, soft_time_limit=40, correlation_id="c", reply_to="me",
).get(timeout=patience)
"""
    )
    info = facts.pop("delivery_info")
    assert facts.pop("origin").startswith("gen")
    assert facts.pop("utc") in {None, True}  # None of Celery's: protocol 2 has no such header
    assert facts.pop("headers") in (None, {})
    assert facts == {
        "id": way.name,
        "task": "shop.request",
        "args": [1],
        "kwargs": {"k": 2},
        "root_id": "r",
        "parent_id": "p",
        "group": "g",
        "group_index": 3,
        "retries": 0,
        "eta": None,
        "expires": None,
        "shadow": "nick",
        "lang": "py",
        "argsrepr": "(***)",
        "kwargsrepr": "{***}",
        "timelimit": [50, 40],
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
        "callbacks": None,
        "errbacks": None,
        "chain": None,
        "chord": None,
        "correlation_id": "c",
        "reply_to": "me",
        "is_eager": False,
        "called_directly": False,
    }
    assert info == {"exchange": "", "routing_key": way.worker, "priority": 0, "redelivered": False}


def test_headers_of_ones_own(way: Way) -> None:
    call = "shop.header.apply_async(('tenant',), headers={'tenant': 'é', 'n': [1, None]}, queue=queue)"
    assert way.ask(f"{call}.get(timeout=patience)") == ["é", "é"]


def test_a_task_sent_by_its_name_alone(way: Way) -> None:
    assert way.ask("app.send_task('shop.add', (1, 2), queue=queue).get(timeout=patience)") == 3


@SLOW
def test_time_limits_that_come_with_the_call(way: Way) -> None:
    hard, soft = way.ask(
        f"""
call = (({str(way.gate())!r},),)
hard = shop.wait_for.apply_async(*call, time_limit=1, queue=queue)
soft = shop.wait_for.apply_async(*call, soft_time_limit=0.5, time_limit=30, queue=queue)
told(hard), told(soft)
"""
    )
    assert hard["result"][0].endswith(".TimeLimitExceeded")
    assert hard["result"][1] == [1]
    assert soft["result"][0].endswith(".SoftTimeLimitExceeded")
    assert (hard["state"], soft["state"]) == ("FAILURE", "FAILURE")


# -- times ---------------------------------------------------------------------------------------------------------------


@SLOW
def test_calls_for_later(way: Way) -> None:
    early, order = way.ask(
        """
import datetime, time
utc, seconds, first, due = datetime.timezone.utc, 0.5, 1, 0
zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
while first > due:  # on a busy machine it is all the same by then which of them was for later
    seconds *= 2
    began, moment = time.time(), datetime.datetime.now(utc) + datetime.timedelta(seconds=seconds)
    times = [{"countdown": seconds}, {"eta": moment}, {"eta": moment.astimezone(zone)}, {"eta": moment.replace(tzinfo=None)}]
    results = [shop.now.apply_async(queue=queue, **each) for each in times]
    first, due = shop.now.apply_async(queue=queue).get(timeout=patience), began + seconds
    ran = [each.get(timeout=patience) for each in results]
[each - due for each in ran], first < min(ran)
"""
    )
    assert order
    assert min(early) > -0.1
    assert max(early) < 30


def test_what_celery_sends_for_later_waits_in_the_store_not_in_the_worker(parts: Any) -> None:
    """Celery's clients put it into the queue itself, however far off it is."""
    fleet, _, agents = parts
    worker = fleet.start("umbel", "-Q", "far off", "-c", "1")
    agents["celery"].ask("[shop.add.apply_async((1, 1), countdown=86400, queue='far off') for _ in range(3000)] and None")
    until(lambda: agents["umbel"].ask("app.broker.depth(['far off'])['far off'].later") == 3000)
    assert agents["umbel"].ask("app.broker.depth(['far off'])['far off'].held") == 0
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert agents["umbel"].ask("app.broker.purge('far off')") == 3000


@SLOW
def test_what_is_past_its_time_is_not_run(way: Way) -> None:
    told, id_ = way.ask(
        """
import datetime
result = shop.write.apply_async(("expired",), countdown=0.6, expires=0.2, queue=queue)
told(result), result.id
"""
    )
    assert told["state"] == "REVOKED"
    assert told["result"][0].endswith(".TaskRevokedError")
    assert told["result"][1] == ["expired"]
    assert not way.noted("expired", id_)


def test_what_is_not_past_its_time_runs(way: Way) -> None:
    assert way.ask("shop.add.apply_async((1, 2), expires=60, queue=queue).get(timeout=patience)") == 3


# -- retries -------------------------------------------------------------------------------------------------------------


def test_retries_are_counted_from_one_system_to_the_other(way: Way) -> None:
    seen = way.ask("shop.hop.apply_async(([other, queue, other, queue],), queue=queue).get(timeout=patience)")
    here, there = way.worker, OTHER[way.worker]
    systems = [here, there, here, there, here]
    assert seen == [[system, retries, retries > 0] for retries, system in enumerate(systems)]


@SLOW
def test_a_retry_is_told(way: Way) -> None:
    gate = way.gate()
    way.ask(f"result = shop.later.apply_async(({str(gate)!r},), queue=queue)")
    until(lambda: way.ask("result.state") == "RETRY")
    kind, traceback = way.ask("type(result.result).__name__, result.traceback")
    assert kind == "Refused"
    assert "Retry in 1s" in traceback
    gate.touch()
    assert way.ask("result.get(timeout=patience)") >= 1


def test_automatic_retries_end(way: Way) -> None:
    id_, told = way.ask("result = shop.stubborn.apply_async(queue=queue)\nresult.id, told(result)")
    assert told["result"] == ["shop.Refused", ["never", 2]]
    assert told["retries"] == 2
    assert [words[2] for words in way.fleet.effects() if words[:2] == ["stubborn", id_]] == ["0", "1", "2"]


# -- what follows --------------------------------------------------------------------------------------------------------


def test_callbacks_run_on_the_other_side(way: Way) -> None:
    facts = way.ask(
        """
follow = shop.request.si("after").set(queue=other, task_id="follow " + name)
result = shop.add.apply_async((1, 2), queue=queue, link=[follow, shop.echo.s().set(queue=other)])
result.get(timeout=patience)
app.AsyncResult("follow " + name).get(timeout=patience) | {"mother": result.id}
"""
    )
    assert facts["args"] == ["after"]
    assert facts["parent_id"] == facts["root_id"] == facts["mother"]


def test_errbacks_run_on_the_other_side(way: Way) -> None:
    id_ = way.ask(
        """
result = shop.refuse.apply_async(
    ("no", 1), queue=queue, link_error=[shop.sorry.s().set(queue=other), shop.blame.s().set(queue=other)]
)
result.get(timeout=patience, propagate=False)
result.id
"""
    )
    until(lambda: way.noted("sorry", id_))
    until(lambda: way.noted("blame", id_, "Refused", "True"))


@FROM_CELERY
def test_a_chain_of_celerys_goes_through_both(way: Way) -> None:
    value, parents = way.ask(
        """
from celery import chain
result = chain(shop.add.s(1, 2).set(queue=queue), shop.add.s(3).set(queue=other), shop.add.s(4).set(queue=queue)).apply_async()
value = result.get(timeout=patience)
value, [result.parent.get(timeout=patience), result.parent.parent.get(timeout=patience)]
"""
    )
    assert value == 10
    assert parents == [6, 3]


@FROM_CELERY
def test_a_chain_that_breaks_tells_who_waits_for_its_end(way: Way) -> None:
    told = way.ask(
        """
from celery import chain
result = chain(shop.refuse.si("no", 1).set(queue=queue), shop.echo.s().set(queue=other)).apply_async()
told(result.parent), result.id
"""
    )
    assert told[0]["result"] == ["shop.Refused", ["no", 1]]


@FROM_CELERY
def test_a_group_of_celerys(way: Way) -> None:
    values = way.ask(
        """
from celery import group
parts = [shop.add.s(number, number).set(queue=queue if number % 2 else other) for number in range(6)]
group(parts).apply_async().get(timeout=patience)
"""
    )
    assert values == [0, 2, 4, 6, 8, 10]


def test_a_chord_of_celerys_is_run(parts: Any) -> None:
    value = parts[2]["celery"].ask(
        """
from celery import chord
chord([shop.add.si(1, n).set(queue="umbel") for n in (1, 2)])(shop.echo.s().set(queue="umbel")).get(timeout=patience)
"""
    )
    assert value == [2, 3]


@FROM_UMBEL
def test_many_calls_at_once(way: Way) -> None:
    values = way.ask("shop.add.delay_many([(number, 1) for number in range(300)], queue=queue).get(timeout=patience)")
    assert values == list(range(1, 301))


RESULTS = {
    "pickle": "{1, (2, 3)}",
    "yaml": "{'a': [1, 2.5], 'b': b'x'}",
    "msgpack": "[1, None, b'x']",
    "json": "[Decimal('1.5')]",
}


@pytest.mark.parametrize("serializer", RESULTS)
def test_results_in_each_serializer(make_agents: Callable[..., dict[str, Agent]], serializer: str) -> None:
    agents = make_agents(RESULTS=serializer)
    for writer, reader in PAIRS[:2]:
        sent = agents[writer].ask(
            f"""
from decimal import Decimal
value = {RESULTS[serializer]}
shop.echo.update_state(task_id="of {writer} by {serializer}", state="SUCCESS", meta=value)
shop.echo.update_state(task_id="error of {writer} by {serializer}", state="FAILURE", meta=shop.Refused("no", 7))
repr(value)
"""
        )
        seen, date, kind, arguments = agents[reader].ask(
            f"""
good, bad = app.AsyncResult("of {writer} by {serializer}"), app.AsyncResult("error of {writer} by {serializer}")
repr(good.get(timeout=patience)), good.date_done.isoformat(), type(bad.result) is shop.Refused, bad.result.args
"""
        )
        assert seen == sent
        assert date.endswith("+00:00")
        assert kind
        assert arguments == ("no", 7)
