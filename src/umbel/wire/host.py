"""The name of this machine."""

from __future__ import annotations

import os


def host_name() -> str:
    """As `socket.gethostname` tells it; that module takes longer to load than all else that a client needs."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket  # Windows

    return socket.gethostname()
