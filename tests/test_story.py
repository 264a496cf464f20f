"""What is told of a test that fails, and of one that waits for ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from umbel.testing.waiting import patience

ROOT = Path(__file__).parents[1]

BROKEN = """
import random, subprocess, sys, threading

def test_one_that_fails(tmp_path):
    with (tmp_path / "worker1.log").open("w") as log:
        subprocess.run([sys.executable, "-c", "print('last words')"], stdout=log, check=True)
    assert random.random() < 0

def test_one_that_waits_for_ever(tmp_path):
    (tmp_path / "log").write_text("a server is here")
    threading.Event().wait()

def test_one_that_leaves_a_connection_open():
    import sqlite3
    global connection
    connection = sqlite3.connect(":memory:")

def test_one_that_is_well():
    pass
"""


def told(folder: Path, *options: str) -> str:
    """What pytest says about these tests, with little patience."""
    (folder / "test_broken.py").write_text(BROKEN)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", folder, "-p", "tests.conftest", *options]
    env = os.environ | {"UMBEL_PATIENCE": "0.005"}
    command += ["--import-mode=importlib", "-p", "no:xdist", folder / "test_broken.py"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=patience())
    return done.stdout + done.stderr


def test_a_failure_is_told_with_how_to_repeat_it_and_what_its_processes_have_said_last(tmp_path: Path) -> None:
    text = told(tmp_path, "-k", "fails or well")
    assert "1 failed, 1 passed" in text
    assert "last words" in text
    (again,) = re.findall(r"scripts/test test_broken.py::test_one_that_fails --randomly-seed=(\d+)", text)
    number = re.findall(r"assert (0\.\d+) < 0", text)
    assert number
    assert re.findall(r"assert (0\.\d+) < 0", told(tmp_path, "-k", "fails", f"--randomly-seed={again}")) == number


def test_a_test_that_waits_for_ever_fails_with_all_stacks_and_the_next_one_runs(tmp_path: Path) -> None:
    text = told(tmp_path, "-k", "ever or well", "-p", "no:randomly")
    assert "1 failed, 1 passed" in text
    assert re.search(r"it took longer than \d+ s; where the threads stood", text)
    assert re.search(r'File ".*test_broken.py", line \d+ in test_one_that_waits_for_ever', text)
    assert "a server is here" in text


def test_a_test_that_leaves_a_connection_open_is_named(tmp_path: Path) -> None:
    text = told(tmp_path, "-k", "leaves or well", "-p", "no:randomly")
    assert "2 passed, 1 error" in text
    assert "ERROR at teardown of test_one_that_leaves_a_connection_open" in text
