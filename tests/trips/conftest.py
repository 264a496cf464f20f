"""Fixtures for trips: real workers in real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.trips.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Makes a project out of the source of its tasks."""
    made: list[Project] = []

    def make(tasks: str, *, lease: float = 30.0, store: str | None = None) -> Project:
        made.append(Project(tmp_path, tasks, lease=lease, store=store))
        return made[-1]

    yield make
    for project in made:
        project.app.close()
