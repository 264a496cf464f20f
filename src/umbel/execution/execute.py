"""One message in, one Outcome out: decoded, run, and everything that follows from it made as bytes. No I/O."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from umbel import clock, guise, signals, states
from umbel.errors import (
    DecodeError,
    EncodeError,
    Ignore,
    InvalidTaskError,
    NotRegistered,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
    TaskRevokedError,
    TimeLimitExceeded,
    UmbelError,
    WorkerLostError,
)
from umbel.execution import arguments, limits, links, retry
from umbel.execution.documents import Documents
from umbel.execution.einfo import OWN_CODE, ExceptionInfo, strip
from umbel.execution.ending import STATE_OF, Ending, tell
from umbel.execution.hooks import Hooks
from umbel.execution.outcome import Job, Kind, Outcome
from umbel.execution.request import Request, Sealed, current, opened, push
from umbel.execution.runnable import Runnable
from umbel.wire import protocol, result
from umbel.wire.brief import brief, encodable
from umbel.wire.envelope import Envelope
from umbel.wire.message import Headers

__all__ = ["Ending", "Executor", "Runnable"]

log = guise.logger("umbel.trace")

_SUCCESS = Kind.SUCCESS  # to look it up in the enum takes as long as a call
_hooks_of = attrgetter("before_start.__func__", "on_success.__func__", "after_return.__func__")
_NO_HOOKS = (Hooks.before_start, Hooks.on_success, Hooks.after_return)


class Executor:
    """Runs messages whose tasks it knows; what pools call a `Runner`. Any thread may use it, many runs at once."""

    def __init__(
        self,
        tasks: Mapping[str, Runnable],
        *,
        hostname: str,
        accept: frozenset[str],
        result_serializer: str = "json",
        result_extended: bool = False,
        route: Callable[[str, dict[str, Any]], str] | None = None,
        queue: str = "celery",
        rand: Callable[[], float] = random.random,
    ):
        """`route` tells the queue of a follow-up from its task's name and options, where they name none; else it is `queue`."""
        self.tasks = tasks
        self.hostname = hostname
        self.accept = accept
        self._documents = Documents(self.hostname, result_serializer, extended=result_extended)
        self._route = route
        self._queue = queue
        self._rand = rand

    # -- what pools call ----------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Tell that this child process begins."""
        signals.worker_process_init.send(self.hostname)

    def leave(self) -> None:
        """Tell that this child process ends in order."""
        signals.worker_process_shutdown.send(self.hostname, pid=os.getpid(), exitcode=0)

    def run(self, job: Job) -> Outcome:
        """Run it to its end, whatever happens; an `async def` task on a loop of its own."""
        began = clock.monotonic()
        try:
            call = self._open(job)
            if not isinstance(call, Sealed):
                outcome = call
            else:
                task = call.owner
                ending = self.perform(task, call, is_async=job.is_async, soft=job.soft, hard=job.hard)
                if ending.kind is _SUCCESS:
                    text = brief(ending.value, task.resultrepr_maxsize)
                    outcome = Outcome(job.number, ending.kind, ending.results, ending.envelopes, 0.0, text)
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
            call = self._open(job)
            if isinstance(call, Sealed):
                ending = await self.perform_async(call.owner, call.open(), soft=job.soft, hard=job.hard)
                outcome = _outcome(job, call.owner, ending)
            else:
                outcome = call
        except BaseException as error:
            outcome = self._internal_error(job, error)
        outcome.runtime = clock.monotonic() - began
        return outcome

    def conclude_lost(self, job: Job, kind: Kind, text: str = "") -> Outcome:
        """The outcome of a job that was ended from outside: `LOST` or `UNTOLD` (`text` says how), `TIMEOUT` or `TERMINATED`.

        A failure is told to the task's hooks, receivers and errbacks here, in whatever process this is called.
        """
        error = _end_of(job, kind, text)
        call = self._open(job)
        if not isinstance(call, Sealed):
            return self._unopened(job, error, kind)
        task, request = call.owner, call.open()
        token = push(request)
        try:
            ending = self._failed(task, request, error, kind)
            tell(task, request, ending, 0.0)
        finally:
            current.reset(token)
        return _outcome(job, task, ending)

    # -- one run, as objects: for the methods above, and for calls that are to run eagerly ------------------------------

    def perform(
        self,
        task: Runnable,
        request: Request | Sealed,
        *,
        is_async: bool | None = None,
        soft: float | None = None,
        hard: float | None = None,
    ) -> Ending:
        """Run a call to its end. Of an eager one (`request.is_eager`) nothing is made into bytes.

        Only an eager call lets SystemExit and KeyboardInterrupt through: they are then not the task's, but the program's.
        """
        if task.is_async if is_async is None else is_async:
            from umbel.execution import drive  # brings asyncio, which programs that only send do not need

            return drive.alone(lambda: self.perform_async(task, opened(request), soft=soft, hard=hard))
        try:
            is_plain = not task.pydantic and _hooks_of(task) == _NO_HOOKS
        except AttributeError:  # a hook that is no method of its class, but was put into the task itself
            is_plain = False
        began = clock.monotonic()
        request.outer = current.get()  # as in `push`
        token = current.set(request)
        try:
            try:
                if is_plain and soft is None and not signals.task_prerun.receivers:
                    call = request.message if isinstance(request, Sealed) else request
                    value = task.entry(*call.args, **call.kwargs)
                else:
                    value = _call(task, opened(request), soft)
            except BaseException as error:
                ending = self._raised(task, opened(request), error)
            else:
                ending = self._returned(task, request, value)
            is_plain = is_plain and ending.kind is _SUCCESS
            if not is_plain or signals.task_success.receivers or signals.task_postrun.receivers:
                tell(task, opened(request), ending, clock.monotonic() - began)
        finally:
            current.reset(token)
        return ending

    async def perform_async(
        self, task: Runnable, request: Request, *, soft: float | None = None, hard: float | None = None
    ) -> Ending:
        """The same for an `async def` task, on the loop that runs."""
        from umbel.execution import drive

        began = clock.monotonic()
        token = push(request)
        try:
            try:
                value = await _call_async(task, request, soft, hard)
            except drive.Overrun:
                ending = self._failed(task, request, TimeLimitExceeded(hard), Kind.TIMEOUT)
            except BaseException as error:
                ending = self._ended(task, request) if drive.is_cancelled() else self._raised(task, request, error)
            else:
                ending = self._returned(task, request, value)
            tell(task, request, ending, clock.monotonic() - began)
        finally:
            current.reset(token)
        return ending

    # -- before the run -----------------------------------------------------------------------------------------------

    def _open(self, job: Job) -> Sealed | Outcome:
        envelope = job.envelope
        try:
            message = protocol.decode(envelope, self.accept)
            task = self.tasks.get(message.headers.task)
            if task is None:
                return self._unopened(job, NotRegistered(message.headers.task), Kind.UNREADABLE)
            embed = message.embed
            if embed.callbacks or embed.errbacks or embed.chain or embed.chord is not None:
                links.check(embed)
        except (DecodeError, InvalidTaskError) as error:
            return self._unopened(job, error, Kind.UNREADABLE)
        return Sealed(message, envelope, task, self.hostname, job.attempt)

    def _unopened(self, job: Job, error: Exception, kind: Kind) -> Outcome:
        """The outcome of a message that cannot be read here; its sender is told as far as the headers go."""
        try:
            headers = protocol.headers(job.envelope, self.accept)
        except DecodeError:
            headers = Headers(task=job.task, id=job.envelope.id)
        task = self.tasks.get(headers.task)
        ignored = headers.ignore_result if headers.ignore_result is not None or task is None else task.ignore_result
        results = []
        if not ignored or (task is not None and task.store_errors_even_if_ignored):
            state = STATE_OF.get(kind, states.FAILURE)
            results = [self._documents.document(headers.id, state, error, parent_id=headers.parent_id, group_id=headers.group)]
        return Outcome(job.number, kind, results, text=encodable(f"{type(error).__name__}: {error}"[:1024]))

    # -- after the run ------------------------------------------------------------------------------------------------

    def _returned(self, task: Runnable, request: Request | Sealed, value: Any) -> Ending:
        documents = self._documents
        try:
            if isinstance(request, Sealed):
                headers, embed = request.message.headers, request.message.embed
                if not (request.opened or embed.callbacks or embed.chain or documents.extended):  # as nearly all are
                    if task.ignore_result if headers.ignore_result is None else headers.ignore_result:
                        return Ending(_SUCCESS, value)
                    parent, group, serializer = headers.parent_id, headers.group, documents.serializer
                    kept = result.encode(
                        headers.id, states.SUCCESS, value, serializer=serializer, parent_id=parent, group_id=group
                    )
                    return Ending(_SUCCESS, value, None, [], [kept])
                request = request.open()
            steps = links.after_success(request, value) if request.callbacks or request.chain else []
            if request.is_eager:
                return Ending(_SUCCESS, value, None, steps)
            envelopes = request.follow_ups
            if steps:
                envelopes = envelopes + [self._envelope(step, request) for step in steps]
                request.children.extend([[step.id, None], None] for step in steps)
            results = [] if _ignored(task, request) else [documents.of_run(task, request, states.SUCCESS, value)]
        except Exception as error:  # what cannot be serialised
            return self._failed(task, opened(request), error)
        return Ending(_SUCCESS, value, None, steps, results, envelopes)

    def _raised(self, task: Runnable, request: Request, error: BaseException) -> Ending:
        """The ending of a run that raised: told to do something else, to be tried again, or failed."""
        if isinstance(error, Retry):
            return self._retried(task, request, error)
        if isinstance(error, (Ignore, Reject)):
            return self._given_up(task, request, error)
        if not isinstance(error, Exception):
            return self._escaped(task, request, error)
        if isinstance(error, SoftTimeLimitExceeded) and type(error) is not SoftTimeLimitExceeded:
            error = SoftTimeLimitExceeded(*error.args).with_traceback(error.__traceback__)  # what coroutines get is both
        if type(error) is TypeError and strip(error.__traceback__) is None:  # raised by the call itself
            text = arguments.misfit(task.name, task.entry, request.args, request.kwargs)
            if text is not None:
                return self._failed(task, request, TypeError(text), Kind.UNREADABLE)
        if not task.autoretry_for:
            return self._failed(task, request, error)
        try:
            again = retry.automatic(task, request, error, self._rand)
        except Exception as problem:  # its message cannot be made
            return self._failed(task, request, problem)
        return self._failed(task, request, error) if again is None else self._retried(task, request, again)

    def _retried(self, task: Runnable, request: Request, reason: Retry) -> Ending:
        if reason.sig is None:  # raised by hand: without a message it would never run again
            try:
                reason = retry.by_hand(task, request, reason)
            except Exception as error:
                return self._failed(task, request, error)
        einfo = ExceptionInfo(reason)
        results = []
        if not request.is_eager and _keeps_errors(task, request):
            results = [self._documents.of_run(task, request, states.RETRY, reason.exc or reason, einfo)]
        return Ending(Kind.RETRY, reason, einfo, [], results, request.follow_ups)

    def _given_up(self, task: Runnable, request: Request, reason: Ignore | Reject) -> Ending:
        if isinstance(reason, Ignore):
            return Ending(Kind.IGNORED, reason, envelopes=request.follow_ups)
        einfo = ExceptionInfo(reason)
        results = []
        if not (reason.requeue or request.is_eager) and _keeps_errors(task, request):
            results = [self._documents.of_run(task, request, states.FAILURE, reason)]
        return Ending(Kind.REJECTED, reason, einfo, [], results, request.follow_ups)

    def _ended(self, task: Runnable, request: Request) -> Ending:
        """The ending of a coroutine that was cancelled from outside."""
        return self._failed(task, request, TaskRevokedError("terminated"), Kind.TERMINATED)

    def _escaped(self, task: Runnable, request: Request, error: BaseException) -> Ending:
        """The ending of a run that tried to end its process (`sys.exit()`); who waits for it must not exit in its stead."""
        if request.is_eager and isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        lost = WorkerLostError(f"The task raised {brief(error, 200)}, which would have ended its process")
        lost.__cause__ = error
        return self._failed(task, request, lost)

    def _failed(self, task: Runnable, request: Request, error: Exception, kind: Kind = Kind.FAILURE) -> Ending:
        einfo = ExceptionInfo(error)
        expected = isinstance(error, retry.errors_of(task.throws))
        steps = self._errbacks(request, error, einfo) if request.errbacks else []
        ending = Ending(kind, error, einfo, steps, expected=expected)
        if request.is_eager:
            return ending
        ending.envelopes = request.follow_ups + [self._envelope(step, request) for step in steps]
        if _keeps_errors(task, request):
            ending.results.append(self._documents.of_run(task, request, ending.state, error, einfo))
            for id_ in links.never_reached(request):  # whoever waits for the end of the chain waits for one of these
                ending.results.append(self._documents.document(id_, ending.state, error, einfo, parent_id=request.id))
        return ending

    def _errbacks(self, request: Request, error: Exception, einfo: ExceptionInfo) -> list[links.Step]:
        """The errbacks that go as messages; those that take the error itself are called here, where it is."""
        steps = []
        for index, sig in enumerate(request.errbacks or ()):
            task = self.tasks.get(sig["task"])
            if task is None or task.is_async or not arguments.takes_more_than_one(task.entry):
                steps.append(links.errback(request, index))
                continue
            given = () if sig.get("immutable") else (request, error, einfo.tb)
            try:
                task.entry(*given, *(sig.get("args") or ()), **(sig.get("kwargs") or {}))
            except Exception:
                log.exception("Errback %s of %s[%s] failed", task.name, request.task, request.id)
        return steps

    # -- bytes --------------------------------------------------------------------------------------------------------

    def _envelope(self, step: links.Step, request: Request) -> Envelope:
        return links.envelope_of(step, request, self.tasks.get(step.task), route=self._route, queue=self._queue)

    def _internal_error(self, job: Job, error: BaseException) -> Outcome:
        """The outcome where our own code failed (or memory ran out, or a late interruption struck it): told, not hidden."""
        try:
            log.error("Task %s[%s] could not be concluded", job.task, job.envelope.id, exc_info=error)
            if signals.task_internal_error.receivers:
                signals.task_internal_error.send(
                    self.tasks.get(job.task), task_id=job.envelope.id, args=None, kwargs=None, request=None,
                    exception=error, traceback=error.__traceback__, einfo=ExceptionInfo(error),
                )  # fmt: skip
            told = error if isinstance(error, Exception) else WorkerLostError(brief(error, 200))
            outcome = self._unopened(job, told, Kind.FAILURE)
        except BaseException:
            return Outcome(job.number, Kind.FAILURE, text=type(error).__name__)
        return outcome


def _outcome(job: Job, task: Runnable, ending: Ending) -> Outcome:
    """What of the ending travels; the ending itself is empty afterwards."""
    value, einfo = ending.value, ending.einfo
    # The frames of a failed task hold ours, ours hold the ending, and that held the failure: cut here, nothing waits for the
    # garbage collector, least of all what the task had in its variables.
    ending.value = ending.einfo = None
    if ending.kind is _SUCCESS:
        return Outcome(job.number, ending.kind, ending.results, ending.envelopes, 0.0, brief(value, task.resultrepr_maxsize))
    if ending.kind is Kind.RETRY:
        text = brief_text(value)
    elif ending.kind is Kind.REJECTED:
        text = brief(value.reason)
    else:
        text = brief(value)
    return Outcome(
        job.number,
        ending.kind,
        ending.results,
        ending.envelopes,
        text=text,
        traceback=einfo.traceback if einfo else "",
        requeue=ending.kind is Kind.REJECTED and value.requeue,
        expected=ending.expected,
    )


def brief_text(retry_: Retry) -> str:
    """What a Retry says of itself, bounded."""
    try:
        return encodable(str(retry_)[:1024])
    except Exception:  # the repr of what went wrong is the user's
        return f"Retry {retry_.humanize()}"


def _ignored(task: Runnable, request: Request) -> bool:
    ignore = request.ignore_result
    return bool(task.ignore_result if ignore is None else ignore)


def _keeps_errors(task: Runnable, request: Request) -> bool:
    return not _ignored(task, request) or bool(task.store_errors_even_if_ignored)


def _end_of(job: Job, kind: Kind, text: str) -> UmbelError:
    """What is told of a job that was ended from outside."""
    if kind is Kind.TIMEOUT:
        return TimeLimitExceeded(job.hard)
    if kind is Kind.TERMINATED:
        return TaskRevokedError("terminated")
    if kind is Kind.UNTOLD:
        return EncodeError(text)
    return WorkerLostError(f"Worker exited prematurely: {text} Job: {job.number}.")


# -- the call itself ----------------------------------------------------------------------------------------------------


def _prepare(task: Runnable, request: Request) -> tuple[Sequence[Any], Mapping[str, Any]]:
    id_: Any = request.id
    if signals.task_prerun.receivers:
        signals.task_prerun.send(task, task_id=id_, task=task, args=request.args, kwargs=request.kwargs)
    task.before_start(id_, request.args, request.kwargs)
    return arguments.validated(task, request.args, request.kwargs) if task.pydantic else (request.args, request.kwargs)


def _call(task: Runnable, request: Request, soft: float | None) -> Any:
    args, kwargs = _prepare(task, request)
    value = task.entry(*args, **kwargs) if soft is None else limits.call(task.entry, args, kwargs, soft)
    return arguments.dumped(task, value) if task.pydantic else value


async def _call_async(task: Runnable, request: Request, soft: float | None, hard: float | None) -> Any:
    from umbel.execution import drive

    args, kwargs = _prepare(task, request)
    value = await drive.run(task.entry(*args, **kwargs), soft=soft, hard=hard)
    return arguments.dumped(task, value) if task.pydantic else value


OWN_CODE.update(
    function.__code__
    for function in (Executor.perform, Executor.perform_async, _call, _call_async, _prepare, limits.call, limits.LIMITED_CALL)
)
