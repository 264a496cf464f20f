"""What the pool tells, turned into how each delivery ends; and the lines in the log that people look for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from umbel import clock, guise, shown, signals, states
from umbel.client.task import Task
from umbel.errors import DecodeError, NotRegistered, TaskRevokedError
from umbel.events.tasks import Failed, Rejected, Retried
from umbel.execution.execute import Executor
from umbel.execution.lines import log as trace
from umbel.execution.lines import say
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.execution.request import Request
from umbel.follow.join import Joiner
from umbel.follow.links import ORDERS
from umbel.pools.pool import Pool
from umbel.stores.broker import Conclusion, Delivery
from umbel.wire import protocol, result
from umbel.wire.brief import encodable, told
from umbel.wire.message import Headers, Label
from umbel.wire.result import Result
from umbel.worker.book import Book
from umbel.worker.herald import Herald
from umbel.worker.judge import Judgement, Verdict
from umbel.worker.settle import Settle, Way
from umbel.worker.ticket import Ticket
from umbel.worker.watch import Watch

log = guise.logger("umbel.worker.reap")

QUOTES = "'\""
FIRST_REQUEUE, LONGEST_REQUEUE = 0.02, 5.0
"""Seconds until a task runs again that was rejected to be requeued, twice as long each time."""
MOST_REJECTIONS = 10_000
"""Of so many it is known how often they were rejected here."""
FIRST_AGAIN = 0.1
"""Seconds until a task whose process died runs again, three times as long after each further death: five deaths take 4 s."""


class Reap:
    """Takes what the pool tells and leaves conclusions with `settle`. Belongs to the event loop's thread."""

    def __init__(
        self,
        pool: Pool,
        book: Book,
        settle: Settle,
        executor: Executor[Joiner],
        *,
        tasks: Mapping[str, Task[..., Any]],
        accept: frozenset[str],
        hostname: str,
        serializer: str,
        max_deliveries: int,
        watch: Watch,
        herald: Herald,
    ):
        self._pool = pool
        self._book = book
        self._settle = settle
        self._executor = executor
        self._tasks = tasks
        self._accept = accept
        self._hostname = hostname
        self._serializer = serializer
        self._max_deliveries = max_deliveries
        self._rejections: dict[str, float] = {}
        """How long each task that was rejected waits now, in seconds."""
        self._herald = herald
        self._watch = watch
        self._mourned: asyncio.Queue[tuple[Delivery, Job, Kind, str, str | None]] = asyncio.Queue()
        self._ends: dict[Kind, Callable[[Ticket, Outcome], None]] = {
            Kind.SUCCESS: self._succeeded,
            Kind.FAILURE: self._failed,
            Kind.RETRY: self._retried,
            Kind.IGNORED: self._ignored,
            Kind.REJECTED: self._rejected,
            Kind.UNREADABLE: self._unreadable,
            Kind.MISFIT: self._misfit,
            Kind.LOST: self._lost,
            Kind.TIMEOUT: self._timed_out,
            Kind.TERMINATED: self._terminated,
            Kind.UNTOLD: self._untold,
            Kind.RETURNED: self._returned,
        }
        self.order: Callable[[Delivery, str | None], None] = lambda delivery, lost: settle.release(delivery)
        """Does orders for the worker itself; set by who builds it."""
        self.leaving = False
        """True once running jobs are being ended so that the worker can stop: then a lost one just goes back."""

    async def run(self) -> None:
        """Reap until the pool has ended. Raises WorkerError when it cannot go on."""
        book, ends, success, watched = self._book, self._ends, Kind.SUCCESS, self._watch.makers
        totals = book.totals
        while news := await self._pool.news():
            is_told = trace.isEnabledFor(logging.INFO)
            done: list[Conclusion] = []
            good: list[tuple[Ticket, Outcome]] | None = [] if self._herald.is_on else None
            tells_sent = self._herald.tells_sent
            for item in news:
                ticket = None
                try:
                    if isinstance(item, Outcome):
                        ticket = book.pop(item.number)
                        totals[ticket.job.task] += 1
                        if watched and ticket.job.task in watched:
                            self._watch.ended(ticket, item)
                        if good is not None and item.kind is success:
                            good.append((ticket, item))
                        if tells_sent and item.envelopes:
                            self._herald.sent(item.envelopes)
                        if item.kind is success and not is_told:  # `_succeeded`, written out: this is done for most tasks
                            done.append(
                                Conclusion(ticket.delivery, item.results, item.envelopes, None, item.arrivals, item.sizes)
                            )
                        else:
                            ends[item.kind](ticket, item)
                    else:
                        self._begun(item)
                except Exception as error:
                    self._not_reaped(item, ticket, error)
            if good:
                self._herald.succeeded(good)
            self._settle.conclude(*done)
            book.changed.set()

    async def mourn(self) -> None:
        """Tell of runs that were ended from outside, for ever: hooks of the task may take their time, so in a thread."""
        while True:
            delivery, job, kind, text, buried = await self._mourned.get()
            try:
                outcome = await asyncio.to_thread(self._tell_lost, job, kind, text)
                if kind is not Kind.TERMINATED and self._herald.is_on:
                    self._herald.failed(delivery.envelope.id, outcome.text, outcome.traceback, task=self._tasks.get(job.task))
                self._settle.conclude(concluded(delivery, outcome, buried))
            except Exception as error:
                self.stumbled(delivery, error)
            finally:
                self._mourned.task_done()

    def _tell_lost(self, job: Job, kind: Kind, text: str) -> Outcome:
        try:
            if kind is not Kind.RETRY:
                return self._executor.conclude_lost(job, kind, text)
            outcome = self._executor.conclude_lost(job, Kind.LOST, text, again=True)
            how = "is to be tried again" if outcome.kind is Kind.RETRY else "was tried often enough"
            log.warning("Task %s %s, its process died: %s", shown.line(f"{job.task}[{job.envelope.id}]"), how, text)
            return outcome
        finally:
            if signals.worker_batch_done.receivers:
                signals.worker_batch_done.tell(None)

    async def mourned(self) -> None:
        """Wait until all such runs are told of."""
        await self._mourned.join()

    def stumbled(self, delivery: Delivery, error: Exception) -> None:
        """End a delivery at which our own code failed: it comes back, counted and later; the last time it is buried."""
        id = delivery.envelope.id
        log.critical("Message %s could not be handled", shown.line(id), exc_info=error)
        if delivery.attempt < self._max_deliveries:
            self._settle.release(delivery, again_after(delivery.attempt))
            return
        outcome = Outcome(0, Kind.FAILURE)
        with suppress(Exception):  # what we stumble over may be anywhere in it
            outcome.results = (result.encode(id, states.FAILURE, error, serializer=self._serializer),)
            outcome = self._executor.sequel.untaken(delivery.envelope, states.FAILURE, error, outcome)
        self._settle.conclude(concluded(delivery, outcome, encodable(f"it could not be handled: {told(error)}")))

    def _not_reaped(self, item: Outcome | Begun, ticket: Ticket | None, error: Exception) -> None:
        if ticket is not None:
            self.stumbled(ticket.delivery, error)
        else:
            log.critical("What the pool told of job %s is lost: %r", item.number, item, exc_info=error)

    def _begun(self, begun: Begun) -> None:
        ticket = self._book[begun.number]
        if ticket.began is None and self._herald.is_on:
            ticket.began = begun.when
            self._herald.started(ticket)
        ticket.began, ticket.pid = begun.when, begun.pid
        if ticket.job.task in self._watch.makers:
            self._watch.begun(ticket, begun)
        if ticket.task.track_started and self._executor.begun is None and not ignored(ticket.label, ticket.task):
            meta = {"pid": begun.pid, "hostname": self._hostname}
            with suppress(DecodeError):  # then it does not run, and its outcome says why
                self._settle.note(self._extended(ticket.delivery, ticket.headers, ticket.task, states.STARTED, meta))

    # -- how a run may end, one method for each kind --------------------------------------------------------------

    def _succeeded(self, ticket: Ticket, outcome: Outcome) -> None:
        if trace.isEnabledFor(logging.INFO):
            say(outcome.kind, ticket, outcome.text, outcome.runtime)
        self._conclude(ticket, outcome)

    def _failed(self, ticket: Ticket, outcome: Outcome) -> None:
        say(outcome.kind, ticket, outcome.text, expected=outcome.expected, traceback=outcome.traceback)
        if self._herald.is_on:
            self._herald.ended(ticket, Failed, outcome)
        self._conclude(ticket, outcome, buried=None if is_acked(ticket, "acks_on_failure") else f"it failed: {outcome.text}")

    def _retried(self, ticket: Ticket, outcome: Outcome) -> None:
        say(outcome.kind, ticket, outcome.text)
        if self._herald.is_on:
            self._herald.ended(ticket, Retried, outcome, exception=reason(outcome.text))
        self._conclude(ticket, outcome)

    def _ignored(self, ticket: Ticket, outcome: Outcome) -> None:
        say(outcome.kind, ticket, outcome.text)
        if self._herald.is_on:
            self._herald.ran(ticket, outcome.runtime)
        self._conclude(ticket, outcome)

    def _rejected(self, ticket: Ticket, outcome: Outcome) -> None:
        say(outcome.kind, ticket, outcome.text)
        if signals.task_rejected.receivers:
            signals.task_rejected.tell(self, message=ticket.delivery.envelope, exc=None)
        if self._herald.is_on:
            if not outcome.requeue:  # as Celery's say it
                text = f"reject requeue=False: {outcome.text.strip(QUOTES)}"
                self._herald.ended(ticket, Failed, outcome, exception=text)
            if not ticket.early:  # else there is nothing left to reject
                self._herald.ended(ticket, Rejected, outcome, requeue=outcome.requeue)
        if outcome.requeue:
            self._again_later(ticket)
        else:
            self._conclude(ticket, outcome, buried=f"it was rejected: {outcome.text}")

    def _again_later(self, ticket: Ticket) -> None:
        """Send it again, behind the others of its queue, and the later the more often it was rejected: it must not spin."""
        delivery = ticket.delivery
        wait = self._rejections.pop(ticket.id, FIRST_REQUEUE / 2) * 2
        if len(self._rejections) >= MOST_REJECTIONS:
            self._rejections.clear()
        self._rejections[ticket.id] = min(wait, LONGEST_REQUEUE)
        again = protocol.redelivered(delivery.envelope, due=clock.now() + self._rejections[ticket.id])
        self._settle.conclude(Conclusion(delivery, envelopes=[again]))

    def _unreadable(self, ticket: Ticket, outcome: Outcome) -> None:
        log.error("Task %s cannot be read, so it is buried: %s", ticket, outcome.text)
        self._tell_failed(ticket, outcome)
        self._conclude(ticket, outcome, buried=outcome.text)

    def _misfit(self, ticket: Ticket, outcome: Outcome) -> None:
        log.error("Task %s does not take such arguments, so it is buried: %s\n%s", ticket, outcome.text, outcome.traceback)
        self._tell_failed(ticket, outcome)
        self._conclude(ticket, outcome, buried=outcome.text)

    def _lost(self, ticket: Ticket, outcome: Outcome) -> None:
        """The process died under it: run again, or tell; by what was promised for this task."""
        if self.leaving and not ticket.early:
            self._settle.release(ticket.delivery)
        elif ticket.task.retry_on_worker_lost:
            self._mourned.put_nowait((ticket.delivery, ticket.job, Kind.RETRY, outcome.text, None))
        else:
            if self._herald.is_on:
                self._herald.ran(ticket, outcome.runtime)
            self._end_lost(ticket.delivery, ticket.job, outcome.text, str(ticket), again=runs_again(ticket))

    def stranded(self, deliveries: Sequence[Delivery]) -> None:
        """Tell and settle what dead workers held and what must not simply run again."""
        for delivery in deliveries:
            try:
                self._stranded(delivery)
            except DecodeError as error:
                self._unread(delivery, error)
            except Exception as error:
                self.stumbled(delivery, error)

    def _stranded(self, delivery: Delivery) -> None:
        label = protocol.label(delivery.envelope, self._accept)
        if delivery.revoked:
            self._call_off(delivery, self._tasks.get(label.task))
            return
        name = shown.line(f"{label.shadow or label.task}[{label.id}]")
        if label.task in ORDERS:
            self.order(delivery, f"handed out {delivery.attempt - 1} times, and no worker lived to do it")
            return
        if (task := self._tasks.get(label.task)) is not None and task.retry_on_worker_lost:
            self._mourned.put_nowait((delivery, Job(0, label.task, delivery.envelope), Kind.RETRY, "its worker died", None))
            return
        delivery.attempt -= 1  # `recover` has counted its own hand-out, but nothing ran in it
        self._end_lost(delivery, Job(0, label.task, delivery.envelope), "its worker died", name, again=not delivery.begun)

    def _end_lost(self, delivery: Delivery, job: Job, how: str, name: str, *, again: bool) -> None:
        """Let a task whose process died run `again` while it may, else tell its failure."""
        if again and delivery.attempt < self._max_deliveries:
            log.warning("Task %s will run again, its process died: %s", name, how)
            self._settle.release(delivery, again_after(delivery.attempt))
            return
        log.error("Task %s is lost, its process died: %s", name, how)
        buried = f"handed out {delivery.attempt} times and never finished: {how}" if again else None
        self._mourned.put_nowait((delivery, job, Kind.LOST, how, buried))

    def _timed_out(self, ticket: Ticket, outcome: Outcome) -> None:
        trace.error("Hard time limit (%ss) exceeded for %s", ticket.job.hard, ticket)
        self._ended(
            ticket,
            outcome,
            buried=None if is_acked(ticket, "acks_on_timeout") else f"hard time limit ({ticket.job.hard}s) exceeded",
        )

    def _terminated(self, ticket: Ticket, outcome: Outcome) -> None:
        if ticket.revoked:
            self._call_off(ticket.delivery, ticket.task)
            return
        log.warning("Task %s was ended on request", ticket)
        ticket.delivery.revoked = ticket.signum is not None
        if signals.task_revoked.receivers:
            about = self._request(ticket.delivery, ticket.task)
            signals.task_revoked.tell(ticket.task, request=about, terminated=True, signum=ticket.signum, expired=False)
        if self._herald.is_on:
            self._herald.ran(ticket, outcome.runtime)
            self._herald.revoked(ticket.id, terminated=True, signum=ticket.signum, task=ticket.task)
        self._ended(ticket, outcome)

    def _tell_failed(self, ticket: Ticket, outcome: Outcome) -> None:
        """Tell of a failure whose outcome may name it as `Class: text`, as if that were the repr of one."""
        if self._herald.is_on:
            text = outcome.text
            if not text.partition("(")[0].isidentifier():
                kind, _, said = text.partition(": ")
                text = f"{kind}({said!r})"
            self._herald.failed(ticket.id, text, outcome.traceback, task=ticket.task)

    def _ended(self, ticket: Ticket, outcome: Outcome, *, buried: str | None = None) -> None:
        """Settle a run that was ended from outside; one that an event loop ended has told of itself."""
        if self._herald.is_on:
            self._herald.ran(ticket, outcome.runtime)
        if outcome.results or outcome.envelopes or outcome.arrivals:
            if outcome.kind is not Kind.TERMINATED and self._herald.is_on:
                self._herald.failed(ticket.id, outcome.text, outcome.traceback, task=ticket.task)
            self._conclude(ticket, outcome, buried=buried)
        else:
            self._mourned.put_nowait((ticket.delivery, ticket.job, outcome.kind, outcome.text, buried))

    def _untold(self, ticket: Ticket, outcome: Outcome) -> None:
        log.error("Task %s is buried, what it was given or gave cannot be carried: %s", ticket, outcome.text)
        self._ended(ticket, outcome, buried=f"what it was given or gave cannot be carried: {outcome.text}")

    def _returned(self, ticket: Ticket, outcome: Outcome) -> None:
        self._book.totals[ticket.job.task] -= 1  # it has not run
        self._settle.release(ticket.delivery)

    def _conclude(self, ticket: Ticket, outcome: Outcome, *, buried: str | None = None) -> None:
        self._settle.conclude(concluded(ticket.delivery, outcome, buried))

    # -- deliveries that never come to the pool -------------------------------------------------------------------

    def refuse(self, judgement: Judgement) -> None:
        """Settle a delivery that was judged not to run here: parked, stranded, revoked, expired, unknown or unreadable."""
        delivery, headers = judgement.delivery, judgement.headers
        if judgement.verdict is Verdict.PARKED:
            if delivery.parked is None:
                log.warning("Message %s is left to other workers: %s", shown.line(delivery.envelope.id), judgement.reason)
            self._settle.release(delivery, Way.after(judgement.wait, parked=True))
        elif judgement.verdict is Verdict.ORDER:
            self.order(delivery, None)
        elif judgement.verdict is Verdict.STRANDED:
            self.stranded([delivery])
        elif judgement.verdict in (Verdict.REVOKED, Verdict.EXPIRED) and headers:
            self._discard(delivery, headers, judgement.task, expired=judgement.verdict is Verdict.EXPIRED)
        elif judgement.verdict is Verdict.UNKNOWN and headers:
            self._unknown(delivery, headers, judgement.reason)
        else:
            self._unread(delivery, DecodeError(judgement.reason))

    def _unread(self, delivery: Delivery, error: DecodeError) -> None:
        """Bury what is no message, and tell whoever waits for the id that the envelope bears."""
        id = delivery.envelope.id
        log.error("Message %s is buried, it cannot be read: %s", shown.line(id), shown.line(str(error)))
        results = [result.encode(id, states.FAILURE, error, serializer=self._serializer)] if id else []
        self._untaken(delivery, states.FAILURE, error, results, buried=encodable(str(error)))

    def _call_off(self, delivery: Delivery, task: Task[..., Any] | None) -> None:
        """End one that was revoked before it began."""
        try:
            headers = protocol.headers(delivery.envelope, self._accept)
        except DecodeError as error:
            self._unread(delivery, error)
        else:
            self._discard(delivery, headers, task)

    def _discard(self, delivery: Delivery, headers: Headers, task: Task[..., Any] | None, *, expired: bool = False) -> None:
        """End one that must not run any more, because somebody revoked it or its time has passed."""
        name = shown.line(f"{headers.shadow or headers.task}[{headers.id}]")
        log.info("Discarding %s task: %s", "expired" if expired else "revoked", name)
        if signals.task_revoked.receivers and task is not None:
            about = self._request(delivery, task)
            signals.task_revoked.tell(task, request=about, terminated=False, signum=None, expired=expired)
        if self._herald.is_on:
            self._herald.revoked(headers.id, expired=expired, task=task)
        error = TaskRevokedError("expired" if expired else "revoked")
        results = [] if ignored(headers, task) else [self._extended(delivery, headers, task, states.REVOKED, error)]
        self._untaken(delivery, states.REVOKED, error, results)

    def _request(self, delivery: Delivery, task: Task[..., Any]) -> Any:
        """What a run would have known of its call; of a message that cannot be read, what its headers tell."""
        envelope, attempt = delivery.envelope, delivery.attempt
        try:
            message = protocol.decode(envelope, self._accept)
        except DecodeError:
            return Request(id=envelope.id, task=task.name, name=task.name, hostname=self._hostname, called_directly=False)
        about = Request.from_message(message, envelope, task, hostname=self._hostname, attempt=attempt)
        about.update(name=about.shadow or about.task)
        return about

    def _unknown(self, delivery: Delivery, headers: Headers, reason: str) -> None:
        log.error("Received unregistered task of type %r, message %s is buried", headers.task, shown.line(headers.id))
        error = NotRegistered(headers.task)
        if signals.task_unknown.receivers:
            signals.task_unknown.tell(self, message=delivery.envelope, exc=error, name=headers.task, id=headers.id)
        if self._herald.is_on:
            self._herald.failed(headers.id, repr(error))
        results = [] if headers.ignore_result else [self._result(headers, states.FAILURE, error)]
        self._untaken(delivery, states.FAILURE, error, results, buried=reason)

    def _untaken(
        self, delivery: Delivery, state: str, error: Exception, results: list[Result], *, buried: str | None = None
    ) -> None:
        """Settle what never runs, with word for all who count on it."""
        outcome = self._executor.sequel.untaken(delivery.envelope, state, error, Outcome(0, Kind.FAILURE, tuple(results)))
        self._settle.conclude(concluded(delivery, outcome, buried))

    def _extended(self, delivery: Delivery, headers: Headers, task: Task[..., Any] | None, state: str, value: Any) -> Result:
        """The document of a call that was not run to its end; it tells of the call as those of runs do."""
        documents = self._executor.documents
        if task is None or not documents.extended:
            return self._result(headers, state, value)
        return documents.of_run(task, self._request(delivery, task), state, value)

    def _result(self, headers: Headers, state: str, value: Any) -> Result:
        return result.encode(
            headers.id,
            state,
            value,
            serializer=self._serializer,
            parent_id=headers.parent_id,
            group_id=headers.group,
        )


def reason(text: str) -> str:
    """The repr of what made a task retry, out of what its Retry says; `None` if nothing did."""
    return text.partition(": ")[2] or ("None" if text.startswith("Retry in") else text)


def concluded(delivery: Delivery, outcome: Outcome, buried: str | None = None) -> Conclusion:
    """How a delivery ends with an outcome."""
    return Conclusion(delivery, outcome.results, outcome.envelopes, buried, outcome.arrivals, outcome.sizes)


def again_after(attempt: int) -> Way:
    """How a delivery goes back whose run has ended badly: later each time, so that it leaves room for others."""
    return Way.after(FIRST_AGAIN * 3 ** min(attempt - 1, 6), counted=True)


def ignored(label: Label | Headers, task: Task[..., Any] | None) -> bool:
    """True if nobody wants the result of this call."""
    if label.ignore_result is None:
        return bool(task and task.ignore_result)
    return label.ignore_result


def is_acked(ticket: Ticket, why: Literal["acks_on_failure", "acks_on_timeout"]) -> bool:
    """True if this task is acknowledged though it failed or took too long; else it is buried."""
    said = getattr(ticket.task, why)
    return ticket.early or bool(ticket.task.acks_on_failure_or_timeout if said is None else said)


def runs_again(ticket: Ticket) -> bool:
    """True if this task is to run again when its process died under it."""
    again = ticket.task.reject_on_worker_lost
    return not ticket.early and (again is None or bool(again))
