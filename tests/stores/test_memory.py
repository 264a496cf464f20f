from __future__ import annotations

import itertools

import pytest

from umbel.stores.broker import Conclusion
from umbel.stores.join import Arrival, Parts
from umbel.stores.url import open_backend, open_broker
from umbel.testing.contracts import BackendContract, BrokerContract
from umbel.testing.given import envelope, ids

_numbers = itertools.count()


class TestMemoryBroker(BrokerContract):
    shared_by_processes = False

    @pytest.fixture
    def url(self):
        return f"memory://broker{next(_numbers)}"


class TestMemoryBackend(BackendContract):
    shared_by_processes = False

    @pytest.fixture
    def url(self):
        return f"memory://backend{next(_numbers)}"


def test_one_name_is_one_store_and_another_name_another():
    one, same, other = (open_broker(f"memory://{name}") for name in ("shared", "shared", "separate"))
    one.send([envelope("a")])
    assert other.reserve(["q"], 1, 0) == []
    assert ids(same.reserve(["q"], 1, 0)) == ["a"]
    for broker in (one, same, other):
        broker.close()
    one.purge("q")


def test_broker_and_results_of_one_name_are_one_store():
    broker, backend = open_broker("memory://joint"), open_backend("cache+memory://joint", expires=60)
    assert broker.keeps(backend)
    assert not broker.keeps(open_backend("memory://disjoint", expires=60))


def test_the_step_that_notes_the_last_part_sends_what_follows():
    broker, backend = open_broker("memory://joins"), open_backend("memory://joins", expires=60)
    assert broker.keeps(backend)
    backend.expect("chord", 2)
    broker.send([envelope("a"), envelope("b")])
    for index, held in enumerate(broker.reserve(["q"], 2, 0)):
        arrival = Arrival("chord", held.envelope.id, index, b"%d" % index, then=envelope("fire"))
        broker.conclude([Conclusion(held, arrivals=[arrival])])
    assert ids(broker.reserve(["q"], 2, 0)) == ["fire"]
    assert backend.parts("chord") == Parts(2, [b"0", b"1"])
    backend.done("chord")
    assert backend.parts("chord") is None
