"""What becomes of a delivery, by its headers."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from umbel import Umbel, clock
from umbel.errors import DecodeError
from umbel.stores.broker import Delivery
from umbel.wire import protocol
from umbel.wire.envelope import Envelope
from umbel.wire.message import Headers, Message
from umbel.worker.judge import FIRST_PARK, PARK, STRANGERS, Judge, Judgement, Rules, Verdict
from umbel.worker.ticket import Ticket
from umbel.worker.worker import rate_limits

JSON = frozenset({"application/json"})

app = Umbel("judged", broker="memory://judged", set_as_current=False)


@app.task(name="plain")
def plain() -> None:
    """A task without options."""


@app.task(name="early", acks_late=False, time_limit=9, soft_time_limit=5, track_started=True)
def early() -> None:
    """A task with options."""


@app.task(name="limited", rate_limit="1/h")
def limited() -> None:
    """A task with a rate limit."""


@app.task(name="native")
async def native() -> None:
    """A coroutine."""


def judge(**rules: Any) -> Judge:
    """A judge with these rules, and the tasks above."""
    given = {"accept": JSON, "soft": None, "hard": None, "unknown_ttl": 600.0, **rules}
    return Judge(app.tasks, Rules(**given), rate_limits(app))


def delivery(task: str = "plain", *, parked: float | None = None, **headers: Any) -> Delivery:
    """A delivery of one message."""
    message = Message(Headers(task=task, id="an-id", **headers))
    return Delivery(protocol.encode(message, queue="q"), "q", "receipt", 1, parked=parked)


def iso(offset: float) -> str:
    """The time in `offset` seconds."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=offset)).isoformat()


def verdict(decided: Ticket | Judgement) -> Verdict | None:
    """The verdict, or None if it is to run."""
    return decided.verdict if isinstance(decided, Judgement) else None


def ticket(decided: Ticket | Judgement) -> Ticket:
    """The ticket of one that is to run."""
    assert isinstance(decided, Ticket)
    return decided


def judgement(decided: Ticket | Judgement) -> Judgement:
    """What is said of one that is not to run."""
    assert isinstance(decided, Judgement)
    return decided


def test_a_plain_message_runs() -> None:
    found = ticket(judge().judge(delivery()))
    assert (found.job.task, found.job.soft, found.job.hard, found.job.tell) == ("plain", None, None, False)
    assert not found.early
    assert str(found) == "plain[an-id]"


def test_jobs_are_numbered() -> None:
    the_judge = judge()
    assert [ticket(the_judge.judge(delivery())).job.number for _ in range(3)] == [1, 2, 3]


def test_all_headers_are_read_where_somebody_must_be_told() -> None:
    one = delivery()
    one.envelope.headers = one.envelope.headers.replace(b'"retries":0', b'"retries":"many"')
    with pytest.raises(DecodeError, match="retries"):
        assert ticket(judge().judge(one)).headers  # where it runs it is found to be unreadable
    one.revoked = True
    found = judgement(judge().judge(one))
    assert found.verdict is Verdict.UNREADABLE
    assert "retries" in found.reason


def test_the_task_s_own_options_count() -> None:
    found = ticket(judge(soft=100.0).judge(delivery("early")))
    assert (found.job.soft, found.job.hard, found.job.tell) == (5, 9, True)
    assert found.early


def test_the_message_s_limits_come_before_the_task_s_and_those_before_the_worker_s() -> None:
    the_judge = judge(soft=100.0, hard=200.0)
    by_message = ticket(the_judge.judge(delivery("early", timelimit=(4, 3)))).job
    by_worker = ticket(the_judge.judge(delivery("plain"))).job
    assert (by_message.soft, by_message.hard) == (3, 4)
    assert (by_worker.soft, by_worker.hard) == (100.0, 200.0)


def test_async_tasks_are_marked() -> None:
    assert ticket(judge().judge(delivery("native"))).job.is_async


def test_what_had_begun_with_early_ack_does_not_run_again() -> None:
    begun = delivery("early")
    begun.begun = True
    assert verdict(judge().judge(begun)) is Verdict.STRANDED


def test_what_was_revoked_is_told_so_whatever_else_there_is_to_say_of_it() -> None:
    for each in (delivery(), delivery(eta=iso(60)), delivery(expires=iso(-1)), delivery("nobody.knows"), delivery("early")):
        each.revoked = each.begun = True
        assert verdict(judge().judge(each)) is Verdict.REVOKED


def test_a_message_before_its_time_goes_back_until_then() -> None:
    found = judgement(judge().judge(delivery(eta=iso(60))))
    assert found.verdict is Verdict.LATER
    assert found.wait == pytest.approx(60, abs=5)


def test_a_message_at_its_time_runs() -> None:
    assert verdict(judge().judge(delivery(eta=iso(-1)))) is None


@pytest.mark.parametrize("behind", [-3600, -4, 4, 3600])
def test_the_store_s_clock_says_what_is_due_and_what_has_expired(behind: float) -> None:
    due, late = delivery(eta=iso(behind - 1)), delivery(expires=iso(behind - 1))
    early, alive = delivery(eta=iso(behind + 60)), delivery(expires=iso(behind + 60))
    for each in (due, late, early, alive):
        each.when = clock.now() + behind
    assert verdict(judge().judge(due)) is verdict(judge().judge(alive)) is None
    assert verdict(judge().judge(late)) is Verdict.EXPIRED
    assert judgement(judge().judge(early)).wait == pytest.approx(60, abs=5)


def test_an_expired_message_does_not_run() -> None:
    assert verdict(judge().judge(delivery(expires=iso(-1)))) is Verdict.EXPIRED
    assert verdict(judge().judge(delivery(expires=iso(60)))) is None
    assert verdict(judge().judge(delivery(expires=iso(-1), eta=iso(60)))) is Verdict.EXPIRED


def test_an_unknown_task_is_left_to_others_first() -> None:
    found = judgement(judge().judge(delivery("nobody.knows")))
    assert found.verdict is Verdict.PARKED
    assert found.wait == FIRST_PARK
    assert "nobody.knows" in found.reason


def test_of_many_of_one_name_so_many_are_looked_at_again_each_second() -> None:
    the_judge = judge()
    waits = sorted(judgement(the_judge.judge(delivery("nobody.knows"))).wait for _ in range(2000))
    assert len([wait for wait in waits if wait < 10]) <= 10 * STRANGERS
    assert waits[-1] == pytest.approx(2000 / STRANGERS, abs=2)
    assert judgement(the_judge.judge(delivery("nobody.knows.either"))).wait == FIRST_PARK


def test_they_are_buried_at_their_time_however_many_they_are() -> None:
    the_judge = judge(unknown_ttl=10.0)
    waits = [judgement(the_judge.judge(delivery("no", parked=clock.now() - 4))).wait for _ in range(2000)]
    assert max(waits) <= 6


def test_it_is_left_for_longer_each_time() -> None:
    the_judge = judge()
    pauses = [judgement(the_judge.judge(delivery("no", parked=clock.now() - age))).wait for age in (1, 3, 100)]
    assert pauses == pytest.approx([1, 3, PARK], abs=0.1)


def test_an_unknown_task_is_buried_after_its_time() -> None:
    the_judge = judge(unknown_ttl=10.0)
    assert verdict(the_judge.judge(delivery("nobody.knows", parked=clock.now() - 5))) is Verdict.PARKED
    assert verdict(the_judge.judge(delivery("nobody.knows", parked=clock.now() - 11))) is Verdict.UNKNOWN


def test_an_unknown_task_is_buried_at_once_if_so_set() -> None:
    assert verdict(judge(unknown_ttl=0.0).judge(delivery("nobody.knows"))) is Verdict.UNKNOWN


def test_a_task_over_its_rate_waits() -> None:
    the_judge = judge()
    assert verdict(the_judge.judge(delivery("limited"))) is None
    found = judgement(the_judge.judge(delivery("limited")))
    assert found.verdict is Verdict.THROTTLED
    assert found.wait == pytest.approx(3600, abs=5)


@pytest.mark.parametrize("raw", [b"", b"no json", b"[]", b"{}", b'{"task": 5, "id": "x"}', b'{"task": "plain", "eta": "soon"}'])
def test_what_is_no_message_is_unreadable_with_a_reason(raw: bytes) -> None:
    found = judgement(judge().judge(Delivery(Envelope("x", "q", raw, b"not json"), "q", None, 1)))
    assert found.verdict is Verdict.UNREADABLE
    assert found.reason


def test_a_time_without_an_offset_is_utc() -> None:
    past, future = "2020-01-01T00:00:00", "2999-01-01T00:00:00"
    assert verdict(judge().judge(delivery(eta=past))) is None
    assert verdict(judge().judge(delivery(eta=future))) is Verdict.LATER
