"""Workers of others on the same Redis, which may hold messages unseen."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from umbel.stores.url import open_broker, open_channel
from umbel.testing.waiting import patience, until


@pytest.fixture
def broker(redis_url):
    broker = open_broker(redis_url)
    yield broker
    broker.close()


def test_where_nobody_else_is_nothing_is_elsewhere(broker, redis_url):
    until(lambda: not broker.may_be_elsewhere())
    other, channel = open_broker(redis_url), open_channel(redis_url)
    waiting = threading.Thread(target=other.reserve, args=(["q"], 1, patience()))
    waiting.start()
    with Redis.from_url(redis_url) as client:
        until(lambda: any(each["cmd"] == "blmove" for each in client.client_list()))
        assert not broker.may_be_elsewhere(), "others of umbel's are seen"
    other.close()
    waiting.join(patience())
    channel.close()


@pytest.mark.parametrize("how", ["messages", "orders"])
def test_who_waits_as_workers_of_celery_do_may_hold_something(broker, redis_url, how):
    with Redis.from_url(redis_url) as client:
        if how == "messages":
            waiting = threading.Thread(target=client.brpop, args=("q", 0))
            waiting.start()
        else:
            heard = client.pubsub()
            heard.psubscribe("/0.celery.pidbox")
        until(broker.may_be_elsewhere)
        if how == "messages":
            client.lpush("q", "x")
            waiting.join(patience())
        else:
            heard.close()
    until(lambda: not broker.may_be_elsewhere())


def test_in_another_database_they_do_not_count(broker, redis_url):
    with Redis.from_url(redis_url.replace("/0", "/15")) as client, client.pubsub() as heard:
        heard.subscribe("/15.celery.pidbox")
        until(lambda: any((each["cmd"], each["db"]) == ("subscribe", "15") for each in client.client_list()))
        until(lambda: not broker.may_be_elsewhere())  # connections of other tests may still be closing


def test_what_they_hold_is_elsewhere(broker, redis_url):
    with Redis.from_url(redis_url) as client:
        client.hset("unacked", "tag", "message")
    assert broker.may_be_elsewhere()


def test_who_must_not_ask_who_is_there_does_not_know(redis_url):
    with Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "blind", "on", ">secret", "~*", "&*", "+@all", "-client|list")
    broker = open_broker(redis_url.replace("redis://", "redis://blind:secret@"))
    assert broker.may_be_elsewhere()
    broker.close()
