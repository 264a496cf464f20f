from __future__ import annotations

import os
import subprocess
import sys

import pytest

from umbel.errors import ImproperlyConfigured
from umbel.stores import place
from umbel.stores.memory.broker import MemoryBroker
from umbel.stores.sqlite.backend import SqliteBackend
from umbel.stores.sqlite.broker import SqliteBroker
from umbel.stores.url import open_backend, open_broker, open_schedule


def test_sqlite_with_three_slashes_is_relative_to_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broker = open_broker("sqlite:///sub/queue.db")
    assert isinstance(broker, SqliteBroker)
    assert broker.url == f"sqlite:///{tmp_path}/sub/queue.db"


def test_sqlite_with_four_slashes_is_absolute(tmp_path):
    backend = open_backend(f"sqlite:///{tmp_path}/my%20results.db", expires=None)
    assert isinstance(backend, SqliteBackend)
    assert backend.url == f"sqlite:///{tmp_path}/my results.db"


def test_a_tilde_is_the_home_of_the_user(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert open_broker("sqlite:///~/queue.db").url == "sqlite:////home/somebody/queue.db"


def test_opening_does_nothing_to_the_disk(tmp_path):
    open_broker(f"sqlite:///{tmp_path}/queue.db").close()
    open_backend(f"sqlite:///{tmp_path}/queue.db", expires=1).close()
    assert os.listdir(tmp_path) == []


def test_broker_and_results_with_one_url_are_one_store(tmp_path):
    broker = open_broker(f"sqlite:///{tmp_path}/queue.db?timeout=5&synchronous=FULL")
    assert broker.keeps(open_backend(f"sqlite:///{tmp_path}/queue.db?synchronous=full", expires=1, options={"timeout": 5}))
    assert not broker.keeps(open_backend(f"sqlite:///{tmp_path}/other.db", expires=1))


def test_memory_takes_a_name_or_none():
    assert isinstance(open_broker("memory://"), MemoryBroker)
    assert open_broker("memory://name").url == "memory://name"
    assert open_broker("memory://name").keeps(open_backend("memory://name/", expires=1))
    assert open_broker("memory://").keeps(open_backend("cache+memory://", expires=1))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///directory/", "names no file"),
        ("sqlite://host/queue.db", "sqlite:///file.db"),
        ("sqlite://queue.db", "a file is on no host"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite:///a%00b.db", "NUL"),
        ("sqlite:///q.db?synchronus=full", "'synchronus'"),
        ("sqlite:///q.db?synchronous=maybe", "off, normal, full, extra"),
        ("sqlite:///q.db?timeout=soon", "'soon'"),
        ("sqlite:///q.db?timeout=-1", "number of seconds"),
        ("memory://name?size=3", "'size'"),
        ("sqllite:///q.db", "did you mean sqlite://"),
        ("amqp://localhost", "no broker for amqp://"),
        ("redis://host:port/0", "the port is 'port'"),
        ("redis://host:99999/0", "the port is 99999, and should be from 1 to 65535"),
        ("redis://[::1", "stands in brackets: [::1]:6379"),
        ("redis://[::1]6379", "stands in brackets"),
        ("redis://host/queue", "the database is 'queue'"),
        ("redis://one;redis://two/0", "sentinel://one;sentinel://two/0"),
        ("redis://host/0?visibility_timout=1", "'visibility_timout'"),
        ("redis://host/0?visibility_timeout=soon", "number of seconds above 0"),
        ("redis://host/0?socket_timeout=0", "number of seconds above 0"),
        ("redis://host/0?priority_steps=a,b", "priority_steps"),
        ("rediss://host/0?ssl_cert_reqs=perhaps", "required, optional or none"),
        ("reddis://host", "did you mean redis"),
        ("unix:///run/redis.sock", "did you mean redis+socket:///run/redis.sock?"),
        ("redis+sentinel://host", "did you mean sentinel://one;sentinel://two/0?"),
        ("rediss+sentinel://host", "did you mean sentinel://one;sentinel://two/0?ssl=true"),
        ("redis+cluster://host", "umbel does not use clusters"),
        ("queue.db", "is no URL"),
        ("", "is no URL"),
    ],
)
def test_a_wrong_url_is_told_in_one_line_that_says_what_to_write(url, words):
    with pytest.raises(ImproperlyConfigured) as told:
        open_broker(url)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_an_unknown_option_is_named():
    with pytest.raises(ImproperlyConfigured, match="has no option 'visibility_timout'"):
        open_broker("sqlite:///q.db", options={"visibility_timout": 3600, "region": "eu-west-1"})
    with pytest.raises(ImproperlyConfigured, match="no result backend for mongodb://"):
        open_backend("mongodb://host", expires=1)


@pytest.mark.parametrize("url", ["sqlite:///{}/q.db", "memory://", "redis://host"])
def test_an_option_of_celerys_transports_that_has_no_effect_is_told_once(url, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(place, "_said", set())
    options = {"max_retries": 3, "interval_start": 0, "confirm_publish": True, "region": "eu-west-1", "polling_interval": 1.0}
    for _ in range(2):
        open_broker(url.format(tmp_path), options=options)
    (record,) = caplog.records
    assert "confirm_publish, interval_start, max_retries" in record.getMessage()
    assert "no effect" in record.getMessage()


def test_a_password_is_not_repeated_in_an_error():
    with pytest.raises(ImproperlyConfigured) as told:
        open_broker("sqlite://user:secret@host/queue.db")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://", "redis://"),
        ("redis://user:pass%40word@host:6380/3?socket_timeout=2", "redis://host:6380/3?socket_timeout=2"),
        ("rediss://:secret@[::1]:6380/3?ssl_cert_reqs=none", "rediss://[::1]:6380/3?ssl_cert_reqs=none"),
        ("redis+socket:///run/redis.sock?virtual_host=2", "redis+socket:///run/redis.sock?virtual_host=2"),
        ("sentinel://:pass@a:1;sentinel://:pass@b;sentinel://c:3/2", "sentinel://a:1;b;c:3/2"),
        ("valkeys://host", "valkeys://host"),
        ("valkey+socket:///run/valkey.sock", "valkey+socket:///run/valkey.sock"),
    ],
)
def test_redis_is_named_without_its_credentials(url, shown):
    broker, backend = open_broker(url), open_backend(url, expires=1, options={"visibility_timeout": 5})
    assert broker.url == backend.url == shown
    assert broker.keeps(backend)
    assert "pass" not in repr(vars(broker)) + repr(broker._link.server)


def test_options_of_celerys_that_mean_nothing_here_are_taken():
    options = {"visibility_timeout": 43200, "fanout_prefix": True, "fanout_patterns": True, "queue_order_strategy": "priority"}
    options |= {"priority_steps": list(range(10)), "sep": ":", "max_connections": 20, "socket_keepalive": True}
    open_broker("redis://host", options=options).close()


def test_without_the_package_the_extra_to_install_is_named():
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from umbel.stores.url import open_broker\n"
        "try: open_broker('redis://localhost')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("ImproperlyConfigured")
    assert 'pip install "umbel[redis]"' in told


BROUGHT = """
from umbel.stores.by_value import ByValue
from umbel.stores.memory.broker import MemoryBroker


class Shelf:
    def __init__(self, place):
        self.place = place

    def get_task_meta(self, task_id):
        return {"status": "SUCCESS", "result": self.place.take("answer", 0)}


def open_broker(place, lease, max_deliveries):
    return MemoryBroker(f"brought by {place.host}", lease=lease, max_deliveries=max_deliveries)


def open_backend(place, expires):
    return ByValue(Shelf(place), place.url)
"""


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """An installed package that brings the scheme `shelf`, and one that cannot be imported."""
    (tmp_path / "brought_stores.py").write_text(BROUGHT)
    facts = tmp_path / "brought-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[umbel.stores]\nshelf = brought_stores\nbroken = brought_nowhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("brought_stores", None)


def test_other_packages_bring_stores_by_entry_points(brought):
    broker = open_broker("shelf://user:secret@there/x?color=red", lease=7.0)
    assert broker.url == "memory://brought by there"
    backend = open_backend("shelf://there", expires=1, options={"answer": 42})
    assert b'"result":42' in backend.fetch(["a"])["a"].document
    assert open_backend("shelf", expires=1).url == "shelf"  # a name alone is enough for who needs no more


def test_what_an_entry_point_does_not_bring_is_told(brought):
    with pytest.raises(ImproperlyConfigured, match="brought_stores, which brings shelf://, has no schedule store"):
        open_schedule("shelf://there")
    with pytest.raises(ImproperlyConfigured, match="brought_nowhere, which brings broken://, cannot be imported: No module"):
        open_broker("broken://there")
    with pytest.raises(ImproperlyConfigured, match="umbel has no broker for nobody://"):
        open_broker("nobody://there")
