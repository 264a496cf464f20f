"""The channel on Redis: what becomes of it when the server goes away, and of what strangers publish."""

from __future__ import annotations

import json
import os
from base64 import b64decode

import pytest
from tests.servers.redis import running

from umbel.errors import BrokerDown
from umbel.stores.channel import Note
from umbel.stores.redis.large import LARGE
from umbel.stores.redis.note import write
from umbel.stores.url import open_channel
from umbel.testing.waiting import patience, until


def test_who_listens_begins_anew_when_the_server_is_back(tmp_path):
    with running(tmp_path / "redis") as server:
        channel = open_channel(f"redis://127.0.0.1:{server.port}/0")
        with channel.subscribe(["news"]) as subscription, channel.box() as box:
            server.stop(kill=True)
            for each in (subscription, box):
                with pytest.raises(BrokerDown):
                    each.receive(patience())
            with pytest.raises(BrokerDown):
                subscription.receive(patience())
            assert subscription.lost >= 1
            server.start()
            assert subscription.receive(0) == []
            channel.close()  # what it has kept is as dead
            channel.publish([Note("news", body=b"a")])
            assert [note.body for note in subscription.receive(patience())] == [b"a"]
        channel.close()


def test_what_is_no_note_is_told_and_left_out(redis_url, redis_server, caplog):
    channel = open_channel(redis_url)
    with channel.subscribe(["news"]) as subscription, channel.box("answers") as box:
        base64 = ("%%", "é", "YQ", "YQ=", "%" * 5000, "é" * 5000, "YWJj" * 2000 + "Y")
        bodies = [json.dumps({"body": body, "properties": {"body_encoding": "base64"}}) for body in base64]
        for strange in ("", "nonsense", "[]", '{"body": 1}', *bodies, "\xff"):
            redis_server.ask("PUBLISH", "/0.news", strange.encode("latin-1"))
            redis_server.ask("LPUSH", f"{box.address}.answers", strange.encode("latin-1"))
        channel.publish([Note("news", body=b"a")])
        channel.reply("answers", box.address, [Note("", body=b"b")])
        assert [note.body for note in subscription.receive(patience())] == [b"a"]
        assert [note.body for note in box.receive(patience())] == [b"b"]
        assert "is no note" in caplog.text
        assert "is none" in caplog.text
    channel.close()


@pytest.mark.parametrize("installed", [True, False])
def test_large_bodies_are_what_kombu_would_write(redis_url, redis_server, monkeypatch, installed):
    if not installed:
        monkeypatch.setattr("umbel.stores.redis.large._module", lambda: None)
    channel = open_channel(redis_url)
    with channel.subscribe(["news"]) as subscription, channel.box() as box:
        for size in (LARGE - 1, LARGE, LARGE + 1, LARGE + 2, 100_000):
            body = os.urandom(size)
            channel.publish([Note("news", body=body)])
            channel.reply(box.exchange, box.address, [Note("", body=body)])
            assert [note.body for note in subscription.receive(patience())] == [body]
            assert [note.body for note in box.receive(patience())] == [body]
            written = json.loads(write(Note("news", body=body, headers={"a": 1}), "news", "k"))
            assert (b64decode(written["body"], validate=True), written["headers"]) == (body, {"a": 1})
            assert list(written) == ["body", "content-encoding", "content-type", "headers", "properties"]
    channel.close()


def test_bodies_that_are_not_in_base64_are_read_too(redis_url, redis_server):
    channel = open_channel(redis_url)
    with channel.subscribe(["news"]) as subscription:
        told = {"body": '{"a": "é"}', "properties": {"delivery_info": {"exchange": "news", "routing_key": "k"}}}
        redis_server.ask("PUBLISH", "/0.news/k", json.dumps(told))
        (note,) = subscription.receive(patience())
        assert (note.key, note.body, note.content_type) == ("k", '{"a": "é"}'.encode(), "application/json")
    channel.close()


def test_nothing_is_left_on_the_server(redis_url, redis_server):
    channel = open_channel(redis_url)
    with channel.subscribe(["news"], name="w1@host.news"), channel.box() as box:
        assert b"w1@host.news" in redis_server.ask("SMEMBERS", "_kombu.binding.news")
        channel.reply(box.exchange, box.address, [Note("", body=b"a")])
        assert redis_server.ask("PTTL", f"{box.address}.{box.exchange}")[1:2] not in b"-"
    assert redis_server.ask("DBSIZE") == b":0\r\n"
    until(lambda: channel.publish([Note("news")]) == 0)
    channel.close()


def test_the_prefix_of_channels_can_be_another(redis_url, redis_server):
    for options, place in (
        ({"fanout_prefix": False}, "news"),
        ({"fanout_prefix": "/mine{db}."}, "/mine0.news"),
        ({"fanout_prefix": "true", "global_keyprefix": "x:"}, "x:/0.news"),
    ):
        channel = open_channel(redis_url, options=options)
        with channel.subscribe(["news"]):
            assert redis_server.ask("PUBSUB", "NUMSUB", place).endswith(b":1\r\n")
        channel.close()


def test_an_answer_goes_into_no_queue_of_tasks(redis_url, redis_server):
    redis_server.ask("SADD", "_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    redis_server.ask("LPUSH", "celery", "a task")
    channel = open_channel(redis_url)
    channel.reply("celery", "celery", [Note("", body=b"a")])
    assert redis_server.ask("LLEN", "celery") == b":1\r\n"
    assert redis_server.ask("PTTL", "celery") == b":-1\r\n"
    redis_server.ask("SADD", "_kombu.binding.boxes", "me\x06\x16\x06\x16mine.pidbox")
    channel.reply("boxes", "me", [Note("", body=b"a")])
    assert redis_server.ask("LLEN", "mine.pidbox") == b":1\r\n"
    channel.close()
