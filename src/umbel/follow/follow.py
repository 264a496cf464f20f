"""What follows from a run: the documents of its results, and the messages of its callbacks, errbacks and further steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from umbel import guise, shown, states
from umbel.canvas.shape import Sig, kind, options_of
from umbel.canvas.unfold import Call
from umbel.canvas.unreached import Lost
from umbel.errors import TaskRevokedError
from umbel.execution.documents import Documents, is_ignored
from umbel.execution.ending import Ending, failure
from umbel.execution.outcome import Kind
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable, find_task
from umbel.follow import links
from umbel.messages.complete import Parent
from umbel.stores.join import Arrival
from umbel.wire import rest
from umbel.wire.envelope import Envelope
from umbel.wire.parts import written
from umbel.wire.result import Result
from umbel.wire.typed_json import to_json

log = guise.logger("umbel.trace")

SUCCESS, RETRY, IGNORED, REJECTED = Kind.SUCCESS, Kind.RETRY, Kind.IGNORED, Kind.REJECTED  # as looking up takes its time
_NO_FAILURES = frozenset({SUCCESS, RETRY, IGNORED, REJECTED})


_PARENT, _ROOT = "\x02parent\x03", "\x02root\x03"
"""Stand where the run is to be named that an order is the child of."""
_PARENT_WRITTEN, _ROOT_WRITTEN = to_json(_PARENT), to_json(_ROOT)


class Relay(Protocol):
    """Makes messages of calls that follow from a run."""

    def follow(self, step: Call, *, task: Any, parent: Parent) -> list[Envelope]:
        """The messages of one call, mostly one; `task` is what is known of it here. Raises what makes it impossible."""

    def order(self, step: Call, *, parent: Parent) -> Envelope:
        """The message of an order for a worker itself, of which nobody is told."""

    def is_alone(self, task: Any) -> bool:
        """True if nobody else sees or makes the messages of such calls."""


class Follow:
    """Adds to endings what follows from them."""

    def __init__(self, tasks: Mapping[str, Runnable], documents: Documents, relay: Relay):
        self._tasks = tasks
        self._documents = documents
        self._relay = relay
        self._last_order: tuple[tuple[str, str | None, int], Envelope] | None = None

    def complete(self, task: Runnable, request: Request, ending: Ending, *, untouched: bool = False) -> Ending:
        """The ending with all that follows; a failure if that of a success cannot be made into bytes.

        `untouched`: nobody has seen the request, so that what follows is what came in the message.
        """
        if ending.kind is not SUCCESS:
            return self._completed(task, request, ending)
        try:
            chain = request.chain if untouched else None
            if chain and len(chain) > 1 and (sent := self._next(request, chain[-1], ending.value)):
                ending.envelopes, ending.results = [sent], self._results(task, request, ending)
                return ending
            return self._completed(task, request, ending)
        except Exception as error:
            return self._completed(task, request, failure(task, error))

    def _next(self, request: Request, following: Sig, value: Any) -> Envelope | None:
        """The next step of a chain from which nothing else follows, with the rest as it stands in the message.

        Read and written as signatures, a thousand steps would be read and written a thousand times. None if it must be.
        """
        came, said = request.envelope, options_of(following)
        if came is None or request.callbacks or request.chord is not None or request.follow_ups:
            return None
        is_call = kind(following) is None and following["task"] not in links.ORDERS
        if not is_call or not said.get("task_id") or said.get("chain") or said.get("chord") is not None:
            return None
        if not self._relay.is_alone(find_task(self._tasks, following["task"])):
            return None
        behind = rest.of_chain(came)
        if behind is None:
            return None
        sent = self.sent(request, links.after_success(request, value, bare=True).steps, needed=True)
        return rest.added(sent[0], behind)

    def _completed(self, task: Runnable, request: Request, ending: Ending) -> Ending:
        kind = ending.kind
        if kind is SUCCESS:
            if request.callbacks or request.chain:
                ending.steps, ending.sizes = links.after_success(request, ending.value)
        else:
            if request.errbacks and kind not in _NO_FAILURES:
                ending.steps, ending.sizes = links.after_failure(request, ending.value, ending.einfo, self._tasks)
            if request.chain and not self._goes_on(request, ending):
                ending.steps = [*ending.steps, *links.after_loss(request, *told(ending))]
        if (request.chord is not None or request.chain) and not self._goes_on(request, ending):
            ending.arrived = [*links.arrived(request, failed=kind is not SUCCESS)]
        if not request.is_eager:
            sent = self.sent(request, ending.steps, needed=kind is SUCCESS) if ending.steps else []
            ending.envelopes = request.follow_ups + sent
            ending.results = self._results(task, request, ending)
            ending.arrivals = self.notes(request, ending.arrived, *told(ending))
            if request.grown:
                ending.arrivals = _grown(request.grown, ending.arrivals)
            ending.sizes = [*request.sizes, *ending.sizes]
        return ending

    def _goes_on(self, request: Request, ending: Ending) -> bool:
        """True if this is no end yet: it is tried again, or something stands in its place."""
        kind = ending.kind
        return kind is RETRY or (kind is REJECTED and ending.value.requeue) or (kind is IGNORED and request.is_replaced)

    def notes(self, request: Request, arrived: Sequence[Lost], state: str, value: Any) -> list[Arrival]:
        """The ends of parts as stores note them. Raises EncodeError if the value cannot be kept."""
        found = []
        for each in arrived:
            assert each.group_id is not None, "it is a part"
            part = written(each.id, state, value, self._documents.serializer)
            then = self._order_to_fire(request, each.group_id, each.chord)
            found.append(Arrival(each.group_id, each.id, each.index, part, then))
        return found

    def _order_to_fire(self, request: Request, chord: str, last: Any) -> Envelope:
        """The order that a part brings. All parts of a chord bring the same, but for what it is the child of."""
        came = request.envelope
        key = (chord, None, 0) if came is None else (chord, came.queue, came.priority)
        known = self._last_order
        if known is None or known[0] != key:
            order = links.order_to_fire(request, chord, last)
            parent = Request(id=_PARENT, root_id=_ROOT, delivery_info=request.delivery_info)
            known = self._last_order = key, self._relay.order(order, parent=parent)
        headers = known[1].headers.replace(_PARENT_WRITTEN, to_json(request.id))
        headers = headers.replace(_ROOT_WRITTEN, to_json(request.root_id or request.id))
        return msgspec.structs.replace(known[1], headers=headers)

    def _results(self, task: Runnable, request: Request, ending: Ending) -> list[Result]:
        kind, value, einfo = ending.kind, ending.value, ending.einfo
        ignored = is_ignored(task, request.ignore_result)
        if kind is SUCCESS:
            return [] if ignored else [self._documents.of_run(task, request, kind.state, value, einfo)]
        ignored = ignored and not task.store_errors_even_if_ignored
        if kind is RETRY:
            return [] if ignored else [self._documents.of_run(task, request, kind.state, value.exc, einfo)]
        if self._goes_on(request, ending):
            return []
        # What a step does not lead to never runs; who waits for it did not ask to ignore that.
        state, reason = told(ending)
        ids = links.never_reached(request)
        lost = self._documents.of_lost(ids, state, reason, einfo, parent_id=request.id)
        if kind is IGNORED or ignored:
            return lost
        return [self._documents.of_run(task, request, state, value, None if kind is REJECTED else einfo), *lost]

    def sent(self, request: Request, steps: Sequence[Call], *, needed: bool) -> list[Envelope]:
        """The messages of these; one that cannot be made is told, and is a failure where it is `needed`."""
        sent, orders = list[Envelope](), list[Envelope]()
        for step in steps:
            try:
                if step.task in links.ORDERS:
                    orders.append(self._relay.order(step, parent=request))
                else:
                    sent += self._relay.follow(step, task=find_task(self._tasks, step.task), parent=request)
            except Exception:
                if needed:
                    raise
                log.exception("Errback %s cannot be sent", shown.line(f"{step.task} of {request.task}[{request.id}]"))
        known = {child[0][0] for child in request.children}  # an `apply_async` of the task's own has noted them
        request.children.extend([[one.id, None], None] for one in sent if one.id not in known)
        return sent + orders


def _grown(grown: Sequence[Arrival], arrivals: list[Arrival]) -> list[Arrival]:
    """Growth is told with the part itself, or alone where that has not arrived yet."""
    for more in grown:
        for each in arrivals:
            if (each.chord, each.id) == (more.chord, more.id):
                each.more, each.run = more.more, more.run
                return arrivals
    return [*grown, *arrivals]


def told(ending: Ending) -> tuple[str, Any]:
    """State and value for those who wait for what this end does not lead to. Nobody is to raise an Ignore of another task."""
    kind, value = ending.kind, ending.value
    if kind is IGNORED:
        return states.REVOKED, TaskRevokedError("the task before it was ignored")
    return kind.state if kind.state in states.READY_STATES else states.FAILURE, value
