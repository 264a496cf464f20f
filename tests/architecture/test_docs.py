"""What is written is true: the settings page is the table, links lead somewhere, and Python in the pages is Python."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "packages").glob("*.md"), *ROOT.glob("examples/*/*.md")]
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def test_the_settings_page_is_what_the_table_says() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "settings-reference"), "--print"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == (ROOT / "docs" / "reference" / "settings.md").read_text(), "run scripts/settings-reference"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="later Pythons write docstrings and defaults otherwise")
def test_the_page_of_python_is_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "api-reference"), "--print"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == (ROOT / "docs" / "reference" / "api.md").read_text(), "run scripts/api-reference"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    near = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in near if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_in_pages_can_be_read(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        ast.parse(block)
