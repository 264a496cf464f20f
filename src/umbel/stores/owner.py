"""The names of owners."""

from __future__ import annotations

import os

from umbel.wire.host import host_name


def new_owner() -> str:
    """A name that no other owner has: host, process, and something random."""
    return f"{host_name()}-{os.getpid()}-{os.urandom(4).hex()}"
