"""What others patch around the processes of a worker is called there, and what it does at the end is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.face.test_command import Shop

PATCHED = """
import functools, os
import billiard.pool
import celery.concurrency.prefork as prefork
from celery import Celery

app = Celery("shop", broker="sqlite:///shop.db")

def note(what):
    with open("notes", "a") as notes:
        notes.write(f"{what}\\n")

inner = billiard.pool.Worker.workloop

def workloop(*args, **kwargs):
    try:
        return inner(*args, **kwargs)
    finally:
        note("flushed")

billiard.pool.Worker.workloop = workloop
last = billiard.pool.Worker._do_exit

@functools.wraps(last)
def do_exit(self, pid, exitcode, *args):
    note(f"exits {pid == os.getpid()} {exitcode}")
    return last(self, pid, exitcode, *args)

billiard.pool.Worker._do_exit = do_exit
prefork.process_initializer = lambda app, hostname: note(f"begins {app.main} {hostname.partition('@')[0]}")
prefork.process_destructor = lambda pid, exitcode: note(f"ends {pid == os.getpid()}")

@app.task(name="shop.who")
def who():
    import billiard, multiprocessing
    one, other = billiard.current_process(), multiprocessing.current_process()
    return [one.name, one.index, other.name, other.index]
"""


@pytest.fixture
def shop(face: Path, tmp_path: Path) -> Shop:
    shop = Shop(face, tmp_path)
    shop.write("shop.py", PATCHED)
    return shop


def test_patches_around_a_process_are_called_and_may_flush_at_its_end(shop: Shop) -> None:
    with shop.worker():
        sent = shop.celery("-A", "shop", "call", "shop.who").out.strip()
        assert shop.celery("-A", "shop", "result", sent).out == "['ForkPoolWorker-1', 0, 'ForkPoolWorker-1', 0]\n"
    notes = (shop.folder / "notes").read_text().splitlines()
    assert notes == ["begins shop celery", "flushed", "ends True", "exits True 0"]
    assert "Traceback" not in shop.log


def test_processes_know_their_names_without_any_patch(shop: Shop) -> None:
    shop.write(
        "shop.py", PATCHED.split("def note")[0] + '@app.task(name="shop.who")\ndef who():' + PATCHED.split("def who():")[1]
    )
    with shop.worker():
        sent = shop.celery("-A", "shop", "call", "shop.who").out.strip()
        assert shop.celery("-A", "shop", "result", sent).out == "['ForkPoolWorker-1', 0, 'ForkPoolWorker-1', 0]\n"
    assert "Traceback" not in shop.log
