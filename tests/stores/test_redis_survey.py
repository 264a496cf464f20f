"""How full queues are on Redis, also where so much is held that no one script may count it."""

from __future__ import annotations

import pytest

from umbel.stores.broker import Conclusion
from umbel.stores.redis import survey
from umbel.stores.url import open_broker
from umbel.testing.given import envelopes


@pytest.mark.parametrize("at_once", [0, 3, 5000])
def test_what_is_held_is_counted_in_one_step_or_in_several(redis_url, monkeypatch, at_once):
    monkeypatch.setattr(survey, "AT_ONCE", at_once)
    brokers = [open_broker(redis_url) for _ in range(4)]
    brokers[0].send([*envelopes(*"abcdefghij"), *envelopes(*"klm", queue="other"), *envelopes("n", "o", queue="last")])
    held = [each for broker in brokers for each in broker.reserve(["q", "other"], 3, 0)]
    assert len(held) == 12
    brokers[3].conclude([Conclusion(held[-1])])
    found = brokers[0].depth(["q", "other", "last", "none"])
    assert {name: (each.ready, each.held) for name, each in found.items()} == {
        "q": (10 - sum(each.queue == "q" for each in held), sum(each.queue == "q" for each in held[:-1])),
        "other": (3 - sum(each.queue == "other" for each in held), sum(each.queue == "other" for each in held[:-1])),
        "last": (2, 0),
        "none": (0, 0),
    }
    assert brokers[0].queues() == ["last", "other", "q"]
    for broker in brokers:
        broker.close()
