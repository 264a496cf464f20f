"""Where one measurement takes place: a folder and a Redis of its own, told by environment variables to all its processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("BENCH_FOLDER", ".")).absolute()
PORT = int(os.environ.get("BENCH_REDIS_PORT", "6379"))
ROW = os.environ.get("BENCH_ROW", "")
STORE = os.environ.get("BENCH_STORE", "redis")
"""umbel's: redis or sqlite."""
MESSAGES, RESULTS = (f"redis://127.0.0.1:{PORT}/{number}" for number in (0, 1))


def ask(*command: Any, db: int = 0) -> Any:
    """What that Redis answers; not for what is timed."""
    from redis import Redis

    with Redis(port=PORT, db=db) as redis:
        return redis.execute_command(*command)
