"""Programs that are forked behave as those that are started: what they see, say, and end with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.programs.nursery import Anew, Nursery, Program, end, nursery

from umbel.testing.waiting import patience, until

PYTHON = Path(sys.executable)
SEEN = """
import os, signal, sys
print(sys.argv, sys.orig_argv[1:], sys.path[:2], __name__, os.getcwd(), sorted(os.environ.items()), os.getpid() == os.getpgid(0))
print(sys.stdin.read(), sys.stdout.isatty(), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD))
print(sys.modules["__main__"].__dict__.get("__file__"), "umbel" in sys.modules, file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seen.py").write_text(SEEN)
    (tmp_path / "wrong.py").write_text("import seen_not\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "seen.py one two",
        "-m seen one",
        "-m json.tool",
        "-m pip --version",
        "-m no_such thing",
        "-c import(sys);print(sys.argv,sys.path[0]) one",
        "-c import(sys);sys.exit() one",
        "-c import(sys);sys.exit(3) one",
        "-c import(sys);sys.exit('why')",
        "-c import(sys);sys.stdout.write('x'*99999);1/0",
        "-c import(atexit,os);atexit.register(print,'over');os.kill(os.getpid(),2)",
        "-c import(threading,time);threading.Thread(target=lambda:(time.sleep(0.1),print('later'))).start()",
        "-W error -c pass",
        "wrong.py",
        "missing.py",
        "",
    ],
)
def test_what_a_program_sees_and_says_is_the_same(folder: Path, words: str) -> None:
    given = '{"a": 1}' if words else "print(__name__, 1)"
    command = [str(PYTHON), *(word.replace("import(", "import ").replace(");", ";", 1) for word in words.split())]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder.parent), "SOME": "thing", "LC_ALL": "C.UTF-8"}
    forked, started = (each.run(command, cwd=folder, env=env, input=given) for each in (nursery(PYTHON), Anew()))
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    said = [[line for line in each.stderr.splitlines() if not line.startswith("    ")] for each in (forked, started)]
    assert said[0] == said[1], "but for lines of the source, which newer Pythons show more of"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Program]:
    """A program that says what it reads, until it reads nothing."""
    command = [PYTHON, "-c", "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"]
    process = nursery(PYTHON).start(command, cwd=tmp_path, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert isinstance(process, Program)
    yield process
    end(process)


def test_a_program_is_spoken_with_and_ends(sleeper: Program) -> None:
    assert sleeper.stdin
    assert sleeper.stdout
    sleeper.stdin.write(b"hello\n")
    sleeper.stdin.flush()
    assert sleeper.stdout.readline() == b"hello\n"
    assert sleeper.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.01)
    sleeper.stdin.close()
    assert sleeper.wait(patience()) == 0
    sleeper.terminate()  # it does nothing


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_how_a_signal_ended_it_is_told(sleeper: Program, number: signal.Signals) -> None:
    assert sleeper.stdin
    assert sleeper.stdout
    sleeper.stdin.write(b"ready\n")
    sleeper.stdin.flush()
    sleeper.stdout.readline()
    sleeper.send_signal(number)
    assert sleeper.wait(patience()) == -number
    assert not psutil.pid_exists(sleeper.pid)


def test_who_has_a_session_leads_it_as_soon_as_it_is_known(tmp_path: Path) -> None:
    for _ in range(50):
        process = nursery(PYTHON).start(
            [PYTHON, "-c", "import signal; signal.pause()"], cwd=tmp_path, env={}, start_new_session=True
        )
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(patience()) == -signal.SIGKILL


def test_what_forks_them_ends_with_the_last_who_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", str(tmp_path))
    made = Nursery(PYTHON)
    done = made.run([PYTHON, "-c", "import os; print(os.getppid())"], cwd=tmp_path, env={})
    forks = psutil.Process(int(done.stdout))
    other = Nursery(PYTHON)
    assert other.run([PYTHON, "-c", "import os; print(os.getppid())"], cwd=tmp_path, env={}).stdout == done.stdout
    made.close()
    assert forks.is_running()
    other.close()
    until(lambda: not forks.is_running() or forks.status() == psutil.STATUS_ZOMBIE)
    assert not Path(made.address).exists()
