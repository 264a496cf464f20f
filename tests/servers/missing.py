"""What a test does without a program that it needs."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacks(what: str) -> NoReturn:
    """On CI it fails, at home it is skipped; `what` says what is missing."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
