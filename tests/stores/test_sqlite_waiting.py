"""Waiting on a SQLite file: without asking it again and again, awake at once, and one for each message."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from umbel.stores.broker import Conclusion
from umbel.stores.sqlite import bells
from umbel.stores.sqlite import broker as brokers
from umbel.stores.sqlite.bells import Bells
from umbel.stores.sqlite.file import File
from umbel.stores.url import open_broker
from umbel.testing.given import LEASE, envelope, envelopes, ids
from umbel.testing.waiting import patience, until

RING = "import sys; from umbel.stores.sqlite.bells import Bells; Bells(sys.argv[1]).ring(sys.argv[2:])"


@pytest.fixture
def open_one(tmp_path):
    opened = []

    def open_one(**options):
        opened.append(open_broker(f"sqlite:///{tmp_path}/queue.db", **options))
        return opened[-1]

    yield open_one
    for broker in opened:
        broker.close()


def asked_for(broker, seconds: float, monkeypatch) -> int:
    """How often the file is asked while a broker waits in vain for so long."""
    looks, rows = [], File.rows
    monkeypatch.setattr(File, "rows", lambda *given: looks.append(1) or rows(*given))
    assert broker.reserve(["q"], 1, seconds) == []
    return len(looks)


def test_who_waits_hardly_asks(open_one, monkeypatch):
    broker = open_one()
    broker.send([envelope("other", queue="other")])
    assert asked_for(broker, 2, monkeypatch) <= 2 / brokers.LOOK + 3


def test_of_two_who_wait_one_hears_a_ring_from_another_process(tmp_path):
    place = f"{tmp_path}/queue.db"
    one, other = Bells(place), Bells(place)
    pipes = [(each, each.listen(["q"])) for each in (one, other)]
    subprocess.run([sys.executable, "-c", RING, place, "q"], check=True, timeout=patience())
    assert [each.wait(listened, 0) for each, listened in pipes] == [True, False]
    subprocess.run([sys.executable, "-c", RING, place, "q"], check=True, timeout=patience())
    assert not one.wait(pipes[0][1], 0)  # nobody has said since that he waits
    one.listen(["q"])
    subprocess.run([sys.executable, "-c", RING, place, "another", "q"], check=True, timeout=patience())
    assert one.wait(pipes[0][1], patience())


def test_what_is_given_back_sent_later_recovered_or_revived_wakes_too(open_one):
    broker, dying = open_one(), open_one(lease=LEASE)

    def rings(work) -> None:
        pipes = broker._bells.listen(["q"])
        broker._bells.wait(pipes, 0)
        work()
        assert broker._bells.wait(pipes, 0)

    rings(lambda: broker.send([envelope("a")]))
    rings(lambda: broker.send(envelopes("b", "c", due=broker.renew(30).time + 3600)))
    (held,) = broker.reserve(["q"], 1, 0)
    rings(lambda: broker.release([held]))
    (held,) = broker.reserve(["q"], 1, 0)
    rings(lambda: broker.conclude([Conclusion(held, envelopes=envelopes("next"), buried="ill")]))
    rings(lambda: broker.revive([broker.buried()[0].key]))
    rings(lambda: broker.reserve(["q"], 1, 0))  # something is left
    dying.reserve(["q"], 1, 0)
    rings(lambda: until(lambda: broker.recover().returned))
    rings(broker.close)


def test_two_messages_for_two_who_take_one_each(open_one):
    found, sender = [], open_one()
    threads = [threading.Thread(target=lambda: found.extend(open_one().reserve(["q"], 1, patience()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    sender.send(envelopes("a", "b"))
    for thread in threads:
        thread.join(patience())
    assert sorted(ids(found)) == ["a", "b"]


@pytest.mark.parametrize("lacking", ["pipes", "a place for them", "open files"])
def test_where_there_can_be_no_bells_the_file_is_asked(open_one, tmp_path, monkeypatch, lacking):
    if lacking == "pipes":
        monkeypatch.delattr(os, "mkfifo")
    elif lacking == "open files":
        monkeypatch.setattr(bells, "MOST_PIPES", 0)
    else:
        (tmp_path / "queue.db-wake").write_text("a file")
    broker, sender, found = open_one(), open_one(), []
    thread = threading.Thread(target=lambda: found.extend(broker.reserve(["q"], 1, patience())))
    thread.start()
    sender.send([envelope("a")])
    thread.join(patience())
    assert ids(found) == ["a"]
