from __future__ import annotations

import asyncio
import functools
import logging
import math
import pickle
import re
import time

import pytest

from umbel import EncodeError, Ignore, MaxRetriesExceededError, QueueNotFound, Retry, Task, states
from umbel.client.results.eager_result import EagerResult
from umbel.client.results.result import AsyncResult
from umbel.signals import after_task_publish, before_task_publish
from umbel.testing.waiting import pace, patience


@pytest.fixture
def add(app):
    @app.task
    def add(x, y):
        """Add two."""
        return x + y

    return add


# -- making


def test_a_task_is_named_after_its_function_and_keeps_its_documentation(add):
    assert add.name == f"{__name__}.add"
    assert add.__name__ == "add"
    assert add.__doc__ == "Add two."
    assert add.__module__ == __name__
    assert repr(add) == f"<task {__name__}.add>"
    assert isinstance(add, Task)


def test_a_task_is_called_like_a_function(add):
    assert add(1, y=2) == 3


def test_options_become_attributes_and_any_other_too(app):
    @app.task(name="named", max_retries=7, rate_limit="5/m", acks_late=False, colour="green")
    def work(): ...

    assert (work.name, work.max_retries, work.rate_limit, work.acks_late, work.colour) == ("named", 7, "5/m", False, "green")


def test_what_is_not_said_comes_from_the_settings_also_later(app, add):
    assert (add.acks_late, add.ignore_result, add.serializer, add.max_retries) == (True, False, "json", 3)
    app.conf.update(task_acks_late=False, task_ignore_result=True)
    assert (add.acks_late, add.ignore_result) == (False, True)
    add.ignore_result = False
    assert add.ignore_result is False


def test_an_option_given_as_none_means_as_the_settings_say(app):
    app.conf.task_default_rate_limit = "3/s"

    @app.task(rate_limit=None, time_limit=None)
    def work(): ...

    assert work.rate_limit == "3/s"
    assert work.time_limit is None


def test_a_bound_task_gets_itself(app):
    @app.task(bind=True)
    def me(self, x):
        return self.name, x

    assert me(4) == (me.name, 4)


def test_a_base_class_gives_attributes_hooks_and_properties(app):
    class Base(Task):
        abstract = True
        max_retries = 9

        @property
        def colour(self):
            return "blue"

    @app.task(base=Base)
    def work(): ...

    assert isinstance(work, Base)
    assert (work.max_retries, work.colour) == (9, "blue")


def test_a_base_assigned_to_the_app_counts_for_tasks_made_later(app):
    class Base(app.Task):
        marked = True

    app.Task = Base

    @app.task
    def work(): ...

    assert work.marked


def test_an_option_may_replace_a_hook(app, work):
    seen = []

    @app.task(on_success=lambda self, value, id_, args, kwargs: seen.append((self.name, value)))
    def job():
        return 5

    job.delay()
    work()
    assert seen == [(job.name, 5)]


def test_a_class_is_a_task_too(app, work):
    class Add(Task):
        name = "add-class"

        def run(self, x, y=1):
            return x + y, self.request.id

    add = app.register_task(Add())
    result = add.delay(1, y=5)
    work()
    assert result.get() == [6, result.id]
    with pytest.raises(TypeError, match=r"add-class: missing a required argument: 'x'; it takes \(x, y=1\)"):
        add.delay()


def test_a_class_without_a_name_gets_one_and_replaces_what_has_it(app):
    class Job(Task):
        def run(self): ...

    first, second = app.register_task(Job), app.register_task(Job())
    assert first.name == f"{__name__}.Job"
    assert app.tasks[first.name] is second


def test_a_class_without_run_says_so(app):
    class Nothing(Task):
        name = "nothing"

    with pytest.raises(AttributeError, match="Nothing has no `run`"):
        app.register_task(Nothing())()


def test_a_second_task_of_one_name_is_ignored_with_a_warning(app):
    @app.task(name="same")
    def first(): ...

    with pytest.warns(UserWarning, match="there is a task 'same' already"):

        @app.task(name="same")
        def second(): ...

    assert app.tasks["same"].__wrapped__ is first.__wrapped__
    assert app.task(first.__wrapped__, name="same") is first


def test_a_module_that_is_imported_twice_is_no_second_task(app):
    def load():
        def same(): ...

        return app.task(same, name="same")

    assert load() is load()


def test_an_async_function_is_known_as_one(app, add):
    @app.task
    async def later(x):
        return x

    @app.task(bind=True)
    async def bound(self, x): ...

    assert later.is_async
    assert bound.is_async
    assert not add.is_async
    assert asyncio.run(later(3)) == 3


def test_a_subclass_with_a_call_of_its_own_runs_around_the_function(app, work):
    class Loud(Task):
        def __call__(self, *args, **kwargs):
            return "before", super().__call__(*args, **kwargs)

    @app.task(base=Loud, bind=True)
    def job(self, x):
        return x, self.request.id

    result = job.delay(1)
    work()
    assert result.get() == ["before", [1, result.id]]
    assert job(2) == ("before", (2, None))


def test_a_task_called_inside_another_has_a_request_of_its_own(app, work):
    @app.task(bind=True)
    def inner(self):
        return self.request.id, self.request.called_directly

    @app.task(bind=True)
    def outer(self):
        return self.request.id, inner()

    result = outer.delay()
    work()
    assert result.get() == [result.id, [None, True]]


def test_the_request_of_a_task_that_does_not_run_is_empty(add):
    assert (add.request.id, add.request.retries, add.request.called_directly) == (None, 0, True)


def test_a_task_travels_in_a_pickle_by_its_name(app, add):
    assert pickle.loads(pickle.dumps(add)) is add


def test_annotations_of_the_settings_change_tasks(make_app):
    app = make_app()
    calls = []

    def around(inner, *args, **kwargs):
        calls.append(args)
        return inner(*args, **kwargs)

    @app.task(name="one")
    def one(): ...

    @app.task(name="two")
    def two(x):
        return x

    app.conf.task_annotations = {"*": {"rate_limit": "1/s"}, "two": {"rate_limit": "2/s", "@run": around}}
    app.finalize()
    assert (one.rate_limit, two.rate_limit) == ("1/s", "2/s")
    assert two(5) == 5
    assert calls == [(5,)]

    @app.task(name="three")
    def three(): ...

    assert three.rate_limit == "1/s"


# -- sending


def test_a_sent_task_runs_and_its_result_comes_back(add, work):
    result = add.delay(2, 3)
    assert result.state == states.PENDING
    work()
    assert (result.get(timeout=patience()), result.state, result.successful()) == (5, states.SUCCESS, True)


def test_the_message_says_what_celery_says(app, add, sent):
    result = add.apply_async((2,), {"y": 3})
    ((envelope, message),) = sent()
    headers = message.headers
    assert (envelope.id, envelope.queue, envelope.priority, envelope.due) == (result.id, "celery", 0, None)
    assert (headers.task, headers.id, headers.root_id, headers.parent_id) == (add.name, result.id, result.id, None)
    assert (headers.retries, headers.timelimit, headers.ignore_result) == (0, (None, None), False)
    assert (headers.argsrepr, headers.kwargsrepr) == ("(2,)", "{'y': 3}")
    assert (list(message.args), message.kwargs) == ([2], {"y": 3})


def test_every_option_reaches_the_message(add, sent):
    before = time.time()
    add.apply_async(
        (1, 2),
        task_id="my-id",
        countdown=60,
        expires=120,
        queue="other",
        priority=7,
        time_limit=20,
        soft_time_limit=10,
        shadow="shown",
        ignore_result=True,
        headers={"trace": "abc"},
        reply_to="box",
        root_id="root",
        parent_id="parent",
        group_id="group",
        group_index=3,
        retries=2,
        link=add.s(10),
        link_error=[add.si(1, 1)],
        chain=[dict(add.s(3))],
        argsrepr="(hidden)",
        MessageGroupId="g1",
        compression="gzip",
    )
    ((envelope, message),) = sent()
    headers = message.headers
    assert (envelope.id, envelope.queue, envelope.priority, envelope.reply_to) == ("my-id", "other", 7, "box")
    assert before + 60 <= envelope.due <= time.time() + 60
    assert envelope.properties["MessageGroupId"] == "g1"
    assert 118_000 < int(envelope.properties["expiration"]) <= 120_000
    assert (headers.timelimit, headers.shadow, headers.ignore_result, headers.argsrepr) == ((20, 10), "shown", True, "(hidden)")
    assert (headers.root_id, headers.parent_id, headers.group, headers.group_index) == ("root", "parent", "group", 3)
    assert (headers.retries, headers.compression) == (2, "application/x-gzip")
    assert message.extra == {"trace": "abc"}
    assert [each["args"] for each in message.embed.callbacks] == [[10]]
    assert [each["immutable"] for each in message.embed.errbacks] == [True]
    assert len(message.embed.chain) == 1


def test_options_of_the_task_are_those_of_each_call(app, sent):
    @app.task(queue="mail", priority=3, expires=60, serializer="json", time_limit=9, ignore_result=True)
    def job(): ...

    result = job.delay()
    job.apply_async(queue="other", priority=4)
    (first, message), (second, _) = sent()
    assert (first.queue, first.priority, message.headers.timelimit[0], message.headers.ignore_result) == ("mail", 3, 9, True)
    assert message.headers.expires is not None
    assert (second.queue, second.priority) == ("other", 4)
    assert result.ignored
    assert result.get() is None


def test_stamps_travel_as_headers(add, sent):
    add.apply_async((1, 2), stamped_headers=["user"], user="me")
    ((envelope, message),) = sent()
    assert (message.headers.stamped_headers, message.headers.stamps) == (["user"], {"user": "me"})
    assert envelope.properties == {}


@pytest.mark.parametrize(("given", "kept"), [(-3, 0), (5, 5), (200, 9)])
def test_a_priority_is_brought_into_its_range(add, sent, given, kept):
    add.apply_async((1, 2), priority=given)
    assert sent()[0][0].priority == kept


def test_the_default_priority_comes_from_the_settings(app, add, sent):
    app.conf.task_default_priority = 4
    add.delay(1, 2)
    assert sent()[0][0].priority == 4


def test_settings_changed_between_two_calls_count_for_the_second(app, add, sent):
    add.delay(1, 2)
    app.conf.task_default_queue = "other"
    add.delay(1, 2)
    assert [envelope.queue for envelope, _ in sent()] == ["celery", "other"]


def test_attributes_changed_between_two_calls_count_for_the_second(add, sent):
    add.delay(1, 2)
    add.queue = "other"
    add.delay(1, 2)
    assert [envelope.queue for envelope, _ in sent()] == ["celery", "other"]


def test_a_soft_limit_longer_than_the_hard_one_is_refused(add, sent):
    with pytest.raises(ValueError, match="soft_time_limit = 10 is longer than time_limit = 5"):
        add.apply_async((1, 2), time_limit=5, soft_time_limit=10)
    assert sent() == []


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("countdown", "soon", "a number of seconds"),
        ("countdown", math.inf, "a number of seconds"),
        ("eta", 5, "a datetime or a time in ISO 8601"),
        ("eta", "2026-13-45", "a datetime or a time in ISO 8601"),
        ("expires", "never", "a number of seconds, a datetime or a time in ISO 8601"),
        ("time_limit", "long", "a number of seconds"),
        ("soft_time_limit", -1, "a number of seconds"),
        ("priority", "high", "a whole number, 0 to 9"),
        ("retries", 1.5, "a whole number"),
        ("queue", 5, "the name of a queue"),
        ("headers", ["a"], "a mapping"),
        ("link", "proj.add", "a signature, or a list of them"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(add, sent, option, value, wanted):
    with pytest.raises(ValueError, match=re.escape(f"{add.name}: {option} must be {wanted}, not {value!r}")):
        add.apply_async((1, 2), **{option: value})
    assert sent() == []


def test_an_unknown_queue_is_refused_where_queues_must_be_known(app, add):
    app.conf.update(task_queues=["mail"], task_create_missing_queues=False)
    with pytest.raises(QueueNotFound, match="queue 'mial' is not in task_queues; add it, or set task_create_missing_queues"):
        add.apply_async((1, 2), queue="mial")


# -- arguments


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [
        ((1,), {}, "missing a required argument: 'y'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1, 2), {"y": 3}, "multiple values for argument 'y'"),
        ((1, 2), {"z": 3}, "got an unexpected keyword argument 'z'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_sending(add, sent, args, kwargs, problem):
    with pytest.raises(TypeError, match=f"{add.name}: {problem}"):
        add.apply_async(args, kwargs)
    with pytest.raises(TypeError, match=problem):
        add.delay(*args, **kwargs)
    assert sent() == []


@pytest.mark.parametrize("args", [5, "text", {"x": 1}])
def test_arguments_that_are_no_sequence_are_refused(add, args):
    with pytest.raises(TypeError, match=r"args must be a tuple or a list, not .*; for one argument write args="):
        add.apply_async(args)


def test_arguments_are_not_looked_at_if_typing_is_off(app, make_app, sent):
    @app.task(typing=False)
    def job(x): ...

    job.delay()
    assert len(sent()) == 1
    loose = make_app(strict_typing=False)

    @loose.task
    def other(x): ...

    assert other.typing is False


def test_a_decorator_that_adds_arguments_is_what_counts(app):
    def with_session(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function("session", *args, **kwargs)

        return wrapper

    @app.task
    @with_session
    def job(session, x):
        return session, x

    job.delay(1)
    assert job(1) == ("session", 1)


def test_an_argument_that_cannot_travel_is_named_before_anything_is_sent(add, sent):
    with pytest.raises(EncodeError, match=f"{add.name}: argument 'y' cannot be sent as json"):
        add.delay(1, object())
    with pytest.raises(EncodeError, match="argument 'y'"):
        add.apply_async((1,), {"y": {1, 2}}, countdown=1)
    with pytest.raises(EncodeError, match=r"argument 'x'\[2\]"):
        add.delay([1, 2, object()], 1)
    with pytest.raises(EncodeError, match="argument 'y'"):
        add.delay_many([(1, object())])
    assert sent() == []


# -- many


def test_many_calls_are_sent_in_one_step_and_give_their_results_in_order(add, work):
    results = add.delay_many([(1, 2), [3, 4], {"x": 5, "y": 6}, add.s(7, y=8)])
    assert len(results) == 4
    work()
    assert results.get(timeout=patience()) == [3, 7, 11, 15]
    assert [result.get() for result in results] == [3, 7, 11, 15]
    assert [result.id for result in results[1:3]] == results.ids[1:3]


def test_many_may_be_a_generator_and_have_options(app, add, sent):
    results = add.delay_many(((i, i) for i in range(2_500)), queue="other", priority=2)
    messages = sent()
    assert len(results) == len(messages) == 2_500
    assert {(envelope.queue, envelope.priority) for envelope, _ in messages} == {("other", 2)}
    assert [message.args[0] for _, message in messages] == list(range(2_500))
    assert len(set(results.ids)) == 2_500


def test_many_calls_make_one_store_call_for_each_thousand(app, add):
    sizes = []
    send = app.broker.send
    app.broker.send = lambda envelopes, **options: sizes.append(len(envelopes)) or send(envelopes, **options)
    add.delay_many((i, i) for i in range(2_001))
    assert sizes == [1_000, 1_000, 1]


def test_one_wrong_call_among_many_is_refused_with_its_thousand(add, sent):
    with pytest.raises(TypeError, match="missing a required argument"):
        add.delay_many([(1, 2), (3,)])
    assert sent() == []


def test_many_without_results_are_known_as_ignored(app, add):
    assert add.delay_many([(1, 2)], ignore_result=True).get() == [None]


def test_many_go_by_routes_that_look_at_arguments(app, add, sent):
    app.conf.task_routes = [lambda name, args, kwargs, options, task=None: {"queue": f"q{args[0]}"}]
    add.delay_many([(1, 2), (2, 3)])
    assert [envelope.queue for envelope, _ in sent()] == ["q1", "q2"]


def test_many_eager_calls_run_at_once(app, add):
    app.conf.task_always_eager = True
    results = add.delay_many([(1, 2), {"x": 3, "y": 4}])
    assert results.get() == [3, 7]
    assert results[1].get() == 7
    assert results[:1].get() == [3]


def test_no_calls_at_all_are_many_too(add):
    assert add.delay_many([]).get(timeout=patience()) == []


# -- inside a run


def test_a_task_sent_inside_another_knows_its_parent(app, add, work, sent):
    @app.task
    def parent():
        first = add.delay(1, 2)
        many = add.delay_many([(3, 4)])
        return [first.id, *many.ids]

    result = parent.apply_async(priority=5)
    accept = work()[0]
    ids = result.get()
    assert accept.results
    assert [child.id for child in result.children] == ids


def test_parent_root_and_priority_are_inherited(app, sent):
    from umbel.execution import request as requests

    @app.task
    def child(): ...

    outer = requests.Request(id="p", root_id="r", task="x", delivery_info={"priority": 6}, called_directly=False)
    token = requests.push(outer)
    try:
        child.delay()
        app.conf.task_inherit_parent_priority = True
        child.delay()
    finally:
        requests.current.reset(token)
    (first, message), (second, _) = sent()
    assert (message.headers.parent_id, message.headers.root_id) == ("p", "r")
    assert (first.priority, second.priority) == (0, 6)
    assert len(outer.children) == 2


def test_waiting_inside_a_task_is_refused_unless_allowed(app, add, work):
    from umbel import allow_join_result
    from umbel.client.results.result import denied_join_result

    @app.task
    def waits():
        result = add.delay(1, 2)
        with pytest.raises(RuntimeError, match="waits for a result inside a task"):
            result.get(timeout=0)
        with pytest.raises(RuntimeError), allow_join_result(), denied_join_result():
            result.get(timeout=0)
        with allow_join_result():
            result.forget()
            app.backend.store([])
        return "refused"

    result = waits.delay()
    work()
    assert result.get() == "refused"


def test_update_state_is_seen_by_those_who_ask(app, work):
    seen = []

    @app.task(bind=True)
    def job(self):
        self.update_state(state="PROGRESS", meta={"done": 3})
        seen.append((AsyncResult(self.request.id).state, AsyncResult(self.request.id).info))

    job.delay()
    work()
    assert seen == [("PROGRESS", {"done": 3})]
    job.update_state("elsewhere", "MINE")
    assert app.AsyncResult("elsewhere").state == "MINE"
    with pytest.raises(ValueError, match="outside of a run update_state needs a task_id"):
        job.update_state(state="NOBODY")


# -- retry


def test_a_retried_task_runs_again_under_the_same_id(app, work):
    @app.task(bind=True, max_retries=3)
    def flaky(self):
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return self.request.retries

    result = flaky.delay()
    outcomes = work()
    assert [str(outcome.kind) for outcome in outcomes] == ["retry", "retry", "success"]
    assert result.get() == 2


def test_retry_over_the_limit_raises_what_went_wrong(app, work):
    @app.task(bind=True, max_retries=1, default_retry_delay=0)
    def flaky(self):
        try:
            raise KeyError("gone")
        except KeyError as error:
            self.retry(exc=error)

    @app.task(bind=True, max_retries=0)
    def never(self):
        raise self.retry()

    first, second = flaky.delay(), never.delay()
    work()
    with pytest.raises(KeyError, match="gone"):
        first.get()
    with pytest.raises(MaxRetriesExceededError):
        second.get()


def test_retry_without_throw_gives_the_retry(app, work):
    @app.task(bind=True)
    def job(self):
        if self.request.retries:
            return "second"
        found = self.retry(countdown=0, throw=False)
        assert isinstance(found, Retry)
        raise found

    result = job.delay()
    work()
    assert result.get() == "second"


def test_retry_of_a_task_called_like_a_function_raises_what_went_wrong(app):
    @app.task(bind=True)
    def job(self, error=None):
        if error is None:
            raise self.retry()
        try:
            raise error
        except ValueError:
            self.retry()

    with pytest.raises(Retry):
        job()
    with pytest.raises(ValueError, match="mine"):
        job(ValueError("mine"))


# -- eager


def test_apply_runs_at_once_with_the_objects_themselves(app):
    marker = object()

    @app.task
    def same(x):
        return x

    result = same.apply((marker,))
    assert isinstance(result, EagerResult)
    assert result.get() is marker
    assert (result.state, result.ready(), result.successful(), result.failed()) == ("SUCCESS", True, True, False)


def test_apply_keeps_what_the_task_raised(app):
    @app.task
    def boom():
        raise ValueError("no")

    result = boom.apply()
    assert (result.state, result.failed()) == ("FAILURE", True)
    assert "ValueError: no" in result.traceback
    with pytest.raises(ValueError, match="no"):
        result.get()
    assert isinstance(result.get(propagate=False), ValueError)
    with pytest.raises(ValueError, match="no"):
        boom.apply(throw=True)


def test_apply_knows_its_request(app):
    @app.task(bind=True)
    def job(self, *args):
        request = self.request
        return request.id, request.is_eager, request.called_directly, request.retries, request.trace, list(request.args)

    result = job.apply((1,), task_id="mine", retries=2, headers={"trace": 7})
    assert result.id == "mine"
    assert result.get() == ("mine", True, False, 2, 7, [1])


def test_apply_retries_at_once(app):
    @app.task(bind=True, max_retries=5)
    def job(self, x):
        if self.request.retries < 3:
            raise self.retry(args=(x + 1,), countdown=1_000)
        return x, self.request.retries

    started = pace()
    assert job.apply((0,)).get() == (3, 3)
    assert pace() - started < 5


def test_apply_logs_the_ends_of_runs_as_a_worker_does(app, caplog):
    @app.task(name="tell", bind=True, throws=(KeyError,))
    def tell(self, how):
        if how == "retry" and not self.request.retries:
            raise self.retry(countdown=0)
        if how == "fail":
            raise ValueError("no")
        if how == "miss":
            raise KeyError("k")
        return how

    caplog.set_level(logging.INFO, "umbel.trace")
    for how in ("well", "retry", "fail", "miss"):
        tell.apply((how,), task_id=how)
    said = [record.getMessage().splitlines()[0] for record in caplog.records]
    assert [re.sub(r" in [0-9.e-]+s", " in 1s", line) for line in said] == [
        "Task tell[well] succeeded in 1s: 'well'",
        "Task tell[retry] retry: Retry in 1s",
        "Task tell[retry] succeeded in 1s: 'retry'",
        "Task tell[fail] raised unexpected: ValueError('no')",
        "Task tell[miss] raised expected: KeyError('k')",
    ]


def test_apply_of_an_ignored_run_says_so(app):
    @app.task
    def job():
        raise Ignore

    assert job.apply().state == "IGNORED"


def test_always_eager_runs_at_once_with_arguments_as_a_worker_gets_them(app, add):
    app.conf.task_always_eager = True
    assert add.delay(1, 2).get() == 3
    assert add.apply_async(((1,), (2,)), countdown=100).get() == [1, 2]  # tuples arrive as lists
    with pytest.raises(EncodeError, match=add.name):
        add.delay(object(), 1)


def test_eager_errors_propagate_if_told_to(app):
    @app.task
    def boom():
        raise ValueError("no")

    app.conf.task_always_eager = True
    assert boom.delay().state == "FAILURE"
    app.conf.task_eager_propagates = True
    with pytest.raises(ValueError, match="no"):
        boom.delay()


def test_eager_callbacks_follow(app):
    seen = []

    @app.task
    def keep(value):
        seen.append(value)

    @app.task
    def give():
        return 4

    app.conf.task_always_eager = True
    give.apply_async(link=keep.s())
    assert seen == [4]


def test_an_eager_result_is_kept_if_told_to(app, add):
    app.conf.task_store_eager_result = True
    assert add.apply((1, 2)).get() == 3
    result = add.apply((2, 2))
    assert app.AsyncResult(result.id).get(timeout=patience()) == 4


def test_an_async_task_runs_eagerly(app):
    @app.task
    async def later(x):
        await asyncio.sleep(0)
        return x

    assert later.apply((3,)).get() == 3


# -- signals


def test_receivers_may_change_headers_and_arguments(app, add, sent):
    seen = []

    @before_task_publish.connect(sender=add.name)
    def before(sender=None, headers=None, body=None, properties=None, exchange=None, routing_key=None, **kwargs):
        headers["trace"] = "abc"
        headers["argsrepr"] = "(secret)"
        body[0][0] = 50
        body[1]["y"] = 60
        properties["x"] = 1
        seen.append(
            (sender, headers["id"], headers["task"], headers["argsrepr"], exchange, routing_key, len(body), kwargs["declare"])
        )

    @after_task_publish.connect
    def after(sender=None, headers=None, body=None, **kwargs):
        seen.append((sender, headers["trace"], body[0]))

    try:
        result = add.apply_async((1,), {"y": 2})
        add.delay_many([(1, 2)])
    finally:
        before_task_publish.disconnect(before, sender=add.name)
        after_task_publish.disconnect(after)
    (envelope, message), (_, second) = sent()
    assert seen[0] == (add.name, result.id, add.name, "(secret)", "", "celery", 3, [])
    assert seen[1] == (add.name, "abc", [50])
    assert message.extra == {"trace": "abc"}
    assert (list(message.args), message.kwargs, message.headers.argsrepr) == ([50], {"y": 60}, "(secret)")
    assert envelope.properties == {"x": 1}
    assert list(second.args) == [50, 2]


def test_after_publish_is_told_when_the_batch_is_sent(app, add):
    told = []

    @after_task_publish.connect
    def after(sender=None, **kwargs):
        told.append(sender)

    try:
        with app.batch():
            add.delay(1, 2)
            assert told == []
        assert told == [add.name]
    finally:
        after_task_publish.disconnect(after)


def test_a_task_may_show_another_name(app, sent):
    class Shown(Task):
        def shadow_name(self, args, kwargs, options):
            return f"shown {args[0]}"

    @app.task(base=Shown)
    def job(x): ...

    job.delay(5)
    job.delay_many([(6,)])
    assert [message.headers.shadow for _, message in sent()] == ["shown 5", "shown 6"]


def test_a_replaced_run_is_what_runs_and_what_arguments_must_fit(add):
    add.run = lambda *args, **kwargs: "replaced"
    assert add(1) == "replaced"
    add.delay(1)
