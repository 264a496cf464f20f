"""The file of results cannot only grow: who writes sweeps, too."""

from __future__ import annotations

import pytest

from umbel import clock
from umbel.stores.broker import Conclusion
from umbel.stores.sqlite import broom
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import envelopes
from umbel.wire.result import Result


def done(ids: range) -> list[Result]:
    return [Result(str(number), "SUCCESS", b"{}") for number in ids]


@pytest.fixture(params=["memory", "sqlite"])
def url(request, tmp_path):
    return f"memory://{tmp_path}" if request.param == "memory" else f"sqlite:///{tmp_path}/queue.db"


def test_who_stores_results_sweeps_old_ones(url, monkeypatch):
    backend = open_backend(url, expires=60)
    backend.store(done(range(1500)))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 61)
    backend.store(done(range(5000, 5000 + broom.EVERY)))
    assert backend.sweep() == 0
    assert len(backend.fetch([str(number) for number in range(6000)])) == broom.EVERY
    backend.close()


def test_who_concludes_sweeps_old_results(url, monkeypatch):
    broker, backend = open_broker(url), open_backend(url, expires=60)
    assert broker.keeps(backend)
    backend.store(done(range(500)))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 61)
    broker.send(envelopes("a"))
    (held,) = broker.reserve(["q"], 1, 1)
    assert broker.conclude([Conclusion(held, done(range(5000, 5000 + broom.EVERY)))]) == []
    assert backend.sweep() == 0
    broker.close()
    backend.close()
