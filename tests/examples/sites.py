"""The example sites as their documents start them: in a folder of their own, in an environment with one Celery or the other."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.programs.nursery import Anew, Process, end, nursery
from tests.servers.missing import lacks

from umbel.testing.waiting import patience, until

ROOT = Path(__file__).parents[2]
KINDS = ("celery", "umbel")


def environment(kind: str) -> Path:
    """The folder of programs of the environment whose `celery` is real Celery, or umbel's."""
    name = {"celery": "sites-celery", "umbel": "face"}[kind]
    programs = ROOT / ".bench" / name / "bin"
    if not (programs / "celery").exists():
        lacks(f"there is no {programs}/celery: run scripts/setup {name} .bench/{name}")
    return programs


def stranger(programs: Path) -> str | None:
    """Another user who can run these programs, if we may become one."""
    if os.getuid() != 0:
        return None
    try:
        subprocess.run([programs / "python", "-c", ""], user="nobody", check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):  # no such user, or our folder is not for others to enter
        return None
    return "nobody"


HASTY = """from {settings} import *
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
"""A site's settings, but for what is to take half a second of a processor whenever somebody registers."""


def hasty(folder: Path, settings: str) -> dict[str, str]:
    """Variables with which a site's programs have these settings and are hasty about passwords; `folder` is on their path."""
    (folder / "hasty.py").write_text(HASTY.format(settings=settings))
    return {"DJANGO_SETTINGS_MODULE": "hasty"}


class Running:
    """A program that was started; its log has all that it wrote."""

    def __init__(self, process: Process, logfile: Path):
        self.process = process
        self._logfile = logfile

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._logfile.read_text(errors="replace")

    def says(self, *words: str, ends: bool = False) -> None:
        """Wait until it has said all of these; it may only end if that is expected."""

        def said() -> bool:
            assert ends or self.process.poll() is None, self.log
            return all(word in self.log for word in words)

        until(said, saying=lambda: self.log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to what it has started, if any of them is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self) -> int:
        """Ask it to end; gives its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience())


LISTENING = """
import contextlib, io, json, sys, traceback
for line in sys.stdin:
    printed, problem = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {"__name__": "__main__"})
    except BaseException:
        problem = traceback.format_exc()
    print(json.dumps([printed.getvalue(), problem]), flush=True)
"""


class Shell:
    """An interpreter that does one thing after the other, each as if it were new: to start one takes a second of a processor."""

    def __init__(self, process: Process):
        self._process = process

    def must(self, code: str) -> str:
        """What is printed by this code, which has to end well."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(code).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], patience())
        assert ready, f"it has not ended: {code}"
        printed, problem = json.loads(process.stdout.readline())
        assert not problem, problem
        return str(printed).strip()


class Site:
    """A copy of a site in a new folder, used by one user with one environment; what its programs say goes into `logs`."""

    def __init__(self, source: Path, programs: Path, logs: Path, *, user: str | None = None, anew: bool = False, **env: str):
        """With `anew` each program has an interpreter of its own, as it has where somebody types its name."""
        # Not below pytest's directories: those only their owner may enter.
        self.top = Path(tempfile.mkdtemp(prefix=f"umbel-{source.name}-"))
        self.folder = self.top / source.name
        self._user = user
        self._nursery = Anew() if anew else nursery(programs / "python")
        self._env = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(self.top), **env}
        self._logs = logs
        self._running: list[Running] = []
        untidy = shutil.ignore_patterns(".env", "*.sqlite3*", "__pycache__", "celerybeat-schedule*", "media")
        shutil.copytree(source, self.folder, ignore=untidy)
        if user:
            for path in (self.top, *self.top.rglob("*")):
                shutil.chown(path, user)

    def run(self, command: str, *, code: str = "", below: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """What a command says, as it stands in the document; `code` is what is typed into it."""
        return self._nursery.run(
            shlex.split(command), cwd=self.folder / below, env={**self._env, **env}, user=self._user, input=code
        )

    def must(self, command: str, *, code: str = "", below: str = "", **env: str) -> str:
        """The same, of a command that has to end well."""
        done = self.run(command, code=code, below=below, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def answer(self, command: str, answer: str, *, below: str = "", **env: str) -> str:
        """What a command says to somebody who sits at a terminal, and answers what it asks."""
        ours, theirs = os.openpty()
        os.write(ours, answer.encode())
        try:
            done = subprocess.run(
                shlex.split(command), cwd=self.folder / below, env={**self._env, **env}, user=self._user, stdin=theirs,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience(), check=False,
            )  # fmt: skip
        finally:
            os.close(ours)
            os.close(theirs)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, command: str, *, below: str = "", **env: str) -> Running:
        """Start a command that goes on; all of them end with the site."""
        logfile = self._logs / f"{self.top.name}-{len(self._running)}.log"
        with logfile.open("wb") as log:
            process = self._nursery.start(
                shlex.split(command), cwd=self.folder / below, env={**self._env, "PYTHONUNBUFFERED": "1", **env},
                user=self._user, stdout=log, start_new_session=True,
            )  # fmt: skip
        self._running.append(Running(process, logfile))
        return self._running[-1]

    def shell(self, command: str, *, below: str = "", **env: str) -> Shell:
        """Start an interpreter, by a command that takes code behind `-c`; it ends with the site, too."""
        logfile = self._logs / f"{self.top.name}-{len(self._running)}.log"
        with logfile.open("wb") as log:
            process = self._nursery.start(
                [*shlex.split(command), "-c", LISTENING], cwd=self.folder / below, env={**self._env, **env},
                user=self._user, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._running.append(Running(process, logfile))
        return Shell(process)

    def close(self) -> None:
        """End all that runs, and remove the folder."""
        for running in self._running:
            running.send(signal.SIGTERM)
        for running in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(patience())
            running.send(signal.SIGKILL)  # what a shell has left
            end(running.process)
        shutil.rmtree(self.top, ignore_errors=True)


class Browser:
    """A visitor with cookies, who sends forms as a page would."""

    def __init__(self, address: str):
        self.address = address
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def get(self, path: str) -> str:
        """A page."""
        return self._ask(urllib.request.Request(self.address + path))

    def get_json(self, path: str) -> Any:
        """What an API answers to a GET."""
        return json.loads(self.get(path))

    def post(self, path: str, fields: dict[str, str]) -> str:
        """The page that comes after a form was sent from the same address."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}).encode()
        return self._ask(urllib.request.Request(self.address + path, data))

    def call(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        """What an API answers to a POST."""
        token = next((str(cookie.value) for cookie in self._jar if cookie.name == "csrftoken"), "")
        headers = {"Content-Type": kind, "X-CSRFToken": token}
        return json.loads(self._ask(urllib.request.Request(self.address + path, body, headers)))

    def _ask(self, request: urllib.request.Request) -> str:
        try:
            with self._opener.open(request, timeout=patience()) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            pytest.fail(f"{request.get_method()} {request.full_url}: {error.code} {error.read()[:500]!r}")
        return content.decode()
