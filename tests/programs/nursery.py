"""Programs of an environment, forked from an interpreter that has loaded what they load from others.

Django and Celery take a second of a processor to be loaded, and tests start some hundreds of such programs. Each is a process of
its own all the same, and loads what is tested (umbel, the packages of this repository, the example sites) itself.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.programs.forking import HOLD, LENGTH, NUMBER, START

from umbel.testing.waiting import patience

FORKING = Path(__file__).with_name("forking.py")
LOADED = """
    django.core.management.commands.check django.core.management.commands.migrate django.core.handlers.asgi
    django.core.handlers.wsgi django.core.servers.basehttp django.db.models django.db.migrations.executor
    django.db.backends.sqlite3.base django.db.backends.postgresql.base django.contrib.postgres.fields
    django.contrib.admin.options django.contrib.auth.hashers django.contrib.staticfiles.handlers django.forms
    django.template.loader django.views.generic django.test.client rest_framework.compat rest_framework.exceptions
    psycopg whitenoise.middleware dj_database_url dotenv requests PIL.Image
    channels.routing twisted.internet.asyncioreactor twisted.internet.tcp twisted.protocols.tls autobahn.websocket.protocol
    OpenSSL.SSL cryptography.x509 flask fastapi msgspec click rich.console
    celery.bin.celery celery.apps.worker celery.apps.beat celery.worker.consumer celery.concurrency.prefork
    celery.backends.redis kombu.transport.redis redis hiredis msgpack yaml
""".split()  # noqa: SIM905 - words are easier to read
UNDERSTOOD = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
"""Of the variables that an interpreter looks at when it starts, those that a forked one knows of."""


class Program:
    """A process that was forked elsewhere, with what of `subprocess.Popen` tests need."""

    def __init__(self, args: Sequence[str], connection: socket.socket, stdin: IO[bytes] | None, stdout: IO[bytes] | None):
        self.args = args
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._connection = connection
        self.pid = self._hear()

    def _hear(self) -> int:
        said = self._connection.recv(NUMBER.size, socket.MSG_WAITALL)
        assert len(said) == NUMBER.size, "what forks programs has ended"
        return int(NUMBER.unpack(said)[0])

    def poll(self) -> int | None:
        """How it has ended; None as long as it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it has ended, once it has; TimeoutExpired after so many seconds."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
            self.returncode = self._hear()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


Process = Program | subprocess.Popen[bytes]


def end(process: Process) -> None:
    """End it if it runs, and leave nothing of it open."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # what it did not live to read
                pipe.close()


class Anew:
    """Programs, each started in an interpreter of its own."""

    def start(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.DEVNULL,
        stderr: Any = subprocess.STDOUT,
        user: str | None = None,
        start_new_session: bool = False,
    ) -> Process:
        """As `subprocess.Popen`."""
        options = {"cwd": cwd, "env": env, "stdin": stdin, "stdout": stdout, "stderr": stderr, "user": user}
        return self._begin(command, {**options, "start_new_session": start_new_session})

    def _begin(self, command: Sequence[str | Path], options: dict[str, Any]) -> Process:
        return subprocess.Popen(command, **options)

    def run(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], input: str = "", user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What it says, and how it ends; `input` is what it reads."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(input.encode())
            given.seek(0)
            process = self.start(command, cwd=cwd, env=env, user=user, stdin=given, stdout=out, stderr=err)
            try:
                code = process.wait(patience(2))
            finally:
                end(process)
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        return subprocess.CompletedProcess(list(command), code, *said)


class Nursery(Anew):
    """The programs of one environment, forked; what is no program of it, or wants an interpreter of its own, is started anew."""

    def __init__(self, python: Path):
        self._python = python
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
        name = hashlib.sha256(f"{run} {python}".encode()).hexdigest()[:16]
        self.address = f"{tempfile.gettempdir()}/umbel-{name}"
        self._hold = self._connect()
        self._hold.sendall(HOLD)
        atexit.register(self.close)

    def _begin(self, command: Sequence[str | Path], options: dict[str, Any]) -> Process:
        cwd, env = options["cwd"], options["env"]
        words = self._words([str(word) for word in command], cwd, env)
        if words is None:
            return super()._begin(command, options)
        order = {
            "words": words,
            "cwd": str(cwd),
            "env": dict(env),
            "user": options["user"],
            "session": options["start_new_session"],
        }
        with contextlib.ExitStack() as theirs:
            ours: list[IO[bytes] | None] = []
            files = [self._file(each, mode, theirs, ours) for each, mode in ((options["stdin"], "rb"), (options["stdout"], "wb"))]
            stderr = options["stderr"]
            files.append(files[1] if stderr == subprocess.STDOUT else self._file(stderr, "wb", theirs, ours))
            connection = self._connect()
            text = json.dumps(order).encode()
            socket.send_fds(connection, [START], files)
            connection.sendall(LENGTH.pack(len(text)) + text)
            return Program([str(word) for word in command], connection, ours[0], ours[1])

    def close(self) -> None:
        """Want no more of them."""
        self._hold.close()

    def _words(self, command: list[str], cwd: Path, env: Mapping[str, str]) -> list[str] | None:
        """What its Python is to do; None if that is not for a forked one."""
        if {key for key in env if key.startswith("PYTHON")} - UNDERSTOOD:
            return None
        found = shutil.which(command[0], path=env.get("PATH"))
        if found is None or Path(found).parent != self._python.parent:
            return None
        if Path(found).name.startswith("python"):
            words = command[1:]
            return words if not words or words[0] in ("-m", "-c") or (cwd / words[0]).is_file() else None
        return [found, *command[1:]] if Path(found).read_bytes().startswith(b"#!") else None

    def _file(self, given: Any, mode: str, theirs: contextlib.ExitStack, ours: list[IO[bytes] | None]) -> int:
        """The descriptor that the program gets; our end of a pipe is added to `ours`."""
        end = None
        if given == subprocess.PIPE:
            pipe = os.pipe()
            file, other = pipe if mode == "rb" else reversed(pipe)
            end = os.fdopen(other, "wb" if mode == "rb" else "rb")
            theirs.callback(os.close, file)
        elif given == subprocess.DEVNULL:
            file = os.open(os.devnull, os.O_RDWR)
            theirs.callback(os.close, file)
        else:
            file = given.fileno()
        ours.append(end)
        return file

    def _connect(self) -> socket.socket:
        """A connection to what forks them, which is started by the first who needs it and ends with the last."""
        with contextlib.suppress(OSError):
            return self._connected()
        with FORKING.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(OSError):
                return self._connected()
            self._launch()
            return self._connected()

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(patience())
            connection.connect(self.address)
            connection.setblocking(True)
        except OSError:
            connection.close()
            raise
        return connection

    def _launch(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.address)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(128)
            listener.set_inheritable(True)
            command = [str(self._python), str(FORKING), str(listener.fileno()), *LOADED]
            env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
            nothing = [(os.POSIX_SPAWN_OPEN, file, os.devnull, os.O_RDWR, 0) for file in (0, 1)]
            os.waitpid(os.posix_spawn(command[0], command, env, file_actions=nothing), 0)


@cache
def nursery(python: Path) -> Nursery:
    """That of the environment with this Python."""
    return Nursery(python)
