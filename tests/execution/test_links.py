"""What follows from a run, and how it is called."""

from __future__ import annotations

import asyncio
import json

import pytest

from umbel import Task
from umbel.execution.rounds import makers, stand_round
from umbel.follow.links import is_errback_of_the_new_kind
from umbel.wire import protocol
from umbel.wire.encoding import accept_types
from umbel.wire.message import Embed

ACCEPT = accept_types(["json"])


class Either:
    """Errbacks as methods."""

    def of_an_id(self, id_):
        """As classes and bound tasks have it."""

    def of_an_id_and_more(self, id_, more=None):
        """The same."""

    def of_an_error(self, request, error, trace):
        """The new kind."""


def test_a_function_that_takes_more_than_one_value_is_an_errback_of_the_new_kind():
    assert is_errback_of_the_new_kind(lambda request, error, tb: None)
    assert is_errback_of_the_new_kind(lambda id_, more=None: None)
    assert is_errback_of_the_new_kind(lambda *args: None)
    assert not is_errback_of_the_new_kind(lambda task_id: None)
    assert not is_errback_of_the_new_kind(7)


def test_a_method_is_one_if_it_needs_more_than_the_id():
    assert not is_errback_of_the_new_kind(Either().of_an_id)
    assert not is_errback_of_the_new_kind(Either().of_an_id_and_more)
    assert is_errback_of_the_new_kind(Either().of_an_error)


@pytest.fixture
def fail(house):
    @house.task(name="fail")
    def fail():
        raise ValueError("x")

    return fail


class TestErrbacks:
    def test_bound_ones_and_classes_get_the_id_as_a_message(self, house, fail, message):
        @house.task(name="bound", bind=True, queue="mail", time_limit=9)
        def bound(self, id_): ...

        class ByClass(Task):
            name = "by class"

            def run(self, id_, more=None): ...

        house.app.register_task(ByClass)
        sent = house.run(fail, embed=Embed(errbacks=[{"task": "bound"}, {"task": "by class"}])).envelopes
        found = [message(envelope) for envelope in sent]
        assert [(each.headers.task, each.args) for each in found] == [("bound", ["id-1"]), ("by class", ["id-1"])]
        assert [(each.headers.group, each.headers.group_index) for each in found] == [(found[0].headers.group, n) for n in (0, 1)]
        assert (sent[0].queue, found[0].headers.timelimit) == ("mail", (9, None))

    def test_those_that_take_the_error_are_called_with_request_error_and_text(self, house, fail):
        seen = []

        @house.task(name="plain")
        def plain(request, error, trace):
            seen.append((request.id, error, trace))

        @house.task(name="bound", bind=True)
        def bound(self, request, error, trace):
            seen.append((self.name, error, trace))

        outcome = house.run(fail, embed=Embed(errbacks=[{"task": "plain"}, {"task": "bound"}]))
        assert outcome.envelopes == ()
        assert [who for who, _, _ in seen] == ["id-1", "bound"]
        assert all(isinstance(error, ValueError) and trace == outcome.traceback for _, error, trace in seen)

    def test_one_that_cannot_be_sent_is_told_and_the_failure_stays_what_it_is(self, house, fail, caplog):
        seen = []
        house.task(lambda request, error, trace: seen.append(error), name="inline")
        sigs = [{"task": "inline"}, {"task": "bad", "options": {"queue": ""}}, {"task": "good"}]
        outcome = house.run(fail, embed=Embed(errbacks=sigs))
        assert (outcome.kind, outcome.text, len(outcome.results)) == ("failure", "ValueError('x')", 1)
        assert [protocol.headers(envelope, ACCEPT).task for envelope in outcome.envelopes] == ["good"]
        assert "Errback bad of fail[id-1] cannot be sent" in caplog.text
        assert len(seen) == 1


class TestFollowing:
    def test_a_follow_up_obeys_its_own_task_its_route_and_its_signature(self, house, message):
        @house.task(name="one")
        def one():
            return 1

        @house.task(name="mail", queue="mail", priority=4, expires=300, time_limit=30, soft_time_limit=20, ignore_result=True)
        def mail(value): ...

        house.app.conf.task_routes = {"routed": {"queue": "routes", "priority": 7, "foo": "bar"}, "mail": {"queue": "never"}}
        links = [{"task": "mail"}, {"task": "routed"}, {"task": "mail", "options": {"queue": "own", "priority": 9}}]
        first, second, third = house.run(one, embed=Embed(callbacks=links)).envelopes
        headers = message(first).headers
        assert (first.queue, first.priority, headers.timelimit, headers.ignore_result) == ("mail", 4, (30, 20), True)
        assert headers.expires is not None
        assert (second.queue, second.priority, second.properties["foo"]) == ("routes", 7, "bar")
        assert (third.queue, third.priority) == ("own", 9)

    @pytest.mark.parametrize("bad", [{"priority": "x"}, {"queue": ""}, {"time_limit": "long"}])
    def test_one_that_cannot_be_made_is_told_with_its_task_and_option(self, house, bad):
        @house.task(name="one")
        def one():
            return 1

        outcome = house.run(one, embed=Embed(callbacks=[{"task": "next", "options": bad}]))
        assert outcome.kind == "failure"
        assert f"next: {next(iter(bad))}" in outcome.text

    def test_a_result_as_a_value_is_told_as_celery_does(self, house, document):
        @house.task(name="one")
        def one():
            return house.app.AsyncResult("another")

        outcome = house.run(one)
        assert document(outcome.results[0]).result == [["another", None], None]

    def test_nested_headers_are_merged_in_a_worker_and_eagerly(self, house):
        seen = []

        @house.task(name="one", bind=True)
        def one(self):
            seen.append((dict(self.request.headers), self.request.get("b"), self.request.id))

        nested = {"headers": {"a": 1, "id": "evil"}, "b": 2}
        house.run(one, extra=nested)
        one.apply(headers=nested, task_id="id-1")
        house.app.conf.task_always_eager = True
        one.apply_async(headers=nested, task_id="id-1")
        assert seen == [({"b": 2, "a": 1, "id": "evil"}, 2, "id-1")] * 3


class TestFacts:
    def test_documents_tell_all_that_the_request_says_if_they_are_to(self, house, document):
        @house.task(name="one")
        def one(x):
            return x

        house.options["result_facts"] = True
        extra = {"periodic_task_name": "nightly"}
        to = {"properties": {"foo": "bar"}}
        outcome = house.run(one, 1, argsrepr="(***)", kwargsrepr="{}", root_id="root", extra=extra, to=to)
        told = json.loads(outcome.results[0].document)
        assert (told["name"], told["worker"], told["args"], told["argsrepr"]) == ("one", "w1@host", [1], "(***)")
        assert (told["root_id"], told["periodic_task_name"], told["properties"]) == ("root", "nightly", {"foo": "bar"})
        assert document(outcome.results[0]).result == 1


class TestRounds:
    @pytest.fixture
    def around(self):
        """What stands round each run, and notes it."""
        seen = []

        def maker(task):
            def stand(request, go):
                seen.append((task.name, request.id))
                return go()

            return stand

        makers.extend((stand_round(maker), maker))
        makers.remove(maker)
        yield seen
        makers.clear()

    def test_they_stand_round_async_tasks_too_and_in_each_other(self, house, around):
        @house.task(name="one")
        async def one(x):
            return x

        executor = house.executor
        for _ in range(2):
            assert asyncio.run(executor.run_async(house.job(one, 5))).text == "5"
        assert executor.run(house.job(one, 5)).text == "5"
        assert around == [("one", "id-1")] * 6

    def test_a_failure_is_an_ending_like_others_and_its_traceback_says_nothing_of_them(self, house, around):
        @house.task(name="fail")
        def fail():
            raise ValueError("x")

        outcome = house.run(fail)
        assert (outcome.kind, outcome.text) == ("failure", "ValueError('x')")
        assert "stand" not in outcome.traceback
        assert around == [("fail", "id-1")] * 2
