"""Requests that Redis carried out, and whose replies never came; or that it got only when they had been given up."""

from __future__ import annotations

import re
import threading

import pytest
from tests.servers.proxy import Mode, standing_before
from tests.servers.redis import running

from umbel.errors import BrokerDown
from umbel.stores.broker import Conclusion
from umbel.stores.url import open_broker
from umbel.testing.given import drain, envelopes, ids, recovered
from umbel.testing.waiting import patience, until


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "server") as server:
        yield server


@pytest.fixture
def proxy(server):
    with standing_before(server.port) as proxy:
        yield proxy


@pytest.fixture
def sender(server):
    broker = open_broker(f"redis://127.0.0.1:{server.port}/0")
    broker.recover()
    broker.reserve(["q"], 1, 0)  # now the server knows the scripts: a request that it does not understand changes nothing
    yield broker
    broker.close()


@pytest.fixture
def broker(proxy):
    broker = open_broker(f"redis://127.0.0.1:{proxy.port}/0?socket_timeout=0.3", lease=30)
    yield broker
    broker.close()


def held(broker):
    return broker.depth(["q"])["q"].held


def scripts_run(broker):
    """How many the server has run from its memory."""
    return int(re.search(rb"cmdstat_evalsha:calls=(\d+)", broker._link.ask("INFO", "commandstats"))[1])


def in_vain(proxy, mode, work):
    """Do this while the network is in such a mode; then let new connections pass."""
    proxy.let(mode)
    with pytest.raises(BrokerDown):
        work()
    proxy.let_new(Mode.PASS)


def test_what_was_handed_out_in_a_lost_reply_comes_with_the_next(proxy, sender, broker):
    sender.send(envelopes("a", "b", "c"))
    kept = broker.reserve(["q"], 1, 0)
    in_vain(proxy, Mode.MUTE, lambda: broker.reserve(["q"], 1, 0))
    assert held(sender) == 2
    again = broker.reserve(["q"], 10, 0)
    assert ids(again) == ["b", "c"]
    assert [each.attempt for each in again] == [1, 1]
    assert broker.conclude([Conclusion(each) for each in kept + again]) == []
    assert sender.queues() == []


def test_renewing_the_lease_gives_back_what_was_handed_out_in_a_lost_reply(proxy, sender, broker):
    sender.send(envelopes("a", "b"))
    kept = broker.reserve(["q"], 1, 0)
    in_vain(proxy, Mode.MUTE, lambda: broker.reserve(["q"], 1, 0))
    assert broker.renew(30)
    assert ids(drain(sender)) == ["b"]
    assert broker.conclude([Conclusion(each) for each in kept]) == []


def test_a_request_that_comes_after_it_was_given_up_gets_nothing(proxy, sender, broker):
    assert broker.reserve(["q"], 1, 0) == []
    sender.send(envelopes("a"))
    in_vain(proxy, Mode.HOLD, lambda: broker.reserve(["q"], 1, 0))
    assert broker.renew(30)
    before = scripts_run(sender)
    proxy.let(Mode.PASS)
    until(lambda: scripts_run(sender) > before)
    assert held(sender) == 0
    assert ids(broker.reserve(["q"], 10, 1)) == ["a"]


def test_a_wait_whose_end_was_not_heard_loses_nothing(proxy, sender, broker):
    assert broker.reserve(["q"], 1, 0.05) == []
    proxy.let(Mode.MUTE)
    sender.send(envelopes("a"))
    with pytest.raises(BrokerDown):
        broker.reserve(["q"], 1, 1)
    proxy.let_new(Mode.PASS)
    again = broker.reserve(["q"], 10, 5)
    assert [(each.envelope.id, each.attempt) for each in again] == [("a", 1)]


def test_what_a_wait_has_found_stays_when_the_next_request_fails(proxy, sender, broker):
    assert broker.reserve(["q"], 1, 0.05) == []
    found = []
    waiting = threading.Thread(target=lambda: found.extend(broker.reserve(["q"], 1, 10)))
    waiting.start()
    until(lambda: b"cmd=blmove" in sender._link.ask("CLIENT", "LIST"))
    sender.send(envelopes("a", "b"))
    waiting.join()
    assert ids(found) == ["a"]
    in_vain(proxy, Mode.MUTE, lambda: broker.reserve(["q"], 1, 1))
    assert ids(broker.reserve(["q"], 10, 0)) == ["b"]
    assert broker.conclude([Conclusion(each) for each in found]) == []


def test_the_stranded_of_a_lost_reply_are_stranded_again(proxy, server, sender, broker):
    dying = open_broker(f"redis://127.0.0.1:{server.port}/0", lease=0.1)
    dying.send(envelopes("a"))
    dying.started(dying.reserve(["q"], 1, 0))
    assert broker.renew(30)
    until(lambda: float(sender._link.ask("ZRANGE", "umbel.owners", 0, 0, "WITHSCORES")[1]) < float(sender._link.ask("TIME")[0]))
    in_vain(proxy, Mode.MUTE, broker.recover)
    (again,) = broker.reserve(["q"], 10, 0)
    assert (again.envelope.id, again.begun) == ("a", True)
    dying.close()


def test_a_repeated_conclusion_changes_nothing(proxy, sender, broker):
    sender.send(envelopes("a"))
    done = [Conclusion(each, envelopes=envelopes("next", queue="after")) for each in broker.reserve(["q"], 1, 0)]
    in_vain(proxy, Mode.MUTE, lambda: broker.conclude(done))
    broker.conclude(done)
    assert ids(drain(sender, "after")) == ["next"]
    assert sender.queues() == ["after"]


def test_what_a_dead_owner_never_heard_of_is_recovered_once(proxy, sender, server):
    dying = open_broker(f"redis://127.0.0.1:{proxy.port}/0?socket_timeout=0.3", lease=0.5)
    dying.renew(0.5)
    sender.send(envelopes("a"))
    in_vain(proxy, Mode.MUTE, lambda: dying.reserve(["q"], 1, 0))
    recovered(sender)
    assert ids(sender.reserve(["q"], 10, 0)) == ["a"]
    dying.close()


def test_a_loss_that_reserve_hears_of_during_a_renewal_is_told_by_the_next(proxy, sender, server):
    dying = open_broker(f"redis://127.0.0.1:{proxy.port}/0?socket_timeout=20", lease=0.1)
    sender.send(envelopes("a"))
    dying.reserve(["q"], 1, 0)
    recovered(sender)
    proxy.let(Mode.HOLD)
    kept: list[bool] = []
    renewal = threading.Thread(target=lambda: kept.append(dying.renew(30)))
    renewal.start()
    until(lambda: not dying._link._idle)
    proxy.let_new(Mode.PASS)
    assert ids(dying.reserve(["q"], 1, 0)) == ["a"]
    proxy.let(Mode.PASS)
    renewal.join(patience())
    assert [bool(renewal) for renewal in kept] == [True]
    assert not dying.renew(30)
    assert dying.renew(30)
    dying.close()


def test_what_conclusions_brought_in_a_lost_reply_comes_with_the_next(proxy, sender, broker):
    sender.send(envelopes("0"))
    (a,) = broker.proceed([Conclusion(broker.reserve(["q"], 1, 0)[0], envelopes=envelopes("a"))], ["q"])[1]
    end = Conclusion(a, envelopes=envelopes("b"))
    in_vain(proxy, Mode.MUTE, lambda: broker.proceed([end], ["q"]))
    assert broker.proceed([end], ["q"]) == ([a], [])
    assert held(sender) == 1
    again = broker.reserve(["q"], 10, 0)
    assert [(each.envelope.id, each.attempt) for each in again] == [("b", 1)]
    assert broker.conclude([Conclusion(each) for each in again]) == []
    assert sender.queues() == []


def test_a_conclusion_that_comes_after_it_was_given_up_brings_nothing(proxy, sender, broker):
    sender.send(envelopes("a", "x"))
    a, x = broker.reserve(["q"], 2, 0)
    assert ids(broker.proceed([Conclusion(x, envelopes=envelopes("y"))], ["q"])[1]) == ["y"]
    in_vain(proxy, Mode.HOLD, lambda: broker.proceed([Conclusion(a, envelopes=envelopes("b"))], ["q"]))
    assert broker.renew(30)
    proxy.let(Mode.PASS)
    until(lambda: sender.depth(["q"])["q"].ready == 1)
    assert held(sender) == 1
    assert ids(broker.reserve(["q"], 10, 1)) == ["b"]
