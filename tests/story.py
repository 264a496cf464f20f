"""What a failing test tells beside its traceback: the command that plays it again, and what its processes have said last."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

LINES = 30
"""At the end of each log."""
LOGS = 6
"""The first ones to be written are of servers, the last ones of whoever had something to say at the end: so many of those."""
FAILED = pytest.StashKey[bool]()
"""True of a test that has failed, for those who clear up after it."""
STAYS_OPEN = pytest.StashKey[bool]()
"""True of a test that leaves stores open for the next one."""


class Story:
    """A plugin. Processes of tests write into files `*.log` (redis-server into `log`) somewhere in the tests' folder."""

    def __init__(self) -> None:
        self._begun = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self._begun = time.time()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            item.stash[FAILED] = True
            report.sections.append(("To repeat it", again(item)))
            report.sections += [(f"The end of {path}", last_words(path)) for path in self._logs(item.config)]
        return report

    def _logs(self, config: pytest.Config) -> list[Path]:
        """Those into which something was written during this test."""
        written = [(path.stat().st_mtime, path) for path in logs(Path(config._tmp_path_factory.getbasetemp()))]  # type: ignore[attr-defined]
        return [path for when, path in sorted(written)[-LOGS:] if when >= self._begun and path.stat().st_size]


def logs(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if name == "log" or name.endswith(".log"))


def last_words(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return "\n".join(lines[-LINES:])


def again(item: pytest.Item) -> str:
    """The command line for the same with the same random numbers."""
    options = [f"{name}={value}" for name, value in seeds(item.config)]
    return shlex.join(["scripts/test", item.nodeid, *options])


def seeds(config: pytest.Config) -> Iterator[tuple[str, object]]:
    """Those of pytest-randomly. Hypothesis shows the example itself; the chaos takes its seed from these random numbers."""
    if (seed := config.getoption("randomly_seed", None)) not in {None, "default", "last"}:
        yield "--randomly-seed", seed
