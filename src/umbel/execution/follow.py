"""What follows from a run: the documents of its results, and the messages of its callbacks, errbacks and further steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from umbel import guise, shown, states
from umbel.execution import links
from umbel.execution.documents import Documents, is_ignored
from umbel.execution.ending import Ending, failure
from umbel.execution.outcome import Kind
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.messages.complete import Parent
from umbel.messages.write import Step
from umbel.wire.envelope import Envelope
from umbel.wire.result import Result

log = guise.logger("umbel.trace")

SUCCESS, RETRY, IGNORED, REJECTED = Kind.SUCCESS, Kind.RETRY, Kind.IGNORED, Kind.REJECTED  # as looking up takes its time
_NO_FAILURES = frozenset({SUCCESS, RETRY, IGNORED, REJECTED})


class Relay(Protocol):
    """Makes messages of calls that follow from a run."""

    def follow(self, step: Step, *, task: Any, parent: Parent) -> list[Envelope]:
        """The messages of one call, mostly one; `task` is what is known of it here. Raises what makes it impossible."""


class Follow:
    """Adds to endings what follows from them."""

    def __init__(self, tasks: Mapping[str, Runnable], documents: Documents, relay: Relay):
        self._tasks = tasks
        self._documents = documents
        self._relay = relay

    def complete(self, task: Runnable, request: Request, ending: Ending) -> Ending:
        """The ending with all that follows; a failure if that of a success cannot be made into bytes."""
        if ending.kind is not SUCCESS:
            return self._completed(task, request, ending)
        try:
            return self._completed(task, request, ending)
        except Exception as error:
            return self._completed(task, request, failure(task, error))

    def _completed(self, task: Runnable, request: Request, ending: Ending) -> Ending:
        if ending.kind is SUCCESS:
            if request.callbacks or request.chain:
                ending.steps = links.after_success(request, ending.value)
        elif request.errbacks and ending.kind not in _NO_FAILURES:
            ending.steps = links.after_failure(request, ending.value, ending.einfo, self._tasks)
        if not request.is_eager:
            sent = self._sent(request, ending.steps, needed=ending.kind is SUCCESS) if ending.steps else []
            ending.envelopes = request.follow_ups + sent
            ending.results = self._results(task, request, ending)
        return ending

    def _results(self, task: Runnable, request: Request, ending: Ending) -> list[Result]:
        kind, value, einfo = ending.kind, ending.value, ending.einfo
        ignored = is_ignored(task, request.ignore_result)
        if kind is IGNORED or (ignored and (kind is SUCCESS or not task.store_errors_even_if_ignored)):
            return []
        if kind is RETRY:
            return [self._documents.of_run(task, request, kind.state, value.exc or value, einfo)]
        if kind is REJECTED:
            return [] if value.requeue else [self._documents.of_run(task, request, states.FAILURE, value)]
        lost = self._documents.of_steps_never_reached(request, kind.state, value, einfo) if kind is not SUCCESS else []
        return [self._documents.of_run(task, request, kind.state, value, einfo), *lost]

    def _sent(self, request: Request, steps: Sequence[Step], *, needed: bool) -> list[Envelope]:
        """The messages of these; one that cannot be made is told, and is a failure where it is `needed`."""
        sent = []
        for step in steps:
            try:
                sent += self._relay.follow(step, task=self._tasks.get(step.task), parent=request)
            except Exception:
                if needed:
                    raise
                log.exception("Errback %s cannot be sent", shown.line(f"{step.task} of {request.task}[{request.id}]"))
        known = {child[0][0] for child in request.children}  # an `apply_async` of the task's own has noted them
        request.children.extend([[one.id, None], None] for one in sent if one.id not in known)
        return sent
