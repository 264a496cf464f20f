from __future__ import annotations

import threading
import time

import pytest

from umbel import BrokerDown, BrokerRefused
from umbel.testing.waiting import pace


@pytest.fixture
def add(app):
    @app.task
    def add(x, y):
        return x + y

    return add


def fail(app, times, error=BrokerDown):
    """Let the broker refuse so often; gives the list of attempts."""
    attempts = []
    send = app.broker.send

    def broken(envelopes, **options):
        attempts.append(len(envelopes))
        if len(attempts) <= times:
            raise error("away")
        return send(envelopes, **options)

    app.broker.send = broken
    return attempts


def test_a_batch_is_sent_in_one_step_at_its_end(app, add, work):
    attempts = fail(app, 0)
    with app.batch() as batch:
        first = add.delay(1, 2)
        add.delay_many([(3, 4), (5, 6)])
        last = add.apply_async((7, 8), priority=3)
        assert len(batch) == 4
        assert attempts == []
    assert attempts == [4]
    work()
    assert (first.get(), last.get()) == (3, 15)


def test_a_batch_that_raises_sends_nothing(app, add, sent):
    with pytest.raises(KeyError), app.batch():
        add.delay(1, 2)
        raise KeyError
    assert sent() == []
    add.delay(1, 2)
    assert len(sent()) == 1


def test_an_empty_batch_does_nothing(app):
    attempts = fail(app, 0)
    with app.batch():
        pass
    assert attempts == []


def test_a_batch_in_a_batch_adds_to_it(app, add):
    attempts = fail(app, 0)
    with app.batch():
        add.delay(1, 2)
        with app.batch():
            add.delay(3, 4)
        assert attempts == []
    assert attempts == [2]


def test_a_batch_is_of_its_own_thread(app, add):
    attempts = fail(app, 0)
    with app.batch():
        other = threading.Thread(target=add.delay, args=(1, 2))
        other.start()
        other.join()
        assert attempts == [1]


def test_a_store_that_is_away_is_tried_again(app, add, work):
    attempts = fail(app, 2)
    result = add.delay(1, 2)
    assert attempts == [1, 1, 1]
    work()
    assert result.get() == 3


def test_after_all_attempts_the_error_is_raised(app, add):
    attempts = fail(app, 100)
    with pytest.raises(BrokerDown, match="away"):
        add.apply_async((1, 2), retry_policy={"max_retries": 2, "interval_step": 0})
    assert len(attempts) == 3


def test_sending_never_takes_longer_than_the_publish_timeout(app, add):
    app.conf.broker_publish_timeout = 0.1
    fail(app, 10_000)
    started = pace()
    with pytest.raises(BrokerDown):
        add.apply_async((1, 2), retry_policy={"max_retries": None, "interval_start": 0.02, "interval_step": 0.01})
    assert pace() - started < 2


def test_an_attempt_cut_short_by_the_end_does_not_hide_the_reason(app, add):
    app.conf.broker_publish_timeout = 0.5
    attempts = []

    def broken(envelopes, *, within):
        attempts.append(within)
        if within > 0.3:
            raise BrokerDown("it is a replica now")
        time.sleep(within)
        raise BrokerDown("it does not answer in time")

    app.broker.send = broken
    with pytest.raises(BrokerDown, match="replica"):
        add.apply_async((1, 2), retry_policy={"max_retries": None, "interval_start": 0.3, "interval_step": 0})
    assert len(attempts) == 2


@pytest.mark.parametrize("off", ["call", "settings"])
def test_retrying_can_be_switched_off(app, add, off):
    attempts = fail(app, 1)
    app.conf.task_publish_retry = off == "call"
    with pytest.raises(BrokerDown):
        add.apply_async((1, 2), **({"retry": False} if off == "call" else {}))
    assert attempts == [1]


def test_a_refusal_is_not_tried_again(app, add):
    attempts = fail(app, 1, BrokerRefused)
    with pytest.raises(BrokerRefused):
        add.delay(1, 2)
    assert attempts == [1]


def test_what_was_accepted_of_a_batch_is_not_sent_again(app, add):
    attempts = []
    send = app.broker.send

    def in_parts(envelopes, **options):
        attempts.append(len(envelopes))
        send(envelopes[:2], **options)
        if len(envelopes) > 2:
            error = BrokerDown("away")
            error.accepted = 2
            raise error

    app.broker.send = in_parts
    with app.batch():
        add.delay_many([(number, 1) for number in range(5)])
    assert attempts == [5, 3, 1]
    assert app.broker.depth(["celery"])["celery"].ready == 5


def test_who_gives_up_tells_how_many_were_accepted_in_all(app, add):
    def in_parts(envelopes, **options):
        error = BrokerDown("away")
        error.accepted = 2 if len(envelopes) > 2 else 0
        raise error

    app.broker.send = in_parts
    app.conf.task_publish_retry_policy = {"max_retries": 1}
    with pytest.raises(BrokerDown) as caught, app.batch():
        add.delay_many([(number, 1) for number in range(5)])
    assert caught.value.accepted == 4
