"""Every exception that umbel raises, in one tree.

UmbelError
├── ImproperlyConfigured            a setting, option or URL that cannot work
│   └── ScheduleError               (also a ValueError) a schedule that cannot be read as written
├── SchedulingError                 an entry of the schedule could not be sent
├── BrokerError
│   ├── BrokerDown                  the store cannot be reached now: try again
│   └── BrokerRefused               the store will never take this
├── WireError
│   ├── EncodeError                 a value that cannot travel
│   └── DecodeError                 bytes that are no message, result or value
│       └── ContentDisallowed       a content type that `accept_content` leaves out
├── TaskError
│   ├── NotRegistered               (also a KeyError) a name that no task has here
│   ├── AlreadyRegistered · QueueNotFound · IncompleteStream
│   ├── InvalidTaskError            a message that cannot be run (arguments do not fit, unknown protocol)
│   ├── TimeoutError                a wait for a result took too long
│   ├── MaxRetriesExceededError · TaskRevokedError · ChordError
│   └── SoftTimeLimitExceeded · TimeLimitExceeded · WorkerLostError · Terminated
├── TaskPredicate                   raised inside a task to say how it ends
│   └── Ignore · Reject · Retry
├── RemoteTraceback                 the traceback of a worker, as the cause of what is raised where a result is read
└── WorkerError                     the worker cannot start or go on
WorkerShutdown · WorkerTerminate    (SystemExit) a task asks its worker to stop
DuplicateTaskNameWarning · AlwaysEagerIgnored    (UserWarning) what is done, and is hardly what was meant

Those that kombu or billiard have as well can be theirs, too: see `umbel.guise`.
"""

from __future__ import annotations

import datetime

from umbel.guise import late


class UmbelError(Exception):
    """Something umbel was asked to do cannot be done."""


class ImproperlyConfigured(UmbelError):
    """A setting, option or URL cannot work as given."""


class ScheduleError(ImproperlyConfigured, ValueError):
    """The schedule cannot be read as written."""


class SchedulingError(UmbelError):
    """An entry of the schedule could not be sent."""


class BrokerError(UmbelError):
    """The store did not do what it was asked."""


class BrokerDown(BrokerError):
    """The store cannot be reached now; trying again may help."""

    accepted = 0
    """So many from the front of the batch were certainly taken. Of those behind them any may have been."""


class BrokerRefused(BrokerError):
    """The store refuses this for good; trying again will not help."""


class WireError(UmbelError):
    """Bytes and values do not match."""


class EncodeError(WireError):
    """The value cannot be serialised."""


class DecodeError(WireError):
    """The bytes are not what they claim to be."""


class ContentDisallowed(DecodeError):
    """The content type is not in `accept_content`."""


class TaskError(UmbelError):
    """A task could not be found, sent, run or awaited."""


class NotRegistered(TaskError, KeyError):
    """No task of that name is known here."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # a KeyError would put quotes around it


class AlreadyRegistered(TaskError):
    """A task of that name exists already."""


class QueueNotFound(TaskError):
    """The queue is not in `task_queues`, and `task_create_missing_queues` is off."""


class IncompleteStream(TaskError):
    """A stream of results ended early."""


class InvalidTaskError(TaskError):
    """The message names a task, but cannot be run."""


class TimeoutError(TaskError):
    """The result did not come in time."""


class MaxRetriesExceededError(TaskError):
    """The task was retried as often as it may be."""

    def __init__(
        self, *args: object, task_args: tuple[object, ...] = (), task_kwargs: dict[str, object] | None = None, **more: object
    ):
        self.task_args = task_args
        self.task_kwargs = task_kwargs or {}
        super().__init__(*args)


class TaskRevokedError(TaskError):
    """The task was revoked, or met after its expiry."""


class ChordError(TaskError):
    """A part of the chord's header failed."""


class RemoteTraceback(UmbelError):
    """The traceback of the worker, as text: the cause of what is raised where the result is read."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0] if self.args else ""}"""'


class SoftTimeLimitExceeded(TaskError):
    """The soft time limit has passed; the task may clean up."""


class TimeLimitExceeded(TaskError):
    """The hard time limit has passed; the task was ended."""


class WorkerLostError(TaskError):
    """The process that ran the task died."""


class Terminated(TaskError):
    """The process that ran the task was told to end."""


class TaskPredicate(UmbelError):
    """Raised inside a task to say how it ends."""


class Ignore(TaskPredicate):
    """The task ends and leaves no result."""


class Reject(TaskPredicate):
    """The task gives its message back: to the queue, or to the dead."""

    def __init__(self, reason: object = None, requeue: bool = False):
        self.reason = reason
        self.requeue = requeue
        super().__init__(reason, requeue)

    def __repr__(self) -> str:
        return f"reject requeue={self.requeue}: {self.reason}"


class Retry(TaskPredicate):
    """The task will run again.

    `when` is seconds from now or an absolute time, `exc` what went wrong (an exception, or its repr when read from a result).
    """

    def __init__(
        self,
        message: str | None = None,
        exc: BaseException | str | None = None,
        when: float | datetime.datetime | None = None,
        is_eager: bool = False,
        sig: object = None,
        **kwargs: object,
    ):
        self.message = message
        self.exc = None if isinstance(exc, str) else exc
        self.excs = exc if isinstance(exc, str) or exc is None else _repr(exc)
        self.when = when
        self.is_eager = is_eager
        self.sig = sig
        super().__init__(exc, when, **kwargs)

    def humanize(self) -> str:
        """When the next run is, for people: `in 3s`."""
        return f"in {self.when}s" if isinstance(self.when, (int, float)) else f"at {self.when}"

    def __str__(self) -> str:
        if self.message:
            return self.message
        return f"Retry {self.humanize()}: {self.excs}" if self.excs else f"Retry {self.humanize()}"


def _repr(error: BaseException) -> str:
    """The repr of an error; never fails, whatever the error's own does: a task that asks for a retry is to get it."""
    try:
        return repr(error)
    except Exception as failure:
        return f"<{type(error).__name__}: its repr raised {type(failure).__name__}>"


class WorkerError(UmbelError):
    """The worker cannot start, or cannot go on."""


class WorkerShutdown(SystemExit):
    """Raised to ask the worker for a warm stop."""


class WorkerTerminate(SystemExit):
    """Raised to ask the worker for a cold stop."""


class DuplicateTaskNameWarning(UserWarning):
    """A task of that name exists already, and the second is ignored."""


class AlwaysEagerIgnored(UserWarning):
    """What is sent by name goes to a worker, although tasks are to run where they are called."""


TYPE_CHECKING = False  # type checkers take it for true, and then miss no name
if not TYPE_CHECKING:
    __getattr__, __dir__ = late(globals())
