"""The same modules run by Celery, by umbel's face of it, and by umbel: hundreds of facts, equal but for a list with reasons.

The list is `DIFFERENT`; docs/reference/differences.md shows it, and a test holds that they agree.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.interop.differences import DIFFERENT, PAGE, page, reason
from tests.interop.fleet import CELERY, QUIET, ROOT, Fleet
from tests.programs.nursery import end, nursery
from tests.servers.missing import lacks

from umbel.testing.waiting import patience, until

SAME = Path(__file__).parent / "same"
FACE = ROOT / ".bench" / "face" / "bin" / "python"
PYTHONS = {"celery": CELERY, "face": FACE, "umbel": Path(sys.executable)}


def ask(system: str, fleet: Fleet) -> dict[str, Any]:
    """All facts of one system."""
    if not PYTHONS[system].exists():
        lacks(f"{PYTHONS[system]} is not there: run scripts/setup")
    python, programs = str(PYTHONS[system]), nursery(PYTHONS[system])
    env = {**fleet.env(system), "SYSTEM": system, "PYTHONPATH": f"{SAME}", "TZ": "UTC", "PATIENCE": str(patience())}
    env = {name: value for name, value in env.items() if not name.startswith(("UMBEL_", "CELERY_"))}

    def drive(part: str) -> dict[str, Any]:
        done = programs.run([python, str(SAME / "drive.py"), part], env=env, cwd=fleet.folder)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    facts = drive("before")
    fleet.effects_file.unlink(missing_ok=True)
    options = ("-c", "1", "-l", "INFO", "-n", "w@same", *(QUIET if system != "umbel" else ()))
    log = fleet.folder / f"{system}.log"
    with log.open("wb") as out:
        program = "umbel" if system == "umbel" else "celery"
        command = [python, "-m", program, "-A", "same", "worker", *options]
        worker = programs.start(command, env=env, cwd=SAME, stdout=out)
    try:
        until(lambda: "ready." in log.read_text() or worker.poll() is not None, saying=log.read_text)
        facts |= drive("with")
        worker.send_signal(signal.SIGTERM)
        facts["exit code of a worker"] = worker.wait(patience())
    finally:
        end(worker)
    return facts | drive("after")


@pytest.fixture(scope="module")
def facts(make_fleet: Callable[..., Fleet]) -> dict[str, dict[str, Any]]:
    """By system."""
    fleets = {system: make_fleet() for system in PYTHONS}
    with ThreadPoolExecutor(len(fleets)) as threads:
        found = dict(zip(fleets, threads.map(lambda system: ask(system, fleets[system]), fleets), strict=True))
    if folder := os.environ.get("SAME_FACTS"):
        for system, each in found.items():
            (Path(folder) / f"{system}.json").write_text(json.dumps(each, indent=1, sort_keys=True))
    return found


@pytest.mark.parametrize("system", ["face", "umbel"])
def test_what_is_observed_is_the_same_but_for_a_list_with_reasons(facts: dict[str, dict[str, Any]], system: str) -> None:
    theirs, ours = facts["celery"], facts[system]
    assert len(theirs) > 600
    differing = {name for name in theirs.keys() | ours.keys() if theirs.get(name, "absent") != ours.get(name, "absent")}
    unexplained = {name: (theirs.get(name, "absent"), ours.get(name, "absent")) for name in differing if not reason(name, system)}
    assert not unexplained, "\n".join(f"{name}\n   Celery {a}\n   {system} {b}" for name, (a, b) in sorted(unexplained.items()))


def test_each_difference_of_the_list_is_there(facts: dict[str, dict[str, Any]]) -> None:
    systems = {system: facts[system] for system in ("face", "umbel")}
    theirs = facts["celery"]
    for difference in DIFFERENT:
        assert any(
            difference.covers(name, system) and theirs.get(name, "absent") != ours.get(name, "absent")
            for system, ours in systems.items()
            for name in theirs.keys() | ours.keys()
        ), f"nothing differs by {difference.pattern!r} any more: take it from the list"


def test_the_page_shows_the_list() -> None:
    assert PAGE.read_text() == page()
