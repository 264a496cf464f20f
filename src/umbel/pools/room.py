"""Room in this process for the descriptors of child processes."""

from __future__ import annotations

import contextlib
import os
import resource

from umbel.errors import WorkerError

EACH = 5
"""Descriptors of one child's line, as the pool holds them."""
OTHERS = 48
"""Descriptors for everything else: the store, the log, what the tasks' modules open."""


def make_room(slots: int) -> None:
    """Allow this process as many open files as `slots` children take, and as many more for async and suspect jobs if that may be.

    Raises WorkerError if the system does not allow it: then it is better said than found out child by child.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    least = _open_now() + OTHERS + slots * EACH
    most = _open_now() + OTHERS + 3 * slots * EACH
    for wanted in (most, least):
        if wanted <= soft:
            return
        if hard == resource.RLIM_INFINITY or wanted <= hard:
            with contextlib.suppress(ValueError, OSError):  # more than this system ever gives
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                return
    raise WorkerError(
        f"{slots} child processes take {least} open files, and this process may have {max(soft, hard)}: "
        "allow more (`ulimit -n`), or run fewer at once (-c)"
    )


def _open_now() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return 16
