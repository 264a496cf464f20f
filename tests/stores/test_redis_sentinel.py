"""Redis through sentinels: the master dies, and work goes on at its successor."""

from __future__ import annotations

import time

import pytest
from tests.servers.redis import Sentinels

from umbel.errors import BrokerDown
from umbel.stores.broker import Conclusion
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import envelope, ids
from umbel.testing.waiting import until
from umbel.wire.result import Result


@pytest.fixture
def sentinels(tmp_path):
    sentinels = Sentinels(tmp_path)
    try:
        sentinels.start()
        yield sentinels
    finally:
        sentinels.stop()


def test_after_a_failover_work_goes_on_within_seconds(sentinels):
    broker, backend = open_broker(sentinels.url), open_backend(sentinels.url, expires=60)
    assert broker.keeps(backend)
    assert broker.url.count(";") == 2
    broker.send([envelope("before"), envelope("held")])
    (first,) = broker.reserve(["q"], 1, 1)
    assert first.envelope.id == "before"
    until(lambda: sentinels.replica.ask("HLEN", f"umbel.held.{broker.owner}") == b":1\r\n")
    sentinels.master.stop(kill=True)
    begun = time.monotonic()

    def goes_on() -> bool:
        try:
            broker.send([envelope("after")])
        except BrokerDown:
            return False
        return True

    until(goes_on, 30)
    assert broker.conclude([Conclusion(first, [Result("before", "SUCCESS", b"1")])]) == []
    assert set(ids(broker.reserve(["q"], 10, 1))) == {"held", "after"}
    assert backend.fetch(["before"])["before"].document == b"1"
    assert time.monotonic() - begun < 15
    for store in (broker, backend):
        store.close()
