"""Beats that answer `inspect ping`."""

from __future__ import annotations

import logging

import pytest

from umbel import Umbel
from umbel.beat.remote import Remote
from umbel.client.remote.broadcast import Broadcast
from umbel.errors import BrokerDown
from umbel.stores.channel import Note
from umbel.testing.waiting import NEVER, pace, patience, until

PONG = {"beat@here": {"ok": "pong"}}


def ping(app: Umbel, **options: object) -> list[dict[str, object]]:
    return app.control.ping(timeout=patience(), **options)


def test_a_beat_that_was_asked_to_answers_pings_and_falls_silent_when_it_stops(app, start):
    beat = start(app, answers_as="beat@here")
    until(lambda: ping(app) == [PONG])
    assert ping(app, destination=["beat@here"]) == [PONG]
    assert app.control.inspect(timeout=patience()).ping() == PONG
    assert app.control.inspect(timeout=patience(), pattern="beat@*").ping() == PONG
    beat.stop()
    assert ping(app) == []


def test_others_answer_nobody(app, start):
    start(app).leads()
    assert ping(app) == []


def test_whatever_else_is_asked_it_has_no_answer_and_lets_nobody_wait(app, start):
    start(app, answers_as="beat@here")
    until(lambda: ping(app) == [PONG])
    began = pace()
    heard: list[object] = []
    for command in ("active", "stats", "shutdown", "no_such"):
        assert Broadcast(app, command).ask(NEVER, callback=heard.append) == []
    assert not heard
    assert pace() - began < NEVER
    assert ping(app) == [PONG]


def test_who_does_not_count_answers_gets_no_empty_ones(app, start):
    start(app, answers_as="beat@here")
    until(lambda: ping(app) == [PONG])
    with app.channel.box() as box:
        for method in ("active", "ping"):
            body = b'{"method":"%s","ticket":"t","reply_to":{"exchange":"%s","routing_key":"%s"}}' % (
                method.encode(),
                box.exchange.encode(),
                box.address.encode(),
            )
            app.channel.publish([Note("celery.pidbox", "", body)])
        (note,) = box.receive(patience())
    assert b"pong" in note.body


def test_one_that_hangs_is_silent_until_it_goes_on(app, caplog: pytest.LogCaptureFixture):
    age = [0.0]
    app.conf.beat_remote_control_max_tick_age = 10
    remote = Remote(app, "beat@here", lambda: age[0])
    caplog.set_level(logging.INFO)
    remote.start()
    try:
        until(lambda: "answers pings as beat@here" in caplog.text)
        for age[0], answer in ((9.0, [PONG]), (11.0, []), (12.0, []), (1.0, [PONG])):
            assert app.control.ping(timeout=patience() if answer else 0.2) == answer
    finally:
        remote.stop()
    assert caplog.text.count("it has been at one thing for 11 s") == 1
    assert "for 12 s" not in caplog.text


def test_a_beat_that_sleeps_or_leads_is_not_taken_for_one_that_hangs(app, start):
    beat = start(app, answers_as="beat@here").leads().beat
    ticked = beat.ticked
    until(lambda: beat.ticked > ticked)
    assert 0 <= beat.age() < patience()


@pytest.mark.parametrize(
    "body", [b"", b"7", b"[]", b'{"method":1}', b'{"method":"ping","destination":7}', b'{"method":"ping","reply_to":"x"}']
)
def test_what_is_no_request_is_refused_once_and_it_goes_on(app, start, caplog: pytest.LogCaptureFixture, body: bytes):
    start(app, answers_as="beat@here")
    until(lambda: ping(app) == [PONG])
    app.channel.publish([Note("celery.pidbox", "", body)] * 2)
    assert ping(app) == [PONG]
    assert caplog.text.count("a request is refused") == 1


def test_answers_go_nowhere_but_into_boxes(app, start):
    start(app, answers_as="beat@here")
    until(lambda: ping(app) == [PONG])
    with app.channel.box("elsewhere") as box:
        body = b'{"method":"ping","ticket":"t","reply_to":{"exchange":"elsewhere","routing_key":"%s"}}' % box.address.encode()
        app.channel.publish([Note("celery.pidbox", "", body)])
        assert ping(app) == [PONG]
        assert box.receive(0.0) == []


def test_a_store_that_is_away_is_told_of_once_and_found_again(app, caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr("umbel.beat.remote.PAUSE", 0.01)
    subscribe, tries = app.channel.subscribe, []

    def fail(*topics: object, **options: object) -> object:
        tries.append(topics)
        if len(tries) < 4:
            raise BrokerDown("gone")
        return subscribe(*topics, **options)

    monkeypatch.setattr(app.channel, "subscribe", fail)
    remote = Remote(app, "beat@here", lambda: 0.0)
    remote.start()
    try:
        until(lambda: ping(app) == [PONG])
    finally:
        remote.stop()
    assert caplog.text.count("answers nobody until the store is back: gone") == 1
