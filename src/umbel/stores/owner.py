"""The names of owners."""

from __future__ import annotations

import os


def new_owner() -> str:
    """A name that no other owner has: host, process, and something random."""
    return f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}"
