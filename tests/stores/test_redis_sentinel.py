"""Redis through sentinels: both suites, and the master's death in the middle of work."""

from __future__ import annotations

import threading
import time

import pytest
from tests.servers.redis import RedisServer, Sentinel, free_port, make_certificate, running, running_sentinels

from umbel.errors import BrokerDown, ImproperlyConfigured
from umbel.stores.broker import Conclusion
from umbel.stores.url import open_backend, open_broker
from umbel.testing.contracts import BackendContract, BrokerContract
from umbel.testing.given import drain, envelope, ids
from umbel.testing.waiting import NEVER, pace, patience, until
from umbel.wire.ids import new_id
from umbel.wire.result import Result


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """Sentinels whose master stays, also on a machine with much else to do."""
    with running_sentinels(tmp_path_factory.mktemp("steady"), patience=60) as sentinels:
        yield sentinels


@pytest.fixture
def steady_url(steady):
    """Their URL, with an empty master."""
    assert steady.master.ask("FLUSHALL") == b"+OK\r\n"
    return steady.url


@pytest.mark.usefixtures("patient")
class TestRedisBrokerThroughSentinels(BrokerContract):
    @pytest.fixture
    def url(self, steady_url):
        return steady_url


@pytest.mark.usefixtures("patient")
class TestRedisBackendThroughSentinels(BackendContract):
    @pytest.fixture
    def url(self, steady_url):
        return steady_url


class Load:
    """Two senders and two workers, each an owner and a thread of its own."""

    def __init__(self, url: str):
        self.brokers = [open_broker(url) for _ in range(4)]
        self.backend = open_backend(url, expires=NEVER)
        assert all(broker.keeps(self.backend) for broker in self.brokers)
        self.accepted: list[str] = []
        self.doubtful: list[str] = []
        self.done: set[str] = set()
        self.errors: list[Exception] = []
        self.has_replica = True
        self.is_over = False
        self.threads = [
            threading.Thread(target=self.guard, args=(work, broker), daemon=True)
            for work, broker in zip((self.send, self.send, self.work, self.work), self.brokers, strict=True)
        ]

    def guard(self, work, broker) -> None:
        while not self.is_over:
            try:
                work(broker)
            except BrokerDown:
                time.sleep(0.01)
            except Exception as error:
                self.errors.append(error)
                return

    def send(self, broker) -> None:
        """What the replica has is taken for accepted: Redis answers before it copies, and may lose what it has not copied."""
        id, had_replica = new_id(), self.has_replica
        self.doubtful.append(id)
        broker.send([envelope(id)])
        if not had_replica or broker._link.ask("WAIT", 1, 1000):
            self.accepted.append(id)

    def work(self, broker) -> None:
        held = broker.reserve(["q"], 50, 0.2)
        lost = broker.conclude([Conclusion(each, [Result(each.envelope.id, "SUCCESS", b"1")]) for each in held])
        self.done |= set(ids(held)) - set(ids(lost))

    def has_ended(self, accepted: set[str]) -> set[str]:
        """Those of these that a worker knows to be done, or that have a result.

        It is kept with the conclusion, in one step: if that had reached the replica, and its reply not the worker, it tells so.
        """
        return accepted & (self.done | self.backend.fetch(list(accepted)).keys())

    def end(self) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join(patience())


def test_work_goes_on_through_a_failover_and_nothing_is_lost_that_had_reached_the_replica(tmp_path):
    with running_sentinels(tmp_path) as sentinels:
        load = Load(sentinels.url)
        holder = open_broker(sentinels.url)
        assert holder.keeps(load.backend)
        holder.send([envelope("held", "other")])
        (held,) = holder.reserve(["other"], 1, 1)
        waiting = [threading.Thread(target=load.backend.wait, args=([f"r{number}"], 60), daemon=True) for number in range(16)]
        for thread in (*load.threads, *waiting):
            thread.start()
        try:
            until(lambda: len(load.done) > 300)
            until(lambda: sentinels.replica.ask("HLEN", f"umbel.held.{holder.owner}") == b":1\r\n")
            until(lambda: sentinels.master.ask("PUBSUB", "CHANNELS").count(b"celery-task-meta-") == 16)
            sentinels.master.stop(kill=True)
            begun = pace()
            until(lambda: leads(sentinels.replica))
            load.has_replica = False
            before = len(load.done)
            until(lambda: len(load.done) > before + 300 or load.errors)
            assert pace() - begun < 30
        finally:
            load.end()
        assert not load.errors
        load.backend.store([Result(f"r{number}", "SUCCESS", b"1") for number in range(16)])
        for thread in waiting:
            thread.join(patience())
            assert not thread.is_alive()
        assert holder.conclude([Conclusion(held, [Result("held", "SUCCESS", b"1")])]) == []
        # What the old master had handed out and not copied is in the queue again; what is held is given back at the close.
        for broker in load.brokers:
            broker.close()
        load.done |= set(ids(drain(holder)))
        accepted = set(load.accepted)
        lost = accepted - load.has_ended(accepted)
        assert not lost, f"{len(lost)} of {len(load.accepted)} lost, {len(load.doubtful) - len(load.accepted)} were doubtful"
        for store in (holder, load.backend):
            store.close()


def leads(server: RedisServer) -> bool:
    """True if it is a master; one that becomes it closes its connections."""
    try:
        return b"role:master" in server.ask("INFO", "replication")
    except OSError:
        return False


def accepts(broker, id: str) -> bool:
    """True once it can be sent."""
    try:
        broker.send([envelope(id)])
    except BrokerDown:
        return False
    return True


def test_sentinels_have_passwords_and_certificates_of_their_own(tmp_path):
    """A master without TLS, and a sentinel that speaks TLS and wants a password."""
    with running(tmp_path / "master") as master:
        port = free_port()
        (tmp_path / "sentinel").mkdir()
        tls = make_certificate(tmp_path / "sentinel", port)
        sentinel = Sentinel(tmp_path / "sentinel", master.port, quorum=1, options=("--requirepass", "s3", *tls))
        sentinel.start()
        try:
            url = f"sentinel://localhost:{port}/0"
            own = {"password": "s3", "ssl": True, "ssl_ca_certs": f"{tmp_path}/sentinel/cert.pem"}
            broker = open_broker(url, options={"sentinel_kwargs": own})
            until(lambda: accepts(broker, "a"))
            assert "a" in ids(drain(broker))
            broker.close()
            wrong = open_broker(url, options={"sentinel_kwargs": {**own, "password": "no"}})
            with pytest.raises(BrokerDown, match=r"no sentinel knows the master 'mymaster' now: .*does not let this user in"):
                wrong.send([envelope("b")])
            wrong.close()
        finally:
            sentinel.stop(kill=True)


@pytest.mark.parametrize(("given", "words"), [("x", "should be a dict"), ({"pasword": "x"}, "'pasword'")])
def test_options_for_sentinels_that_cannot_be_are_told(given, words):
    with pytest.raises(ImproperlyConfigured, match=words) as told:
        open_broker("sentinel://one", options={"sentinel_kwargs": given})
    assert "\n" not in str(told.value)
