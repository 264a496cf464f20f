from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from umbel.cli.daemon import Pidfile, become
from umbel.cli.failure import Failure
from umbel.testing.waiting import patience, until

TAKE = (
    "import sys; from umbel.cli.daemon import Pidfile; Pidfile(sys.argv[1]).take(); print('taken', flush=True); sys.stdin.read()"
)
BEGIN = "import os, sys, time\nfrom umbel.cli.daemon import detach\nbirth = detach('worker w1')\n"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the pidfile `w.pid`."""
    command = [sys.executable, "-c", TAKE, str(tmp_path / "w.pid")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def test_a_pidfile_holds_the_pid_and_goes_with_its_owner(tmp_path: Path) -> None:
    pidfile = Pidfile(str(tmp_path / "w.pid"))
    pidfile.take()
    assert (tmp_path / "w.pid").read_text() == f"{os.getpid()}\n"
    pidfile.drop()
    pidfile.drop()
    assert not (tmp_path / "w.pid").exists()


def test_a_pidfile_of_a_living_worker_is_refused(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(Failure, match=f"belongs to process {holder.pid}, which is running") as caught:
        Pidfile(str(tmp_path / "w.pid")).take()
    assert caught.value.code == 73
    assert (tmp_path / "w.pid").read_text() == f"{holder.pid}\n"


def test_a_pidfile_of_a_killed_worker_is_taken_over(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    pidfile = Pidfile(str(tmp_path / "w.pid"))
    pidfile.take()
    assert (tmp_path / "w.pid").read_text() == f"{os.getpid()}\n"
    pidfile.drop()


def test_a_living_pid_that_another_program_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pid").write_text(str(os.getppid()))
    with pytest.raises(Failure, match="which is running"):
        Pidfile(str(tmp_path / "w.pid")).take()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only /proc tells when a process began")
def test_a_process_that_has_ended_unnoticed_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "w.pid"
    with subprocess.Popen(["true"]) as process:
        until(lambda: b") Z " in Path(f"/proc/{process.pid}/stat").read_bytes())
        path.write_text(f"{process.pid}\n")
        pidfile = Pidfile(str(path))
        pidfile.take()
        pidfile.drop()


def test_a_pid_that_was_given_to_a_later_process_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "w.pid"
    path.write_text(str(os.getppid()))
    os.utime(path, (1e9, 1e9))  # written long before that process began
    pidfile = Pidfile(str(path))
    pidfile.take()
    pidfile.drop()


@pytest.mark.parametrize("content", ["", "garbage", "0", "99999999999999999999"])
def test_a_pidfile_that_names_no_process_is_taken_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "w.pid").write_text(content)
    pidfile = Pidfile(str(tmp_path / "w.pid"))
    pidfile.take()
    pidfile.drop()


def test_a_forked_child_does_not_remove_its_parents_pidfile(tmp_path: Path) -> None:
    code = (
        "import os, sys; from umbel.cli.daemon import Pidfile; p = Pidfile(sys.argv[1]); p.take()\n"
        "pid = os.fork()\n"
        "if not pid:\n    p.drop(); os._exit(0)\n"
        "os.waitpid(pid, 0); sys.exit(not os.path.exists(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "w.pid")], check=False).returncode == 0


def test_a_pidfile_that_someone_else_replaced_is_left_to_him(tmp_path: Path) -> None:
    path = tmp_path / "w.pid"
    pidfile = Pidfile(str(path))
    pidfile.take()
    path.unlink()
    path.write_text("1\n")
    pidfile.drop()
    assert path.read_text() == "1\n"


def test_ten_starters_at_once_leave_one_owner(tmp_path: Path) -> None:
    (tmp_path / "w.pid").write_text("99999999\n")  # stale, so that all try to take it over
    command = [sys.executable, "-c", TAKE, str(tmp_path / "w.pid")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    starters = [subprocess.Popen(command, text=True, **pipes) for _ in range(10)]
    try:
        taken = [starter.stdout is not None and starter.stdout.readline() == "taken\n" for starter in starters]
        assert taken.count(True) == 1
    finally:
        for starter in starters:
            starter.communicate()


def detached(body: str, tmp_path: Path, *, shortly: bool = False) -> subprocess.CompletedProcess[str]:
    begin = BEGIN.replace("birth =", "import umbel.cli.daemon as daemon\ndaemon.PATIENCE = 1.0\nbirth =") if shortly else BEGIN
    return subprocess.run(
        [sys.executable, "-c", begin + body, str(tmp_path)], capture_output=True, text=True, check=False, timeout=patience()
    )


def test_detaching_tells_the_pid_of_a_process_in_a_session_of_its_own(tmp_path: Path) -> None:
    done = detached(
        "birth.ready(sys.argv[1] + '/out'); print('to the log', os.getpid(), os.getsid(0), flush=True); time.sleep(60)", tmp_path
    )
    words = done.stdout.split()
    assert (done.returncode, done.stderr, words[:-1]) == (0, "", ["worker", "w1", "runs", "in", "the", "background,", "pid"])
    pid = int(words[-1])
    try:
        until(lambda: (tmp_path / "out").read_text().endswith("\n"))
        own, session = (int(word) for word in (tmp_path / "out").read_text().split()[3:])
        assert own == pid
        assert session not in (own, os.getsid(0))
    finally:
        os.kill(pid, signal.SIGTERM)


def test_what_goes_wrong_before_it_is_ready_reaches_the_terminal_with_its_exit_code(tmp_path: Path) -> None:
    done = detached("sys.stderr.write('umbel: it is broken\\n'); sys.exit(73)", tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (73, "umbel: it is broken\n", "")


def test_a_process_that_is_killed_at_its_start_is_not_taken_for_running(tmp_path: Path) -> None:
    done = detached("os.kill(os.getpid(), 9)", tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_in_the_terminal_is_told_for_what_and_can_end_it(tmp_path: Path, number: signal.Signals) -> None:
    body = "birth.waits('the store\\n  is away'); open(sys.argv[1] + '/pid', 'w').write(str(os.getpid())); time.sleep(1000)"
    patient = f"from umbel.cli import daemon\ndaemon.PATIENCE = {patience()}\n"  # or it may leave before the signal comes
    command = [sys.executable, "-c", patient + BEGIN + body, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as terminal:
        assert terminal.stderr is not None
        told = terminal.stderr.readline()
        pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
        assert told == f"worker w1, pid {pid}, waits: the store is away. Ctrl-C ends it\n"
        terminal.send_signal(number)
        out, err = terminal.communicate(timeout=patience())
    assert (terminal.returncode, out) == (128 + number, "")
    assert err == "worker w1 has ended before it was ready; nothing is left in the background\n"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


SOON = """
import os, signal
ours, fork = os.getpid(), os.fork
def fork_and_end():
    child = fork()
    if os.getpid() == ours:
        os.kill(ours, signal.NUMBER)
    return child
os.fork = fork_and_end
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_at_once_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    there = "open(sys.argv[1] + '/it', 'w').write(str(os.getpid())); os.rename(sys.argv[1] + '/it', sys.argv[1] + '/pid')"
    body = f"{there}; birth.waits('the store'); time.sleep(1000)"  # it may be ended in the midst of writing
    command = [sys.executable, "-c", SOON.replace("NUMBER", number.name) + BEGIN + body, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(), check=False)
    assert done.returncode == 128 + number
    assert done.stderr.endswith("worker w1 has ended before it was ready; nothing is left in the background\n")
    if (tmp_path / "pid").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_is_left_waiting_is_told_with_its_pid(tmp_path: Path) -> None:
    done = detached("birth.waits('the store is away'); time.sleep(1000)", tmp_path, shortly=True)
    assert done.returncode == 0
    pid = int(done.stdout.split("pid ")[1].split(";")[0])
    assert done.stdout == (
        f"worker w1 is still starting in the background, pid {pid}; it waits: the store is away. `kill {pid}` ends it\n"
    )
    os.kill(pid, signal.SIGTERM)


def test_without_a_wish_nobody_changes() -> None:
    before = os.getresuid(), os.getresgid()
    become(None, None)
    assert (os.getresuid(), os.getresgid()) == before


def test_only_root_may_change_to_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Failure, match="need root"):
        become("nobody", None)


@pytest.mark.parametrize(("uid", "gid", "words"), [("nosuchuser", None, "no user"), (None, "nosuchgroup", "no group")])
def test_an_unknown_user_or_group_is_told(monkeypatch: pytest.MonkeyPatch, uid: str | None, gid: str | None, words: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(Failure, match=words):
        become(uid, gid)


@pytest.mark.parametrize(("uid", "gid"), [("1", None), ("54321", None), ("1", "2"), (None, "2")])
def test_root_becomes_the_user_and_group(uid: str | None, gid: str | None) -> None:
    code = (
        "import os, sys; from umbel.cli.daemon import become; become(*eval(sys.argv[1])); print(os.getresuid(), os.getresgid())"
    )
    done = subprocess.run([sys.executable, "-c", code, repr((uid, gid))], capture_output=True, text=True, check=False)
    if os.geteuid() != 0:
        assert "need root" in done.stderr
        return
    user, group = int(uid or 0), int(gid or uid or 0)
    assert done.stdout.strip() == f"{(user,) * 3} {(group,) * 3}"
