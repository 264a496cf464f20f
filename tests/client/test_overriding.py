"""Who puts a method of his own in the place of one that sends is entered for each message that goes through it."""

from __future__ import annotations

import functools

import pytest

from umbel import EagerResult, Task, Umbel, chain, chord, group
from umbel.execution.rounds import makers, stand_round
from umbel.messages import announce
from umbel.wire import protocol
from umbel.wire.encoding import accept_types

ACCEPT = accept_types(["json"])


@pytest.fixture
def diary():
    """What was entered, in order."""
    return []


@pytest.fixture
def noting(diary):
    """A class of tasks whose methods note that they were entered, and put a tenant into the headers."""

    class Noting(Task):
        abstract = True

        def delay(self, *args, **kwargs):
            diary.append(f"delay {self.name}")
            return super().delay(*args, **kwargs)

        def apply_async(self, args=None, kwargs=None, **options):
            diary.append(f"apply_async {self.name}")
            options["headers"] = {**(options.get("headers") or {}), "tenant": "x"}
            return super().apply_async(args, kwargs, **options)

        def retry(self, *args, **options):
            diary.append(f"retry {self.name}")
            return super().retry(*args, **options)

        def signature_from_request(self, *args, **options):
            diary.append(f"signature_from_request {self.name}")
            return super().signature_from_request(*args, **options)

        def signature(self, *args, **options):
            diary.append(f"signature {self.name}")
            return super().signature(*args, **options)

        def apply(self, *args, **options):
            diary.append(f"apply {self.name}")
            return super().apply(*args, **options)

    return Noting


@pytest.fixture
def noted(app, noting):
    @app.task(base=noting, name="noted")
    def noted(*args):
        return args

    return noted


def plainly(value):
    """Lists for tuples, at any depth."""
    return [plainly(each) for each in value] if isinstance(value, (list, tuple)) else value


def tenants(outcomes):
    found = [protocol.decode(envelope, ACCEPT) for outcome in outcomes for envelope in outcome.envelopes]
    return [(message.headers.task, message.extra.get("tenant")) for message in found]


class TestTask:
    def test_a_direct_call_enters_all_of_them_in_order(self, noted, diary, sent):
        noted.delay(1)
        assert diary == ["delay noted", "apply_async noted"]
        assert sent()[0][1].extra == {"tenant": "x"}

    def test_many_calls_enter_it_one_by_one(self, noted, diary, sent):
        noted.delay_many([(1,), (2,)])
        assert diary == ["apply_async noted"] * 2
        assert [message.extra for _, message in sent()] == [{"tenant": "x"}] * 2

    def test_signatures_are_made_by_it_whatever_they_are_called_by(self, noted, diary):
        noted.s(1), noted.si(1), noted.subtask((1,)), noted.signature((1,))
        assert diary == ["signature noted"] * 4

    def test_callbacks_errbacks_and_steps_of_chains_enter_it_and_leave_with_the_outcome(self, app, noted, diary, work, sent):
        @app.task(name="one")
        def one():
            return 1

        @app.task(name="fail")
        def fail():
            raise ValueError

        link = {"task": "noted", "args": [5]}
        one.apply_async(link=[link, link], chain=[link])
        fail.apply_async(link_error={"task": "noted", "immutable": True})
        sent()
        outcomes = work("celery")[:2]
        assert diary.count("apply_async noted") == 3
        assert tenants(outcomes) == [("noted", "x")] * 3
        assert sent() == []  # nothing went round the outcome

    def test_the_result_remembers_what_it_has_sent_once(self, app, noted, work):
        @app.task(name="one")
        def one():
            return 1

        result = one.apply_async(link={"task": "noted"})
        outcome = work("celery")[0]
        assert [child.id for child in result.children] == [outcome.envelopes[0].id]

    @pytest.mark.parametrize("by", ["hand", "option"])
    def test_a_retry_enters_all_that_lies_on_its_way(self, app, noting, diary, work, sent, by):
        @app.task(base=noting, name="flaky", bind=True, autoretry_for=(ValueError,), retry_kwargs={"countdown": 60})
        def flaky(self):
            if by == "hand":
                raise self.retry(countdown=60)
            raise ValueError

        flaky.delay()
        sent()
        diary.clear()
        (outcome,) = work("celery")
        way = ["retry", "signature_from_request", "signature", "apply_async"]
        assert diary == [f"{step} flaky" for step in way]
        assert outcome.kind == "retry"
        assert tenants([outcome]) == [("flaky", "x")]
        assert sent() == []

    def test_a_retry_method_of_its_own_that_gives_up_fails_with_the_error(self, app, work):
        class Once(Task):
            abstract = True

            def retry(self, *args, exc=None, **options):
                raise exc

        @app.task(base=Once, autoretry_for=(ValueError,))
        def fail():
            raise ValueError("x")

        fail.delay()
        (outcome,) = work("celery")
        assert (outcome.kind, outcome.text) == ("failure", "ValueError('x')")
        assert "retry.py" not in outcome.traceback

    def test_other_messages_of_a_run_leave_at_once(self, app, noted, work, sent):
        @app.task(name="sender")
        def sender():
            noted.delay(1)

        sender.delay()
        sent()
        outcome = work("celery")[0]
        assert outcome.envelopes == ()
        assert [message.headers.task for _, message in sent()] == ["noted"]

    def test_an_eager_retry_enters_apply(self, app, noting, diary):
        @app.task(base=noting, name="eager", bind=True)
        def eager(self):
            if self.request.retries < 2:
                raise self.retry()
            return self.request.retries

        assert eager.apply().get() == 2
        once = ["apply eager", "retry eager", "signature_from_request eager", "signature eager"]
        assert diary == once * 2 + ["apply eager"]

    @pytest.mark.parametrize("is_sent", [True, False])
    @pytest.mark.parametrize(
        ("canvas", "value", "times"),
        [
            (lambda one: chain(one.s(1), one.s(2)), ((1,), 2), 2),
            (lambda one: group(one.s(1), one.s(2)), [(1,), (2,)], 2),
            (lambda one: chord([one.s(1), one.s(2)], one.s()), ([(1,), (2,)],), 3),
            (lambda one: chain(one.si(1), group(one.si(2), one.si(3))), [(2,), (3,)], 3),
        ],
    )
    def test_parts_of_eager_canvases_enter_apply(self, app, noted, diary, canvas, value, times, is_sent):
        made = canvas(noted)
        app.conf.task_always_eager = True
        diary.clear()
        found = made.apply_async() if is_sent else made.apply()
        assert plainly(found.get()) == plainly(value)
        assert diary == ["apply noted"] * times

    def test_a_part_that_is_tried_again_enters_it_for_each_try(self, app, noting, diary):
        @app.task(base=noting, name="part", bind=True)
        def part(self, *args):
            if self.request.retries < 1:
                raise self.retry()
            return len(args)

        found = chain(part.si(), part.s()).apply()
        assert (found.get(), found.parent.get()) == (1, 0)
        assert diary.count("apply part") == 4

    def test_what_a_part_replaces_itself_by_enters_it_too(self, app, noting, noted, diary):
        @app.task(base=noting, name="stand", bind=True)
        def stand(self):
            return self.replace(noted.si(7))

        assert plainly(chain(stand.si(), noted.s()).apply().get()) == [[7]]
        assert [each for each in diary if each.startswith("apply ")] == ["apply stand", "apply noted", "apply noted"]

    @pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
    def test_an_apply_that_runs_nothing_decides_how_its_part_ends(self, app, noted, state):
        class Stub(Task):
            abstract = True

            def apply(self, args=None, kwargs=None, **options):
                return EagerResult(options["task_id"], 5 if state == "SUCCESS" else KeyError("no"), state)

        stub = app.task(lambda *args: 1 / 0, base=Stub, name="stub")
        found = chain(stub.si(), noted.s()).apply()
        if state == "SUCCESS":
            assert plainly(found.get()) == [5]
        else:
            with pytest.raises(KeyError):
                found.get()
        assert chord([stub.si(), stub.si()], noted.s()).apply().state == state

    def test_calls_that_run_eagerly_enter_apply(self, app, noted, diary):
        app.conf.task_always_eager = True
        assert noted.delay(1).get() == (1,)
        assert diary == ["delay noted", "apply_async noted", "apply noted"]

    def test_one_that_sends_nothing_leaves_nothing(self, app, work):
        class Never(Task):
            abstract = True

            def apply_async(self, *args, **options):
                return None

        app.task(lambda *args: None, base=Never, name="never")

        @app.task
        def one(): ...

        one.apply_async(link={"task": "never"})
        (outcome,) = work("celery")
        assert (outcome.kind, outcome.envelopes) == ("success", ())


class TestPatches:
    """As tracing tools make them, when everything has been used already."""

    @pytest.fixture
    def one(self, app):
        @app.task(name="one")
        def one(*args): ...

        one.delay()
        return one

    @pytest.fixture
    def wrap(self, diary):
        def wrap(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                diary.append(function.__name__)
                kwargs["headers"] = {**(kwargs.get("headers") or {}), "trace": "t"}
                return function(*args, **kwargs)

            return wrapper

        return wrap

    def test_of_the_class_task_are_seen(self, one, work, wrap, diary, monkeypatch):
        work("celery")
        monkeypatch.setattr(Task, "apply_async", wrap(Task.apply_async))
        one.apply_async(link={"task": "one"})
        assert diary == ["apply_async"]
        outcome = work("celery")[0]
        assert diary == ["apply_async"] * 2
        assert protocol.decode(outcome.envelopes[0], ACCEPT).extra == {"trace": "t"}

    def test_of_the_class_of_apps_are_seen_by_the_short_way_too(self, one, sent, wrap, diary, monkeypatch):
        monkeypatch.setattr(Umbel, "send_task", wrap(Umbel.send_task))
        one.delay(1)
        one.delay_many([(1,)])
        assert diary == ["send_task"] * 2
        assert [message.extra for _, message in sent()] == [{"trace": "t"}] * 2
        monkeypatch.undo()
        one.delay(1)
        assert diary == ["send_task"] * 2

    def test_of_one_app_and_one_task_are_seen(self, app, one, sent, work, wrap, diary):
        app.send_task = wrap(app.send_task)
        one.delay(1)
        assert diary == ["send_task"]
        del app.send_task
        one.apply_async = wrap(one.apply_async)
        one.delay(1)
        assert diary == ["send_task", "apply_async"]

    def test_of_send_task_are_entered_by_follow_ups(self, app, one, work, wrap, diary):
        work("celery")
        one.apply_async(link=[{"task": "one"}, {"task": "stranger", "options": {"queue": "other"}}])
        app.send_task = wrap(app.send_task)
        outcome = work("celery")[0]
        assert diary[:2] == ["send_task"] * 2
        assert {protocol.decode(envelope, ACCEPT).extra["trace"] for envelope in outcome.envelopes} == {"t"}


class TestApp:
    def test_a_subclass_is_entered_by_all_that_is_sent(self, make_app, sent):
        seen = []

        class App(Umbel):
            def send_task(self, name, args=None, kwargs=None, **options):
                seen.append((name, options.get("queue"), options.get("ignore_result")))
                options["headers"] = {**(options.get("headers") or {}), "request": "r1"}
                return super().send_task(name, args, kwargs, **options)

        app = App("sub", broker="memory://overriding", set_as_current=False)

        @app.task(name="mail", queue="mail", ignore_result=True)
        def mail(x): ...

        mail.delay(1)
        mail.s(1).delay()
        app.send_task("stranger")
        assert seen == [("mail", "mail", True)] * 2 + [("stranger", None, None)]
        held = app.broker.reserve(["mail", "celery"], 9, 1.0)
        assert [protocol.decode(each.envelope, ACCEPT).extra for each in held] == [{"request": "r1"}] * 3
        app.close()


class TestDoors:
    def test_a_publisher_is_entered_with_each_message_and_may_change_it(self, make_app, work, monkeypatch):
        seen = []

        class Publisher:
            wanted = True

            def wants(self):
                return self.wanted

            def publish(self, name, *, headers, body, properties, exchange, routing_key, address):
                seen.append((name, headers["id"], routing_key, address["priority"]))
                headers["trace"] = "t"

        publisher = Publisher()
        monkeypatch.setattr(announce, "_publisher", None)
        announce.publish_through(publisher)
        app = make_app()

        @app.task(name="one", priority=3)
        def one(): ...

        result = one.delay()
        one.delay_many([()])
        assert seen[0] == ("one", result.id, "celery", 3)
        assert len(seen) == 2
        publisher.wanted = False
        one.delay()
        assert len(seen) == 2
        held = app.broker.reserve(["celery"], 9, 1.0)
        assert [protocol.decode(each.envelope, ACCEPT).extra for each in held] == [{"trace": "t"}] * 2 + [{}]

    def test_what_stands_round_runs_is_asked_for_once_for_each_task(self, app, work):
        asked, seen = [], []

        @stand_round
        def outer(task):
            asked.append(task.name)
            if task.name == "left out":
                return None

            def stand(request, go):
                seen.append(("before", request.id))
                ending = go()
                seen.append(("after", ending.kind))
                return ending

            return stand

        try:

            @app.task(name="one")
            def one(x):
                seen.append(x)
                return x

            @app.task(name="fails")
            def fails():
                raise ValueError

            @app.task(name="left out")
            def left_out(): ...

            first = one.delay(1)
            one.delay(2)
            fails.delay()
            left_out.delay()
            outcomes = work("celery")
        finally:
            makers.remove(outer)
        assert asked == ["one", "fails", "left out"]
        assert seen[:3] == [("before", first.id), 1, ("after", "success")]
        assert seen[-1] == ("after", "failure")
        assert [outcome.kind for outcome in outcomes] == ["success", "success", "failure", "success"]
