"""Celery's exceptions: umbel's own where it raises them; kombu's, which are loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery._warnings import CeleryWarning as CeleryWarning
from umbel import errors
from umbel.errors import AlreadyRegistered as AlreadyRegistered
from umbel.errors import AlwaysEagerIgnored as AlwaysEagerIgnored
from umbel.errors import ChordError as ChordError
from umbel.errors import DuplicateTaskNameWarning as DuplicateTaskNameWarning
from umbel.errors import Ignore as Ignore
from umbel.errors import ImproperlyConfigured as ImproperlyConfigured
from umbel.errors import IncompleteStream as IncompleteStream
from umbel.errors import InvalidTaskError as InvalidTaskError
from umbel.errors import MaxRetriesExceededError as MaxRetriesExceededError
from umbel.errors import NotRegistered as NotRegistered
from umbel.errors import QueueNotFound as QueueNotFound
from umbel.errors import Reject as Reject
from umbel.errors import Retry as Retry
from umbel.errors import TaskError as TaskError
from umbel.errors import TaskPredicate as TaskPredicate
from umbel.errors import TaskRevokedError as TaskRevokedError
from umbel.errors import TimeoutError as TimeoutError
from umbel.errors import UmbelError
from umbel.errors import WorkerShutdown as WorkerShutdown
from umbel.errors import WorkerTerminate as WorkerTerminate

__all__ = [
    "AlreadyRegistered",
    "AlwaysEagerIgnored",
    "BackendError",
    "BackendGetMetaError",
    "BackendStoreError",
    "CDeprecationWarning",
    "CPendingDeprecationWarning",
    "CeleryCommandException",
    "CeleryError",
    "CeleryWarning",
    "ChordError",
    "DuplicateNodenameWarning",
    "DuplicateTaskNameWarning",
    "FixupWarning",
    "Ignore",
    "ImproperlyConfigured",
    "IncompleteStream",
    "InvalidTaskError",
    "MaxRetriesExceededError",
    "NotConfigured",
    "NotRegistered",
    "OperationalError",
    "QueueNotFound",
    "Reject",
    "Retry",
    "RetryTaskError",
    "SecurityError",
    "SecurityWarning",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "Terminated",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
    "WorkerShutdown",
    "WorkerTerminate",
    "reraise",
]

CeleryError = UmbelError
"""The root of all, as it is umbel that raises them."""
RetryTaskError = Retry


def _of_billiard(kind: Any) -> Any:
    """billiard's class of that name, from which umbel's own derives here; umbel's own where it does not."""
    return next((each for each in kind.__mro__ if each.__module__ == "billiard.exceptions"), kind)


_OF_BILLIARD = frozenset({"SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated"})
if TYPE_CHECKING:
    from billiard.exceptions import SoftTimeLimitExceeded as SoftTimeLimitExceeded
    from billiard.exceptions import Terminated as Terminated
    from billiard.exceptions import TimeLimitExceeded as TimeLimitExceeded
    from billiard.exceptions import WorkerLostError as WorkerLostError
    from kombu.exceptions import OperationalError as OperationalError


class DuplicateNodenameWarning(CeleryWarning):
    """Two workers have one name."""


class FixupWarning(CeleryWarning):
    """A fixup cannot be used."""


class NotConfigured(CeleryWarning):
    """There is no configuration module."""


class SecurityWarning(CeleryWarning):
    """Something that others could abuse."""


class CDeprecationWarning(DeprecationWarning):
    """Something will go."""


class CPendingDeprecationWarning(PendingDeprecationWarning):
    """Something will be deprecated."""


class SecurityError(CeleryError):
    """A message that nobody may trust."""


class BackendError(Exception):
    """The result store did not do what it was asked."""


class BackendGetMetaError(BackendError):
    """A result could not be read."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.task_id = kwargs.get("task_id", "")
        super().__init__(*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()} task_id:{self.task_id}"


class BackendStoreError(BackendError):
    """A result could not be written."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.state = kwargs.get("state", "")
        self.task_id = kwargs.get("task_id", "")
        super().__init__(*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()} state:{self.state} task_id:{self.task_id}"


class CeleryCommandException(Exception):
    """A command ends with an exit code; made of click's exception where commands are loaded."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def reraise(tp: Any, value: BaseException, tb: Any = None) -> None:
    """Raise a value with a traceback."""
    raise value if value.__traceback__ is tb else value.with_traceback(tb)


def __getattr__(name: str) -> Any:
    if name == "OperationalError":
        from kombu.exceptions import OperationalError

        globals()[name] = OperationalError
        return OperationalError
    if name in _OF_BILLIARD:
        found = globals()[name] = _of_billiard(getattr(errors, name))
        return found
    from celery._names import absent

    raise absent(__name__, name)
