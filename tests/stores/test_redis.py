"""The Redis store keeps both contracts, whatever the URL and the options say."""

from __future__ import annotations

import pytest
from tests.servers.redis import free_port, make_certificate, running

from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.url import open_backend, open_broker
from umbel.testing.contracts import BackendContract, BrokerContract
from umbel.testing.given import drain, envelope, ids
from umbel.testing.waiting import patience


@pytest.mark.usefixtures("patient")
class TestRedisBroker(BrokerContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url


@pytest.mark.usefixtures("patient")
class TestRedisBackend(BackendContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url


@pytest.mark.usefixtures("patient")
class TestRedisBrokerWithPrefixAndOtherDatabase(BrokerContract):
    """Results lie in another database of the same server, and every name has a prefix."""

    @pytest.fixture
    def url(self, redis_url):
        return redis_url.removesuffix("/0") + "/3"

    def make(self, url, **options):
        return open_broker(url, **options, options={"global_keyprefix": "pfx:", "sep": "\x06\x16"})

    def make_backend(self, url, expires):
        return open_backend(url.removesuffix("/3") + "/5", expires=expires, options={"global_keyprefix": "res"})


@pytest.mark.usefixtures("patient")
class TestRedisBackendOnASocket(BackendContract):
    @pytest.fixture
    def url(self, redis_server, redis_url):
        return f"redis+socket://{redis_server.directory}/socket?virtual_host=2&global_keyprefix=x"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory):
    """A server that speaks TLS, and wants a password; and the URL for it."""
    directory, port = tmp_path_factory.mktemp("tls"), free_port()
    with running(directory, *make_certificate(directory, port), "--requirepass", "secret"):
        yield f"rediss://:secret@localhost:{port}/2?ssl_ca_certs={directory}/cert.pem"


@pytest.fixture
def tls_url(tls_server, few_certificates):
    """The URL, of an empty server."""
    broker = open_broker(tls_server)
    broker._link.ask("FLUSHALL")
    broker.close()
    return tls_server


@pytest.mark.usefixtures("patient")
class TestRedisBrokerInTls(BrokerContract):
    @pytest.fixture
    def url(self, tls_url):
        return tls_url


@pytest.mark.usefixtures("patient")
class TestRedisBackendInTls(BackendContract):
    @pytest.fixture
    def url(self, tls_url):
        return tls_url


def round_trip(url: str, **options) -> None:
    """Send, reserve, wait for a second one, conclude with a result, read it."""
    from umbel.stores.broker import Conclusion
    from umbel.wire.result import Result

    broker, backend = open_broker(url, options=options), open_backend(url, expires=60, options=options)
    assert broker.keeps(backend)
    broker.send([envelope("a")])
    (held,) = broker.reserve(["q"], 5, 1)
    assert broker.conclude([Conclusion(held, [Result("a", "SUCCESS", b"1")])]) == []
    assert backend.wait(["a"], patience())["a"].document == b"1"
    assert broker.reserve(["q"], 1, 0.05) == []
    for store in (broker, backend):
        store.close()


def test_valkey_is_another_name_for_the_same(redis_server, redis_url):
    broker = open_broker(redis_url.replace("redis://", "valkey://"))
    broker.send([envelope("a")])
    assert ids(drain(open_broker(redis_url))) == ["a"]


def test_the_certificate_is_checked(tmp_path):
    port = free_port()
    with running(tmp_path, *make_certificate(tmp_path, port), "--requirepass", "s/cret"):
        url = f"rediss://:s%2Fcret@localhost:{port}/0"
        round_trip(f"{url}?ssl_ca_certs={tmp_path}/cert.pem")
        round_trip(f"{url}?ssl_cert_reqs=CERT_NONE")
        with pytest.raises(BrokerDown, match=r"rediss://localhost:\d+/0 .*certificate") as told:
            round_trip(url)
        assert "cret" not in str(told.value)
        with pytest.raises(BrokerRefused, match="does not let this user in"):
            round_trip(f"rediss://:wrong@localhost:{port}/0?ssl_cert_reqs=none")
        with pytest.raises(BrokerRefused, match="Authentication required"):
            round_trip(f"rediss://localhost:{port}/0?ssl_cert_reqs=none")
