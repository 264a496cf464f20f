"""What goes into a run and what comes out of it: a Job for the pool, an Outcome for the worker. Data only."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from umbel import states
from umbel.stores.join import Arrival
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result


class Job(msgspec.Struct, array_like=True, gc=False):
    """One envelope that a pool is to run."""

    number: int
    """Unique in this worker; names the job, since one task id may be delivered twice."""
    task: str
    """The registered name."""
    envelope: Envelope
    attempt: int = 1
    soft: float | None = None
    """Seconds after which `SoftTimeLimitExceeded` is raised inside the task."""
    hard: float | None = None
    """Seconds after which the run is ended from outside."""
    tell: bool = False
    """True if the pool must tell at once when the run begins (`Begun`)."""
    is_async: bool = False
    """True if the task is an `async def`: many share one process."""


class Kind(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    RETRY = "retry"
    IGNORED = "ignored"
    REJECTED = "rejected"
    """`Reject` was raised; `Outcome.requeue` says where the message goes."""
    UNREADABLE = "unreadable"
    """The message cannot be read, or not by those who know its task: to be buried, `text` is the reason."""
    MISFIT = "misfit"
    """The task does not take such arguments: to be buried, `text` is the reason."""
    LOST = "lost"
    """The process died; `text` says how (`signal 9 (SIGKILL)`)."""
    TIMEOUT = "timeout"
    """Ended at the hard limit."""
    TERMINATED = "terminated"
    """Ended because someone asked for it."""
    UNTOLD = "untold"
    """What went in or came out cannot be carried between processes: to be buried, `text` is the reason."""
    RETURNED = "returned"
    """It had not begun: it may run elsewhere, and no attempt counts."""

    @property
    def state(self) -> str:
        """The task's state from now on."""
        return _STATES.get(self, states.FAILURE)


_STATES = {
    Kind.SUCCESS: states.SUCCESS,
    Kind.RETRY: states.RETRY,
    Kind.IGNORED: states.IGNORED,
    Kind.REJECTED: states.REJECTED,
    Kind.TERMINATED: states.REVOKED,
}
"""After each kind of end; after all others it is FAILURE."""


class Outcome(msgspec.Struct, array_like=True, gc=False):
    """How one job ended. Made where it ran.

    Only `LOST`, `TIMEOUT`, `TERMINATED`, `UNTOLD` and `RETURNED` are made by the pool.
    """

    number: int
    kind: Kind
    results: tuple[Result, ...] = ()
    """To be stored, in order; empty if the result is ignored."""
    envelopes: tuple[Envelope, ...] = ()
    """To be sent in the same step: the retry, callbacks, the next step of a chain."""
    runtime: float = 0.0
    text: str = ""
    """The repr of the value, the exception or the reason, for logs; bounded."""
    traceback: str = ""
    requeue: bool = False
    expected: bool = False
    """A failure that the task's `throws` names: logged as INFO, without traceback."""
    arrivals: tuple[Arrival, ...] = ()
    """What it does to the chords that the task is a part of."""
    sizes: tuple[tuple[str, int], ...] = ()
    """Chords that begin with `envelopes`, and how many parts they have: to be told before these are sent."""


class Begun(msgspec.Struct, array_like=True, gc=False):
    """A job that asked for it (`tell`) runs from now on."""

    number: int
    pid: int
    when: float
