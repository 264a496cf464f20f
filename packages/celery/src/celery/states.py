"""The states of a task, and which of them are final."""

from __future__ import annotations

from typing import Any

from umbel.states import EXCEPTION_STATES as EXCEPTION_STATES
from umbel.states import FAILURE as FAILURE
from umbel.states import IGNORED as IGNORED
from umbel.states import PENDING as PENDING
from umbel.states import PROPAGATE_STATES as PROPAGATE_STATES
from umbel.states import READY_STATES as READY_STATES
from umbel.states import RECEIVED as RECEIVED
from umbel.states import REJECTED as REJECTED
from umbel.states import RETRY as RETRY
from umbel.states import REVOKED as REVOKED
from umbel.states import STARTED as STARTED
from umbel.states import SUCCESS as SUCCESS
from umbel.states import UNREADY_STATES as UNREADY_STATES
from umbel.states import precedence as precedence

ALL_STATES = frozenset({PENDING, RECEIVED, STARTED, SUCCESS, FAILURE, RETRY, REVOKED})
PRECEDENCE = ["SUCCESS", "FAILURE", None, "REVOKED", "STARTED", "RECEIVED", "REJECTED", "RETRY", "PENDING"]
PRECEDENCE_LOOKUP = {state: number for number, state in enumerate(PRECEDENCE)}
NONE_PRECEDENCE = PRECEDENCE_LOOKUP[None]


class state(str):  # noqa: N801 - Celery's name
    """A state that can be compared: the further on, the greater."""

    __slots__ = ()

    def __gt__(self, other: Any) -> bool:
        return precedence(self) < precedence(other)

    def __ge__(self, other: Any) -> bool:
        return precedence(self) <= precedence(other)

    def __lt__(self, other: Any) -> bool:
        return precedence(self) > precedence(other)

    def __le__(self, other: Any) -> bool:
        return precedence(self) >= precedence(other)
