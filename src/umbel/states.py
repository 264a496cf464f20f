"""The states of a task, and which of them are final (Celery's names and sets)."""

from __future__ import annotations

from typing import Final

PENDING: Final = "PENDING"
RECEIVED: Final = "RECEIVED"
STARTED: Final = "STARTED"
SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
REJECTED: Final = "REJECTED"
RETRY: Final = "RETRY"
IGNORED: Final = "IGNORED"

READY_STATES: Final = frozenset({SUCCESS, FAILURE, REVOKED})
UNREADY_STATES: Final = frozenset({PENDING, RECEIVED, STARTED, REJECTED, RETRY})
EXCEPTION_STATES: Final = frozenset({RETRY, FAILURE, REVOKED})
PROPAGATE_STATES: Final = frozenset({FAILURE, REVOKED})
ALL_STATES: Final = READY_STATES | UNREADY_STATES

PRECEDENCE: Final = (SUCCESS, FAILURE, None, REVOKED, STARTED, RECEIVED, REJECTED, RETRY, PENDING)
"""High to low; `None` stands for every state of the user's own."""


def precedence(state: str) -> int:
    """Where `state` stands in `PRECEDENCE`: the smaller, the stronger."""
    return PRECEDENCE.index(state) if state in PRECEDENCE else PRECEDENCE.index(None)


def may_replace(new: str, old: str) -> bool:
    """True if a result in state `new` may be written over one in state `old`.

    A success stays for good; another final state gives way only to a final one. What a task tells of itself in a state of its own
    does not give way to STARTED, of which its worker may tell a moment later.
    """
    if new == STARTED and old not in ALL_STATES:
        return False
    return old != SUCCESS and (old not in READY_STATES or new in READY_STATES)
