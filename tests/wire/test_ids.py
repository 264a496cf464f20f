from __future__ import annotations

import os
import threading
import uuid

import pytest

from umbel import clock
from umbel.wire.ids import derived, new_id, new_ids


def test_an_id_is_a_version_7_uuid_of_now():
    made = uuid.UUID(new_id())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert abs((made.int >> 80) / 1000 - clock.now()) < 60


def test_ids_ascend_also_across_calls_within_one_instant(monkeypatch):
    start = clock.now() + 1000
    monkeypatch.setattr(clock, "now", lambda: start)
    made = [name for size in (1, 5000, 1, 3000, 0, 2) for name in new_ids(size)]
    assert made == sorted(made)
    assert len(set(made)) == 8004


def test_ids_go_on_when_the_clock_goes_back(monkeypatch):
    first, start = new_id(), clock.now()
    monkeypatch.setattr(clock, "now", lambda: start - 30)
    assert first < new_id() < new_ids(2)[1] < new_id()


def test_ids_follow_a_clock_that_had_been_wrong(monkeypatch):
    wrong, right = clock.now() + 365 * 86400, clock.now()
    monkeypatch.setattr(clock, "now", lambda: wrong)
    new_ids(10)
    monkeypatch.setattr(clock, "now", lambda: right)
    for name in (new_id(), *new_ids(2), new_id()):
        assert abs((uuid.UUID(name).int >> 80) / 1000 - right) < 1


def test_no_ids_are_no_ids():
    assert new_ids(0) == []


def test_threads_never_make_the_same_id():
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(new_ids(2000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16000


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forks_never_make_the_same_id():
    reader, writer = os.pipe()
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os.write(writer, "".join(new_ids(100)).encode())  # 3600 bytes: less than PIPE_BUF, so in one piece
            os._exit(0)
        pids.append(pid)
    os.close(writer)
    for pid in pids:
        os.waitpid(pid, 0)
    with os.fdopen(reader) as told:
        text = told.read()
    made = [text[at : at + 36] for at in range(0, len(text), 36)] + new_ids(100)
    assert len(set(made)) == 400


def test_a_derived_id_is_the_same_for_all_who_make_it_and_tells_its_time():
    moment = 1_793_000_000.123456
    made = uuid.UUID(derived("nightly", moment))
    assert str(made) == derived("nightly", moment)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(moment * 1000)


def test_derived_ids_differ_by_name_and_by_time():
    ids = {derived(name, 1_793_000_000 + second / 1000) for name in ("a", "b", "a\0b") for second in range(1000)}
    assert len(ids) == 3000
