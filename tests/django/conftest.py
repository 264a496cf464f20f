from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.django import site

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with umbel's tables."""
    site.set_up()
    return site.migrated(tmp_path_factory.mktemp("django"))


@pytest.fixture
def alias(migrated: Path, tmp_path: Path) -> Iterator[str]:
    """A database of this test's own."""
    name = f"sqlite{next(_numbers)}"
    with site.copy(name, migrated, tmp_path / "project.sqlite3"):
        yield name
