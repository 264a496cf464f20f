"""The face beside its table of names."""

from __future__ import annotations

import csv
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "packages" / "celery" / "src" / "celery" / "names.tsv"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_public_name_of_celery_has_one_row(rows: list[dict[str, str]]) -> None:
    names = Counter((row["module"], row["name"]) for row in rows)
    assert not [name for name, count in names.items() if count > 1]
    assert sum(row["kind"] != "extra" for row in rows) == 2348


def test_a_row_says_what_a_name_is_here_and_what_to_use_instead_of_what_is_not_offered(rows: list[dict[str, str]]) -> None:
    assert {row["status"] for row in rows} == {"ours", "later", "not offered"}
    assert not [row for row in rows if row["status"] == "not offered" and not row["instead"]]


def test_what_applications_and_neighbours_reach_is_offered_or_has_its_place(rows: list[dict[str, str]]) -> None:
    assert [f"{row['module']}.{row['name']}" for row in rows if row["reached"] and row["status"] == "not offered"] == []


def test_the_face_is_what_the_table_says(face: Path) -> None:
    """Each name that is ours is there with Celery's signature; each other one says what becomes of it."""
    looked = subprocess.run([face, Path(__file__).with_name("looks.py")], capture_output=True, text=True, check=True)
    assert looked.stdout == ""
    assert "looked at" in looked.stderr


def test_there_is_no_celery_in_the_environment_of_the_face(face: Path) -> None:
    script = "import celery, importlib.metadata as m; print(m.version('celery'), celery.__file__)"
    told = subprocess.run([face, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert told[0].startswith("5.7.0+umbel.")
    assert Path(told[1]).is_relative_to(ROOT / "packages")


def test_the_documentation_shows_the_table() -> None:
    subprocess.run([ROOT / ".venv" / "bin" / "python", ROOT / "scripts" / "celery-names", "--check"], check=True)
