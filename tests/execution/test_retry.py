"""Retries: whether, when, and the message."""

from __future__ import annotations

import datetime

import pytest

from umbel import clock
from umbel.errors import MaxRetriesExceededError, Retry
from umbel.execution import retry
from umbel.execution.request import Request, current, push
from umbel.wire.message import Embed

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def task(house):
    @house.task(name="work")
    def work(*args, **kwargs):
        pass

    return work


@pytest.fixture
def request_of(house, task, message):
    """The request of a message to `work`, which is served from now on."""
    tokens = []

    def make(*args, **options):
        job = house.job(task, *args, **options)
        request = Request.from_message(message(job.envelope), job.envelope, task, hostname="w1@host")
        tokens.append(push(request))
        return request

    yield make
    for token in reversed(tokens):
        current.reset(token)


@pytest.fixture
def again(task):
    """The message of a retry of the call that is served."""

    def make(request, args=None, kwargs=None, **options):
        (envelope,) = task.app.relay.again(task, request, args, kwargs, {"retries": request.retries + 1, **options})
        return envelope

    return make


class TestDelays:
    @pytest.mark.parametrize(
        ("backoff", "retries", "pause"),
        [(True, 0, 1), (True, 3, 8), (5, 2, 20), (0.5, 1, 1), (True, 20, 600), (True, 100_000, 600)],
    )
    def test_pauses_double_up_to_the_longest(self, task, backoff, retries, pause):
        task.retry_backoff, task.retry_jitter = backoff, False
        assert retry.delay_for(task, retries) == pause

    def test_jitter_draws_from_all_of_the_pause(self, task):
        task.retry_backoff = 10
        assert [retry.delay_for(task, 1, lambda n=n: n) for n in (0.0, 0.25, 0.999)] == [0.0, 5.0, 19.98]

    def test_jitter_is_random_unless_told_otherwise(self, task):
        task.retry_backoff = 10
        assert 0 <= retry.delay_for(task, 0) <= 10


class TestMessage:
    def test_it_is_the_same_call_once_more(self, again, request_of, message):
        embed = Embed(callbacks=[{"task": "a"}], errbacks=[{"task": "b"}], chain=[{"task": "c"}], chord={"task": "d"})
        request = request_of(
            *(1, 2),
            kwargs={"k": 3},
            embed=embed,
            extra={"x-tenant": "t", "x-death": [1]},
            retries=1,
            root_id="root",
            parent_id="parent",
            group="g",
            group_index=4,
            timelimit=(30, 20),
            origin="gen1@elsewhere",
            shadow="nick",
            ignore_result=True,
            expires="2030-01-01T00:00:00+00:00",
            to={"queue": "q", "priority": 7, "reply_to": "me", "exchange": "ex", "routing_key": "rk"},
        )
        envelope = again(request, countdown=10)
        found = message(envelope)
        headers = found.headers
        assert (envelope.id, envelope.queue, envelope.priority, envelope.due) == ("id-1", "q", 7, NOW + 10)
        assert (envelope.exchange, envelope.routing_key, envelope.reply_to) == ("ex", "rk", "me")
        assert (found.args, found.kwargs, found.embed) == ([1, 2], {"k": 3}, embed)
        assert found.extra == {"x-tenant": "t"}
        assert (headers.id, headers.task, headers.retries) == ("id-1", "work", 2)
        assert (headers.root_id, headers.parent_id, headers.origin) == ("root", "id-1", "gen1@elsewhere")
        assert (headers.group, headers.group_index, headers.shadow) == ("g", 4, "nick")
        assert (headers.timelimit, headers.ignore_result) == ((30, 20), True)
        assert headers.eta == "2023-11-14T22:13:30+00:00"
        assert headers.expires == "2030-01-01T00:00:00+00:00"

    def test_options_win(self, again, request_of, message):
        request = request_of(1, to={"queue": "q", "exchange": "ex"}, extra={"a": 1})
        envelope = again(
            request,
            args=(5,),
            kwargs={"k": 6},
            eta=datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC),
            queue="other",
            priority=0,
            headers={"b": 2},
            link={"task": "a"},
            time_limit=9,
            expires=60,
            serializer="json",
            compression="gzip",
        )
        found = message(envelope)
        assert (found.args, found.kwargs) == ([5], {"k": 6})
        assert (envelope.queue, envelope.exchange) == ("other", "")
        assert found.extra == {"a": 1, "b": 2}
        assert found.embed.callbacks == [{"task": "a"}]
        assert (found.headers.timelimit, found.headers.expires) == ((9, None), "2023-11-14T22:14:20+00:00")
        assert found.headers.eta == "2030-01-02T00:00:00+00:00"

    def test_hidden_arguments_stay_hidden(self, again, request_of, message):
        request = request_of("secret", argsrepr="(***)")
        assert message(again(request)).headers.argsrepr == "(***)"
        assert message(again(request, args=["new"])).headers.argsrepr == "['new']"

    def test_a_queue_may_be_an_object(self, again, request_of):
        class Queue:
            name = "named"

        assert again(request_of(), queue=Queue()).queue == "named"

    def test_a_request_without_message_can_be_sent_too(self, again, message):
        request = Request(id="x", task="work", args=(1,), kwargs={}, called_directly=False)
        envelope = again(request)
        assert (envelope.queue, message(envelope).args) == ("celery", [1])


def retried(task, request, **options):
    """What `task.retry` gives while it serves `request`."""
    if request.called_directly:
        token = push(request)
        request.owner = task
        try:
            return task.retry(throw=False, **options)
        finally:
            current.reset(token)
    return task.retry(throw=False, **options)


class TestRetry:
    def test_it_waits_the_task_s_delay_unless_told_otherwise(self, task, request_of):
        request = request_of()
        found = retried(task, request)
        assert (found.when, request.follow_ups[0].due) == (180, NOW + 180)

    def test_the_second_replaces_the_first(self, task, request_of):
        request = request_of()
        retried(task, request, countdown=1)
        request.follow_ups.append("something else")
        retried(task, request, countdown=2)
        assert [getattr(one, "due", one) for one in request.follow_ups] == ["something else", NOW + 2]

    def test_an_eta_may_be_text(self, task, request_of):
        found = retried(task, request_of(), eta="2030-01-02T00:00:00")
        assert found.when == datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
        assert str(found) == "Retry at 2030-01-02 00:00:00+00:00"

    def test_past_the_limit_it_raises_what_went_wrong(self, task, request_of):
        with pytest.raises(ValueError, match="x"):
            retried(task, request_of(retries=3), exc=ValueError("x"))
        with pytest.raises(MaxRetriesExceededError, match=r"Can't retry work\[id-1\] args:\(1,\) kwargs:\{\}") as told:
            retried(task, request_of(1, retries=3))
        assert (told.value.task_args, told.value.task_kwargs) == ((1,), {})

    def test_a_limit_given_here_wins_for_this_once(self, task, request_of):
        assert retried(task, request_of(retries=3), max_retries=4)
        with pytest.raises(MaxRetriesExceededError):
            retried(task, request_of(), max_retries=0)

    def test_without_limit_it_goes_on_for_ever(self, task, request_of):
        task.max_retries = None
        assert retried(task, request_of(retries=10_000))

    def test_called_directly_it_raises_what_went_wrong(self, task):
        with pytest.raises(ValueError, match="x"):
            retried(task, Request(), exc=ValueError("x"))
        with pytest.raises(Retry, match="can be retried"):
            retried(task, Request())

    def test_by_hand_the_time_is_taken_from_the_exception(self, task, request_of):
        when = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
        request = request_of()
        assert retry.by_hand(task, Retry(when=when)).when == when
        assert retry.by_hand(task, Retry(when=4)).when == 4
        assert [envelope.due for envelope in request.follow_ups] == [NOW + 4]


class TestAutomatic:
    def test_it_says_what_it_is_for(self, task, request_of):
        task.autoretry_for, task.dont_autoretry_for = [OSError], ConnectionError
        request = request_of()
        assert retry.automatic(task, request, ValueError(), lambda: 0.5) is None
        assert retry.automatic(task, request, ConnectionError(), lambda: 0.5) is None
        error = OSError("x")
        found = retry.automatic(task, request, error, lambda: 0.5)
        assert (found.exc, found.__cause__, found.when) == (error, error, 180)

    def test_it_takes_the_task_s_arguments_of_retry(self, task, request_of):
        task.autoretry_for, task.retry_kwargs = (OSError,), {"max_retries": 1, "countdown": 7}
        assert retry.automatic(task, request_of(), OSError(), lambda: 0.5).when == 7
        assert retry.automatic(task, request_of(retries=1), OSError(), lambda: 0.5) is None

    def test_backoff_and_jitter_use_the_given_randomness(self, task, request_of):
        task.autoretry_for, task.retry_backoff = (OSError,), 10
        assert retry.automatic(task, request_of(retries=1), OSError(), lambda: 0.25).when == 5
