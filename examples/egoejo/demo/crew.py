"""The site's programs: each a real process in a group of its own, so that all of one can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

BACKEND = Path(__file__).parents[1] / "backend"


@dataclass
class Program:
    """One program as the demo sees it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    held: dict[str, str] = field(default_factory=dict)
    """Ids and names of the tasks that it has received and not ended."""
    done: int = 0
    fate: str = ""
    """Empty while it lives."""
    was_killed: bool = False
    read: int = 0
    """Bytes of the log that were looked at."""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all its children."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def news(self) -> list[str]:
        """Whole lines that it has logged since it was asked last."""
        with self.log.open("rb") as log:
            log.seek(self.read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return whole.decode(errors="replace").splitlines()


class Crew:
    """All that the demo has started; nothing of it outlives the `with` block."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self.programs: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def _command(self, words: str) -> list[str]:
        program, *rest = words.split()
        return [sys.executable, *rest] if program == "python" else [str(Path(sys.executable).parent / program), *rest]

    def run(self, words: str) -> str:
        """Run a command to its end, in the site's folder; gives what it printed."""
        done = subprocess.run(
            self._command(words), cwd=BACKEND, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"`{words}` has ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name: str, words: str) -> Program:
        """Start a command that goes on."""
        log = self.folder / f"{name.replace(' ', '-')}-{len(self.programs)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(words),
                cwd=BACKEND,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.programs.append(Program(name, process, log))
        return self.programs[-1]

    def living(self) -> list[Program]:
        return [program for program in self.programs if not program.fate]

    def stop(self) -> bool:
        """Ask all that live to stop; True if every one did, in order."""
        asked = self.living()
        for program in asked:
            program.process.terminate()
        for program in asked:
            try:
                program.fate = f"stopped (exit {program.process.wait(15)})"
            except subprocess.TimeoutExpired:
                program.fate = "did not stop when asked to"
        return all(program.process.returncode in (0, -signal.SIGTERM) for program in asked)

    def __exit__(self, *_: object) -> None:
        for program in self.programs:
            program.signal(signal.SIGKILL)
            program.process.wait()
