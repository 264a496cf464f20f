"""A project of its own for each test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.project import PROJECT, Project

from umbel.wire.ids import new_id


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    for name in [name for name in os.environ if name.startswith(("UMBEL_", "CELERY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = "proj_" + new_id().replace("-", "")  # modules stay imported, so each test needs a name of its own
    made = Project(tmp_path, name, capsys)
    made.write(PROJECT)
    broker = made.broker()
    broker.queues()  # makes the file: that looking makes it is told
    broker.close()
    yield made
    sys.modules.pop(name, None)
