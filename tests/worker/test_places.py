"""Settings that say where messages and results are, and how safely they get there: each obeyed by a real store."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import redis
from tests.worker.serving import serving

from umbel import Umbel
from umbel.errors import BrokerDown, ImproperlyConfigured
from umbel.testing.waiting import patience, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.RedisServer]:
    with redis.running(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A server that speaks TLS alone on this port, and its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    port = redis.free_port()
    with redis.running(folder, *redis.make_certificate(folder, port)):
        yield port, folder / "cert.pem"


def add_task(app: Umbel) -> Umbel:
    app.task(lambda x, y: x + y, name="add")
    return app


# -- TLS


def test_tls_is_spoken_where_settings_ask_for_it(secure):
    port, certificate = secure
    tls = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": str(certificate)}
    url = f"redis://localhost:{port}/0"
    with add_task(Umbel("tls", broker=url, backend=url, broker_use_ssl=tls, redis_backend_use_ssl=tls)) as app:
        with serving(app):
            assert app.tasks["add"].delay(2, 3).get(timeout=patience()) == 5
        assert list(app.schedule) == []


def test_tls_without_the_certificate_of_the_server_is_refused(secure):
    port, _ = secure
    with (
        add_task(Umbel("tls", broker=f"redis://localhost:{port}/0", broker_use_ssl=True, broker_publish_timeout=1)) as app,
        pytest.raises(BrokerDown, match="certificate verify failed"),
    ):
        app.tasks["add"].delay(2, 3)


def test_names_of_rabbitmqs_options_mean_the_same(secure):
    port, certificate = secure
    tls = {"ca_certs": str(certificate), "cert_reqs": ssl.CERT_REQUIRED}
    with add_task(Umbel("tls", broker=f"redis://localhost:{port}/0", broker_use_ssl=tls)) as app:
        app.tasks["add"].delay(2, 3)
        assert app.broker.depth(["celery"])["celery"].ready >= 1
        app.broker.purge("celery")


def test_tls_means_nothing_to_a_file_and_to_memory(tmp_path):
    for url in (f"sqlite:///{tmp_path}/q.db", "memory://tls"):
        with add_task(Umbel("tls", broker=url, broker_use_ssl=True)) as app:
            app.tasks["add"].delay(2, 3)


def test_what_is_no_setting_of_tls_is_told(secure):
    port, _ = secure
    with (
        add_task(Umbel("tls", broker=f"redis://localhost:{port}/0", broker_use_ssl="yes please")) as app,
        pytest.raises(ImproperlyConfigured, match="broker_use_ssl = 'yes please': expected True, or a dict"),
    ):
        app.tasks["add"].delay(2, 3)


# -- parts of URLs


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"broker_transport": "redis"}, "redis://localhost"),
        ({"broker_transport": "redis", "broker_host": "prod"}, "redis://prod"),
        ({"broker_transport": "redis", "broker_host": "prod", "broker_port": 7, "broker_vhost": 3}, "redis://prod:7/3"),
        (
            {"broker_transport": "redis", "broker_host": "p", "broker_user": "me", "broker_password": "a/b#c"},
            "redis://me:a%2Fb%23c@p",
        ),
        ({"broker_url": "prod:7/2", "broker_transport": "redis"}, "redis://prod:7/2"),
        ({"broker_url": "redis"}, "redis://localhost"),
        ({"broker_transport": "memory"}, "memory://"),
        ({"BROKER_TRANSPORT": "redis", "BROKER_HOST": "old"}, "redis://old"),
        ({"broker_write_url": "redis://w", "broker_url": "redis://r"}, "redis://w"),
        ({"broker_url": ["redis://one", "redis://two"]}, "redis://one"),
        ({"broker_url": "redis://one;redis://two"}, "redis://one"),
        ({"broker_url": "sentinel://one;sentinel://two;three/0"}, "sentinel://one;sentinel://two;three/0"),
    ],
)
def test_where_messages_are_can_be_said_in_many_ways(settings, url):
    assert Umbel("place", changes=settings, set_as_current=False).broker_url == url


def test_a_host_alone_is_rabbitmqs_which_umbel_does_not_have():
    with pytest.raises(ImproperlyConfigured, match="no broker for amqp://"):
        _ = Umbel("place", broker_host="prod", set_as_current=False).broker


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"result_backend": "redis"}, "redis://localhost"),
        ({"result_backend": "redis", "redis_host": "h", "redis_port": 7, "redis_db": 2}, "redis://h:7/2"),
        ({"result_backend": "redis", "redis_username": "me", "redis_password": "p/w"}, "redis://me:p%2Fw@localhost"),
    ],
)
def test_where_results_are_can_be_said_in_parts(settings, url):
    assert Umbel("place", changes=settings, set_as_current=False).result_url == url


def test_passwords_of_any_characters_are_read_whole():
    for url in ("redis://:1#pw@prod", "redis://:1%23pw@prod", "redis://:1/pw@prod/3", "redis://u:1?pw@prod"):
        broker = Umbel("place", broker=url, set_as_current=False).broker
        assert broker._link.server.password in ("1#pw", "1/pw", "1?pw")
        assert broker._link.server.hosts == (("prod", 6379),)
        assert "pw" not in broker.url


# -- one place to send to, another to take from


def test_what_is_sent_and_what_is_taken_may_be_in_two_places(tmp_path):
    read, write = f"sqlite:///{tmp_path}/read.db", f"sqlite:///{tmp_path}/write.db"
    with add_task(
        Umbel("apart", broker_read_url=read, broker_write_url=write, backend=f"sqlite:///{tmp_path}/results.db")
    ) as app:
        app.tasks["add"].delay(2, 3)
        with Umbel("there", broker=write, set_as_current=False) as there:
            assert there.broker.depth(["celery"])["celery"].ready == 1
        assert app.broker.depth(["celery"])["celery"].ready == 0

        @app.task(name="on")
        def on(x):
            app.tasks["add"].delay(x, 1)
            return x

        with Umbel("here", broker=read, backend=f"sqlite:///{tmp_path}/results.db", set_as_current=False) as here:
            first = here.send_task("on", (1,), link=app.tasks["add"].s(5))
            with serving(app):
                assert first.get(timeout=patience()) == 1
                with Umbel("there", broker=write, set_as_current=False) as there:
                    until(lambda: there.broker.depth(["celery"])["celery"].ready == 3)


# -- several places


def test_the_next_place_takes_over_when_one_is_away_and_all_runs(tmp_path, server, caplog):
    with redis.running(tmp_path / "first") as first:
        urls = [f"redis://localhost:{first.port}/0", f"redis://localhost:{server.port}/5"]
        with add_task(Umbel("spare", broker=";".join(urls), backend=f"redis://localhost:{server.port}/6")) as app:
            with serving(app):
                assert app.tasks["add"].delay(2, 3).get(timeout=patience()) == 5
                first.stop(kill=True)
                results = [app.tasks["add"].delay(n, 1) for n in range(5)]
                assert [each.get(timeout=patience()) for each in results] == [1, 2, 3, 4, 5]
                first.start()
                results = app.tasks["add"].delay_many([(n, 2) for n in range(5)])
                assert results.get(timeout=patience()) == [2, 3, 4, 5, 6]
            assert any("is away" in record.getMessage() for record in caplog.records)


def test_what_was_sent_elsewhere_while_the_first_was_away_is_run_by_workers_of_the_first(tmp_path, server):
    with redis.running(tmp_path / "first") as first:
        urls = [f"redis://localhost:{first.port}/0", f"redis://localhost:{server.port}/7"]
        results = f"redis://localhost:{server.port}/8"
        with (
            add_task(Umbel("spare", broker=urls, backend=results)) as app,
            serving(app),
            Umbel("other", broker=urls[1], backend=results, set_as_current=False) as other,
        ):
            assert other.send_task("add", (2, 2)).get(timeout=patience()) == 4


def test_what_a_place_held_when_it_went_away_is_concluded_when_it_is_back(tmp_path, server):
    with redis.running(tmp_path / "first") as first:
        urls = [f"redis://localhost:{first.port}/0", f"redis://localhost:{server.port}/9"]
        with Umbel("spare", broker=urls, backend=f"redis://localhost:{server.port}/10") as app:
            import threading

            began, go = threading.Event(), threading.Event()
            runs = []

            @app.task(name="slow")
            def slow():
                runs.append(1)
                began.set()
                go.wait(patience())
                return 7

            with serving(app):
                result = slow.delay()
                assert began.wait(patience())
                first.send(19)  # SIGSTOP: it keeps what it has
                go.set()
                assert result.get(timeout=patience()) == 7
                first.send(18)
                until(lambda: not any(app.broker.depth(["celery"])["celery"].__getattribute__(at) for at in ("ready", "held")))
            assert runs == [1]


def test_with_no_place_there_one_error_says_so_in_time(tmp_path):
    ports = [redis.free_port(), redis.free_port()]
    with (
        add_task(Umbel("spare", broker=[f"redis://localhost:{port}/0" for port in ports], broker_publish_timeout=1)) as app,
        pytest.raises(BrokerDown),
    ):
        app.tasks["add"].delay(1, 2)


def test_the_order_of_places_may_be_shuffled_and_nothing_else(tmp_path):
    app = Umbel("spare", broker=["memory://a", "memory://b"], broker_failover_strategy="shuffle", set_as_current=False)
    assert app.broker_url in ("memory://a", "memory://b")
    app.conf.broker_failover_strategy = "random"
    with pytest.raises(ImproperlyConfigured, match="'round-robin' or 'shuffle'"):
        _ = app.broker
