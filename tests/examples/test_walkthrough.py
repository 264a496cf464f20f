"""Both documents, followed line by line; the page in the docs is what came of it in empty environments."""

from __future__ import annotations

import re

from tests.examples import walkthrough
from tests.examples.sites import ROOT, environment


def test_every_line_of_both_documents_works_and_the_page_tells_it() -> None:
    programs = environment("umbel")
    walk = walkthrough.walk(lambda _: programs)
    page = (ROOT / "docs" / "walkthrough.md").read_text()
    followed = [block for _, block in re.findall(r"```(console|python)\n(.*?)\n```", page, re.DOTALL)]
    assert followed == walk.lines(), "run scripts/walkthrough --write docs/walkthrough.md"
