"""Bad files and bad disks: one clear line, of the right kind, and nothing lost."""

from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from umbel.errors import BrokerDown, BrokerRefused
from umbel.stores.broker import Conclusion
from umbel.stores.sqlite import file, schema
from umbel.stores.sqlite.backend import SqliteBackend
from umbel.stores.sqlite.broker import SqliteBroker
from umbel.testing.given import drain, envelope, envelopes, ids, in_a_child
from umbel.testing.waiting import patience


@pytest.fixture
def path(tmp_path):
    return f"{tmp_path}/queue.db"


@pytest.fixture
def broker(path):
    broker = SqliteBroker(path)
    yield broker
    broker.close()


def refusal(path, **options) -> str:
    broker = SqliteBroker(str(path), **options)
    with pytest.raises(BrokerRefused) as told:
        broker.send(envelopes("a"))
    broker.close()
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)
    return str(told.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    poem = tmp_path / "poem.txt"
    poem.write_text("No SQLite database begins like this. " * 300)
    assert "is no SQLite database" in refusal(poem)
    assert poem.read_text().startswith("No SQLite")


@pytest.mark.parametrize("at", ["user_version", "application_id", "sqlite_master"])
def test_a_file_that_another_process_is_making_is_not_taken_for_another_program_s(path, at):
    """Whatever of it is looked at first: the other comes in between."""
    looking, making = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))

    def come_between(sql: str) -> None:
        if at in sql:
            looking.set_trace_callback(None)
            with suppress(sqlite3.OperationalError):  # or waits until it has been looked at
                schema.create(making, path)

    looking.set_trace_callback(come_between)
    schema.check(looking, path)
    schema.create(making, path)
    assert schema.check(looking, path)
    looking.close()
    making.close()


def test_the_database_of_another_program_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name)")
    connection.close()
    assert "the database of another program" in refusal(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]
    connection.close()


def test_a_newer_schema_is_refused(path, broker):
    broker.send(envelopes("a"))
    broker.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    assert "another version of umbel" in refusal(path)


def test_a_directory_is_refused(tmp_path):
    assert "is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full"])
def test_a_device_is_refused(name):
    assert "is no plain file" in refusal(name)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_file_that_nobody_can_make_is_refused():
    assert "its directory must exist and be one in which this user can make files" in refusal("/proc/queue.db")


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    assert "cannot be opened: File name too long" in refusal(tmp_path / ("x" * 300))


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("beside", ["", "-wal"])
def test_a_file_of_another_user_is_refused_by_its_own_name(open_folder, beside, mode):
    """As root leaves it who once ran a command there, in a directory that is ours."""
    open_path = f"{open_folder}/queue.db"
    broker = SqliteBroker(open_path)
    broker.send(envelopes("a"))
    broker.close()
    os.chmod(open_path, 0o666)
    with open(f"{open_path}{beside}", "ab"):
        os.chmod(f"{open_path}{beside}", mode)
    open_folder.chmod(0o777)
    assert as_nobody(lambda: f"{open_path}{beside} cannot be used: this user may not read and write it" in refusal(open_path))


def test_a_missing_directory_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing" / "queue.db")


def test_an_old_sqlite_is_refused(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    broker = SqliteBroker(path)
    with pytest.raises(BrokerRefused, match=r"needs SQLite 3\.35"):
        broker.send(envelopes("a"))


def as_nobody(work) -> bool:
    """What `work` says in a child that is not root, for whom all files are writable."""

    def live() -> bool:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        return work()

    return in_a_child(live)


@pytest.fixture
def open_folder():
    """A folder that others than the owner reach; to them pytest closes its own whenever one more of it begins on the machine."""
    with tempfile.TemporaryDirectory(prefix="umbel-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_file_that_may_not_be_written_is_refused_and_nothing_is_lost(open_folder):
    open_path = f"{open_folder}/queue.db"
    broker = SqliteBroker(open_path)
    broker.send(envelopes("a"))
    broker.close()
    os.chmod(open_path, 0o444)
    open_folder.chmod(0o555)

    def work() -> bool:
        return "cannot be" in refusal(open_path)

    assert as_nobody(work)
    open_folder.chmod(0o755)
    os.chmod(open_path, 0o644)
    again = SqliteBroker(open_path)
    assert ids(drain(again)) == ["a"]
    again.close()


def test_a_directory_that_may_not_be_written_is_refused(open_folder):
    open_folder.chmod(0o555)
    assert as_nobody(lambda: "cannot be opened" in refusal(open_folder / "queue.db"))


def limited(bytes: int, work) -> bool:
    """What `work` says in a child whose files may not be longer than `bytes`: to SQLite that is a disk that fails."""

    def live() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, resource.RLIM_INFINITY))
        return work()

    return in_a_child(live)


def test_a_full_disk_is_told_and_what_was_accepted_stays(path):
    sent = 0

    def work() -> bool:
        nonlocal sent
        broker = SqliteBroker(path)
        try:
            while True:
                broker.send([envelope(str(sent), body=b"x" * 10_000)])
                sent += 1
        except BrokerDown as error:
            told = str(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        broker.send([envelope("after")])
        return "disk" in told and ids(drain(broker)) == [*map(str, range(sent)), "after"] and sent > 10

    assert limited(1 << 20, work)


def test_a_conclusion_on_a_full_disk_may_be_repeated(path):
    def work() -> bool:
        broker, backend = SqliteBroker(path), SqliteBackend(path)
        broker.send(envelopes("a"))
        (held,) = broker.reserve(["q"], 1, 1)
        conclusion = Conclusion(held, envelopes=[envelope("next", "after", body=b"x" * (2 << 20))])
        with pytest.raises(BrokerDown):
            broker.conclude([conclusion])
        told = broker.depth(["q"])["q"].held == 1 and broker.queues() == ["q"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        again = broker.conclude([conclusion]) == [] and broker.queues() == ["after"]
        backend.close()
        return told and again

    assert limited(1 << 20, work)


def test_an_owner_whose_first_step_failed_is_not_taken_for_the_next_one(path, broker):
    """What is rolled back gives its number free: the next owner gets the same."""
    broker.send([envelope("a"), envelope("b")])
    with sqlite3.connect(path) as spoiler:
        spoiler.execute("CREATE TRIGGER no BEFORE INSERT ON hold BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(BrokerRefused):
        broker.reserve(["q"], 1, 0)
    with spoiler:
        spoiler.execute("DROP TRIGGER no")
    spoiler.close()
    other = SqliteBroker(path)
    (held,) = other.reserve(["q"], 1, 0)
    broker.reserve(["q"], 1, 0)
    broker.close()
    assert other.conclude([Conclusion(held)]) == []
    other.close()


def test_an_interrupted_thread_leaves_no_transaction_open(broker):
    broker.send(envelopes("a"))
    with pytest.raises(KeyboardInterrupt), file.Transaction(file.file_at(broker.url.removeprefix("sqlite:///"))):
        raise KeyboardInterrupt
    thread = threading.Thread(target=broker.send, args=(envelopes("b"),))
    thread.start()
    thread.join(patience())
    assert ids(drain(broker)) == ["a", "b"]


def test_a_file_that_stays_busy_is_told_after_the_timeout_and_works_again_later(path, broker):
    broker.send(envelopes("a"))
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    impatient = SqliteBroker(path, timeout=0.2)
    with pytest.raises(BrokerDown, match="is busy"):
        impatient.send(envelopes("b"))
    assert impatient.queues() == ["q"]
    hog.execute("ROLLBACK")
    hog.close()
    impatient.send(envelopes("c"))
    assert ids(drain(impatient)) == ["a", "c"]
    impatient.close()


def test_a_file_that_is_busy_for_a_moment_is_waited_for(path, broker):
    broker.send(envelopes("a"))
    hog = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    hog.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, hog.execute, ["ROLLBACK"])
    timer.start()
    broker.send(envelopes("b"))
    timer.join()
    hog.close()
    assert ids(drain(broker)) == ["a", "b"]


def test_a_deleted_file_is_made_anew(path, broker):
    broker.send(envelopes("a"))
    for name in (path, f"{path}-wal", f"{path}-shm"):
        os.unlink(name)
    assert broker.reserve(["q"], 1, 0) == []
    other = SqliteBroker(path)
    other.send(envelopes("b"))
    assert ids(broker.reserve(["q"], 1, 5)) == ["b"]
    other.close()


def test_a_damaged_file_is_told(path, broker):
    broker.send(envelopes(*map(str, range(2000)), body=b"x" * 1000))
    broker.close()
    with open(path, "r+b") as damaged:
        damaged.seek(schema.PAGE_BYTES)
        damaged.write(os.urandom(50 * schema.PAGE_BYTES))
    again = SqliteBroker(path)
    with pytest.raises(BrokerRefused, match="is damaged"):
        drain(again)
    again.close()


def test_too_many_queues_are_told(path, broker, monkeypatch):
    monkeypatch.setattr("umbel.stores.sqlite.lines.SEGMENTS", 2)
    broker.send([envelope("a", "one"), envelope("b", "two")])
    with pytest.raises(BrokerRefused, match="more than 2 queues"):
        broker.send([envelope("c", "three")])
    assert broker.queues() == ["one", "two"]


def test_a_failed_batch_leaves_nothing_behind(path, broker, monkeypatch):
    monkeypatch.setattr("umbel.stores.sqlite.lines.SEGMENTS", 1)
    with pytest.raises(BrokerRefused):
        broker.send([envelope("a", "one"), envelope("b", "two")])
    assert broker.queues() == []


def test_brokers_on_one_path_share_one_file_of_this_process(path):
    assert file.file_at(path) is file.file_at(os.path.join(os.path.dirname(path), ".", "queue.db"))


def test_a_closed_broker_leaves_no_file_open(path):
    broker, backend = SqliteBroker(path), SqliteBackend(path)
    broker.send(envelopes("a"))
    broker.close()
    backend.close()
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    assert path not in {os.readlink(link) for link in links if os.path.islink(link)}


def test_space_of_what_is_gone_is_given_back(path, broker, monkeypatch):
    monkeypatch.setattr("umbel.stores.sqlite.space.SPARE_PAGES", 100)
    broker.send([envelope("a", body=b"x" * 1_000_000) for _ in range(40)])
    broker.purge("q")
    for _ in range(10):
        broker.recover()
    broker.close()
    assert os.path.getsize(path) < 300 * schema.PAGE_BYTES
