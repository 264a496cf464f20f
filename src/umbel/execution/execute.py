"""One message in, one Outcome out: opened, called, judged by how it ended, and what follows made as bytes. No I/O.

open → call (`call.py`) → ending (`ending.py`) → what follows (`sequel.py`) → told (`tell.py`) → outcome
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic

from umbel import clock, guise, shown, signals, states
from umbel.errors import (
    DecodeError,
    EncodeError,
    InvalidTaskError,
    NotRegistered,
    Retry,
    TaskRevokedError,
    UmbelError,
    WorkerLostError,
)
from umbel.execution import lazy
from umbel.execution.call import NO_HOOKS, beginnings, call, call_async, hooks_of
from umbel.execution.documents import Documents, is_ignored
from umbel.execution.einfo import OWN_CODE, ExceptionInfo
from umbel.execution.ending import Ending, failure, overrun, raised, retried
from umbel.execution.outcome import Job, Kind, Outcome
from umbel.execution.request import Request, Sealed, current, opened, push
from umbel.execution.retry import chance
from umbel.execution.rounds import Rounds, makers
from umbel.execution.runnable import Runnable, find_task
from umbel.execution.sequel import S
from umbel.execution.tell import tell
from umbel.wire import protocol, result
from umbel.wire.brief import brief, encodable, told
from umbel.wire.message import Headers
from umbel.wire.result import Result

log = guise.logger("umbel.trace")

_LAZY = lazy.KINDS  # as below
_SUCCESS = Kind.SUCCESS  # to look it up in the enum takes as long as a call


class Executor(Generic[S]):
    """Runs messages whose tasks it knows; what pools call a `Runner`. Any thread may use it, many runs at once.

    `follow.executor` makes those that also see to what follows.
    """

    def __init__(
        self,
        tasks: Mapping[str, Runnable],
        documents: Documents,
        sequel: S,
        *,
        accept: frozenset[str],
        rand: Callable[[], float] = chance,
    ):
        """`documents` makes those of its runs, and `sequel` adds what follows from them."""
        self.entered: Callable[[], object] | None = None
        """Called in each child process before anybody is told that it begins."""
        self.begun: Callable[[Result], object] | None = None
        """Called before each run of which that is to be told, where it runs, with the document of its STARTED. None: who hears of
        its beginning (`Begun`) writes one."""
        self.tasks = tasks
        self.hostname = documents.hostname
        self.accept = accept
        self.documents = documents
        self.sequel = sequel
        self._rand = rand
        self._rounds = Rounds()

    # -- what pools call ----------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Tell that this child process begins."""
        self._rounds.clear()
        if self.entered is not None:
            self.entered()
        signals.worker_process_init.send(self.hostname)

    def leave(self) -> None:
        """Tell that this child process ends in order."""
        signals.worker_process_shutdown.send(self.hostname, pid=os.getpid(), exitcode=0)

    def run(self, job: Job) -> Outcome:
        """Run it to its end, whatever happens; an `async def` task on a loop of its own."""
        began = clock.monotonic()
        try:
            request = self._open(job)
            if not isinstance(request, Sealed):
                outcome = request
            else:
                task = request.owner
                if job.tell and self.begun is not None:
                    self._begin(request)
                ending = self.perform(task, request, is_async=job.is_async, soft=job.soft, hard=job.hard)
                if ending.kind is _SUCCESS:  # `_outcome`, written out
                    text = brief(ending.value, task.resultrepr_maxsize)
                    outcome = Outcome(job.number, _SUCCESS, tuple(ending.results), tuple(ending.envelopes), 0.0, text)
                    if ending.arrivals or ending.sizes:
                        outcome.arrivals, outcome.sizes = tuple(ending.arrivals), tuple(ending.sizes)
                else:
                    outcome = _outcome(job, task, ending)
        except BaseException as error:
            outcome = self._internal_error(job, error)
        outcome.runtime = clock.monotonic() - began
        return outcome

    async def run_async(self, job: Job) -> Outcome:
        """The same for an `async def` task, on the loop that runs; limits and cancellation end in an Outcome too.

        A cancellation with the message "soft" raises SoftTimeLimitExceeded inside the task, any other ends it, `TERMINATED`.
        """
        began = clock.monotonic()
        try:
            request = self._open(job)
            if isinstance(request, Sealed):
                if job.tell and self.begun is not None:
                    import asyncio  # as `drive`

                    await asyncio.to_thread(self._begin, request)  # it may wait for its store
                ending = await self.perform_async(request.owner, request.open(), soft=job.soft, hard=job.hard)
                outcome = _outcome(job, request.owner, ending)
            else:
                outcome = request
        except BaseException as error:
            outcome = self._internal_error(job, error)
        outcome.runtime = clock.monotonic() - began
        return outcome

    def conclude_lost(self, job: Job, kind: Kind, text: str = "", *, again: bool = False) -> Outcome:
        """The outcome of a job that was ended from outside: `LOST` or `UNTOLD` (`text` says how), `TIMEOUT` or `TERMINATED`.

        It is told to the task's hooks, receivers and errbacks here, in whatever process this is called. With `again` it is to be
        retried, and fails only once that was done too often.
        """
        try:
            error = _end_of(job, kind, text)
            sealed = self._open(job)
            if not isinstance(sealed, Sealed):
                return self._unopened(job, error, kind)
            task, request = sealed.owner, sealed.open()
            token = push(request)
            try:
                ending = (again and retried(task, error)) or failure(task, error, kind)
                ending = self._after(task, request, ending, clock.monotonic())
            finally:
                current.reset(token)
            return _outcome(job, task, ending)
        except BaseException as problem:
            return self._internal_error(job, problem)

    # -- one run, as objects: for the methods above, and for calls that are to run eagerly ------------------------------

    def perform(
        self,
        task: Runnable,
        request: Request | Sealed,
        *,
        is_async: bool | None = None,
        soft: float | None = None,
        hard: float | None = None,
        within: bool = False,
    ) -> Ending:
        """Run a call to its end. Of an eager one (`request.is_eager`) nothing is made into bytes.

        Only an eager call lets SystemExit and KeyboardInterrupt through: they are then not the task's, but the program's.
        `within` what stands round its runs, if anything does.
        """
        if task.is_async if is_async is None else is_async:
            from umbel.execution import drive  # brings asyncio, which programs that only send do not need

            return drive.alone(lambda: self.perform_async(task, opened(request), soft=soft, hard=hard))
        if makers and not within and (stands := self._rounds.of(task)) is not None:
            ending: Ending = stands(
                opened(request), lambda: self.perform(task, request, is_async=False, soft=soft, hard=hard, within=True)
            )
            return ending
        try:
            is_plain = (
                soft is None
                and not (task.pydantic or beginnings or signals.task_success.receivers)
                and not (signals.task_prerun.receivers or signals.task_postrun.receivers)
                and hooks_of(task) == NO_HOOKS
            )
        except AttributeError:  # a hook that is no method of its class, but was put into the task itself
            is_plain = False
        began = clock.monotonic()
        request.outer = current.get()  # as in `push`
        token = current.set(request)
        try:
            try:
                if is_plain:
                    given = request.message if isinstance(request, Sealed) else request
                    value = task.entry(*given.args, **given.kwargs)
                else:
                    value = call(task, opened(request), soft)
                if type(value) in _LAZY:
                    value = lazy.settled(task.name, value, soft)
            except BaseException as error:
                ending = raised(task, opened(request), error, hard=None, rand=self._rand)
                return self._after(task, opened(request), ending, began)
            ended = self._plain(task, request, value) if is_plain else None
            if ended is not None:
                return ended
            untouched = is_plain and isinstance(request, Sealed) and request.opened is None
            return self._after(task, opened(request), Ending(_SUCCESS, value), began, untouched=untouched)
        finally:
            current.reset(token)

    async def perform_async(
        self,
        task: Runnable,
        request: Request,
        *,
        soft: float | None = None,
        hard: float | None = None,
        within: bool = False,
    ) -> Ending:
        """The same for an `async def` task, on the loop that runs."""
        if makers and not within and (stands := self._rounds.of(task)) is not None:
            ending: Ending = await stands(request, lambda: self.perform_async(task, request, soft=soft, hard=hard, within=True))
            return ending
        began = clock.monotonic()
        token = push(request)
        try:
            try:
                value = await call_async(task, request, soft, hard)
            except BaseException as error:
                return self._after(task, request, raised(task, request, error, hard=hard, rand=self._rand), began)
            return self._after(task, request, Ending(_SUCCESS, value), began)
        finally:
            current.reset(token)

    def _after(self, task: Runnable, request: Request, ending: Ending, began: float, *, untouched: bool = False) -> Ending:
        """How it ended, with what follows; told to whom it concerns. `untouched`: nobody has seen the request."""
        ending = self.sequel.complete(task, request, ending, untouched=untouched)
        request.decided = ending.results
        tell(task, request, ending, clock.monotonic() - began)
        return ending

    # -- before the run, and the quick way after it ---------------------------------------------------------------------

    def _open(self, job: Job) -> Sealed | Outcome:
        envelope = job.envelope
        try:
            message = protocol.decode(envelope, self.accept)
            task = self.tasks.get(message.headers.task)
            if task is None and (task := find_task(self.tasks, message.headers.task)) is None:
                raise NotRegistered(message.headers.task)
            embed = message.embed
            if embed.callbacks or embed.errbacks or embed.chain or embed.chord is not None:
                self.sequel.check(embed)
        except (DecodeError, InvalidTaskError, NotRegistered) as error:
            return self._unopened(job, error, Kind.UNREADABLE)
        return Sealed(message, envelope, task, self.hostname, job.attempt)

    def _begin(self, sealed: Sealed) -> None:
        """Tell that it begins. Nobody needs that to go on: what fails is logged."""
        task, request = sealed.owner, sealed.open()
        if self.begun is None or is_ignored(task, request.ignore_result):
            return
        try:
            meta = {"pid": os.getpid(), "hostname": self.hostname}
            self.begun(self.documents.of_run(task, request, states.STARTED, meta))
        except Exception as error:
            log.warning("That %s has started could not be told: %s", shown.line(f"{task.name}[{request.id}]"), told(error))

    def _plain(self, task: Runnable, request: Request | Sealed, value: Any) -> Ending | None:
        """The ending of a success that nothing follows from but its result, as of nearly all; None for any other."""
        if not isinstance(request, Sealed) or request.opened or self.documents.extended:
            return None
        headers, embed = request.message.headers, request.message.embed
        if embed.callbacks or embed.chain or embed.chord is not None:
            return None
        asked = headers.ignore_result
        if task.ignore_result if asked is None else asked:  # `is_ignored`, written out
            return Ending(_SUCCESS, value)
        parent, group, serializer = headers.parent_id, headers.group, self.documents.serializer
        try:
            kept = result.encode(headers.id, states.SUCCESS, value, serializer=serializer, parent_id=parent, group_id=group)
        except Exception:  # what cannot be serialised: the patient way says so
            return None
        return Ending(_SUCCESS, value, results=[kept])

    # -- what does not come to a run -----------------------------------------------------------------------------------

    def _unopened(self, job: Job, error: Exception, kind: Kind) -> Outcome:
        """The outcome of a message that cannot be read here; its sender is told as far as the headers go."""
        try:
            headers = protocol.headers(job.envelope, self.accept)
        except DecodeError:
            headers = Headers(task=job.task, id=job.envelope.id)
        task = self.tasks.get(headers.task)
        results = []
        if not is_ignored(task, headers.ignore_result) or (task is not None and task.store_errors_even_if_ignored):
            parent, group = headers.parent_id, headers.group
            results = [self.documents.document(headers.id, kind.state, error, parent_id=parent, group_id=group)]
        outcome = Outcome(job.number, kind, tuple(results), text=encodable(f"{type(error).__name__}: {error}"[:1024]))
        return self.sequel.untaken(job.envelope, kind.state, error, outcome)

    def _internal_error(self, job: Job, error: BaseException) -> Outcome:
        """The outcome where our own code failed (or memory ran out, or a late interruption struck it): told, not hidden."""
        outcome = Outcome(job.number, Kind.FAILURE, text=type(error).__name__)
        with suppress(BaseException):  # what the error says of itself may be the cause of it all
            outcome = self._unopened(job, WorkerLostError(type(error).__name__), Kind.FAILURE)
            cause = error if isinstance(error, Exception) else WorkerLostError(brief(error, 200))
            outcome = self._unopened(job, cause, Kind.FAILURE)
        with suppress(BaseException):  # as logging makes a text of it, too
            log.error("Task %s could not be concluded", shown.line(f"{job.task}[{job.envelope.id}]"), exc_info=error)
            if signals.task_internal_error.receivers:
                signals.task_internal_error.send(
                    self.tasks.get(job.task), task_id=job.envelope.id, args=None, kwargs=None, request=None,
                    exception=error, traceback=error.__traceback__, einfo=ExceptionInfo(error),
                )  # fmt: skip
        return outcome


def _outcome(job: Job, task: Runnable, ending: Ending) -> Outcome:
    """What of the ending travels; the ending itself is empty afterwards."""
    value, einfo, kind = ending.value, ending.einfo, ending.kind
    # The frames of a failed task hold ours, ours hold the ending, and that held the failure: cut here, nothing waits for the
    # garbage collector, least of all what the task had in its variables.
    ending.value = ending.einfo = None
    if kind is _SUCCESS:
        text = brief(value, task.resultrepr_maxsize)
    elif kind is Kind.RETRY:
        text = brief_text(value)
    else:
        text = brief(value.reason if kind is Kind.REJECTED else value)
    results, envelopes = tuple(ending.results), tuple(ending.envelopes)
    outcome = Outcome(job.number, kind, results, envelopes, text=text, expected=ending.expected)
    outcome.arrivals, outcome.sizes = tuple(ending.arrivals), tuple(ending.sizes)
    if einfo is not None:
        outcome.traceback = einfo.traceback
    outcome.requeue = kind is Kind.REJECTED and value.requeue
    return outcome


def brief_text(retry_: Retry) -> str:
    """What a Retry says of itself, bounded."""
    try:
        return encodable(str(retry_)[:1024])
    except Exception:  # the repr of what went wrong is the user's
        return f"Retry {retry_.humanize()}"


def _end_of(job: Job, kind: Kind, text: str) -> UmbelError:
    """What is told of a job that was ended from outside."""
    if kind is Kind.TIMEOUT:
        return overrun(job.hard)
    if kind is Kind.TERMINATED:
        return TaskRevokedError("terminated")
    if kind is Kind.UNTOLD:
        return EncodeError(text)
    return WorkerLostError(f"Worker exited prematurely: {text} Job: {job.number}.")


OWN_CODE.update(function.__code__ for function in (Executor.perform, Executor.perform_async))
