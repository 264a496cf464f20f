"""The names of owners."""

from __future__ import annotations

import os
import socket


def new_owner() -> str:
    """A name that no other owner has: host, process, and something random."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
