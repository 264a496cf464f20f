"""What comes of the ends of parts: the body of a chord once all have arrived, or word for all who wait for what will never run.

For the parent process of a worker, which has the store: here is what it is to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from umbel import guise, states
from umbel.canvas.unreached import errbacks_of, lost_ends
from umbel.errors import ChordError, DecodeError
from umbel.execution.documents import Documents
from umbel.execution.outcome import Kind, Outcome
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.follow import links
from umbel.follow.follow import Follow
from umbel.wire import encoding, parts, protocol
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Message

log = guise.logger("umbel.trace")


class Joiner:
    """Makes what follows from parts, and is the `Sequel` of runs, by way of `Follow`. Any thread may use it."""

    def __init__(self, tasks: Mapping[str, Runnable], documents: Documents, follow: Follow, *, accept: frozenset[str]):
        self._tasks = tasks
        self._documents = documents
        self._follow = follow
        self._accept = accept
        self._hostname = documents.hostname
        self.check, self.complete = links.check, follow.complete

    # -- calls that never come to a run ---------------------------------------------------------------------------------

    def untaken(self, envelope: Envelope, state: str, error: Exception, outcome: Outcome) -> Outcome:
        """The outcome of a message that does not run at all, with word for all who count on it."""
        request = self._request(envelope)
        if request is not None and (request.chord is not None or request.chain):
            with suppress(Exception):  # its own end is told in any case
                self._lose(outcome, request, state, error)
        return outcome

    def _lose(self, outcome: Outcome, request: Request, state: str, error: BaseException) -> None:
        """Add word for all who count on the end of a call that does not come, and on that of the steps behind it."""
        outcome.results += tuple(self._documents.of_lost(links.never_reached(request), state, error, parent_id=request.id))
        arrived = [*links.arrived(request, failed=True)]
        outcome.arrivals = tuple(self._follow.notes(request, arrived, state, error))
        more = links.after_loss(request, state, error)
        outcome.envelopes += tuple(self._follow.sent(request, more, needed=False))

    def _request(self, envelope: Envelope) -> Request | None:
        """The request of any message, also of one that this worker may not take, as far as it is safe to read."""
        accept = self._accept | ({envelope.content_type} & _HARMLESS)
        try:
            message = protocol.decode(envelope, accept)
            links.check(message.embed)
        except Exception:
            return None
        return Request.from_message(message, envelope, None, hostname=self._hostname)

    # -- orders ---------------------------------------------------------------------------------------------------------

    def order(self, envelope: Envelope) -> Request:
        """What an order says. Raises DecodeError."""
        message: Message = protocol.decode(envelope, self._accept)
        request = Request.from_message(message, envelope, None, hostname=self._hostname)
        if not isinstance(request.kwargs, dict):
            raise DecodeError("an order without words")
        return request

    def fire(self, order: Request, raw: Sequence[bytes], chain: list[Any], group: bytes | None = None) -> Outcome:
        """Send the body (the last of `chain`, with what follows it) with what the parts gave, or tell that it never runs.

        `group` is what was saved of the header, if a client has said by that how its values are nested.
        """
        serializer = self._documents.serializer
        accept = self._accept | {encoding.content_type(serializer)[0]}
        try:
            found = [parts.read(each, serializer, accept) for each in raw]
            tree = _tree(group, serializer, accept)
            error = parts.failure(found)
        except DecodeError as problem:
            error = ChordError(f"its parts cannot be read: {problem}")
        if error is None:
            try:
                return self.go_on(order, chain, parts.values(found, tree))
            except Exception as problem:
                log.exception("The body of chord %s cannot be sent", order.kwargs.get("chord"))
                error = ChordError(f"the body cannot be sent: {problem!r}")
        return self.fail(order, chain, states.FAILURE, error)

    def go_on(self, order: Request, chain: list[Any], value: Any) -> Outcome:
        """Send the next of these steps (reversed) with a value."""
        request = _served(order, chain=chain)
        sent = links.after_success(request, value)
        envelopes = tuple(self._follow.sent(request, sent.steps, needed=True))
        return Outcome(0, Kind.SUCCESS, (), envelopes, sizes=tuple(sent.sizes))

    def fail(self, order: Request, chain: list[Any], state: str, error: BaseException) -> Outcome:
        """Tell all who wait for one of these steps (reversed), and call their errbacks, each once."""
        outcome, request = Outcome(0, Kind.FAILURE), _served(order, chain=chain)
        self._lose(outcome, request, state, error)
        for id_, errbacks in errbacks_of(chain):
            try:
                sent = links.after_failure(_served(order, id=id_, errbacks=errbacks), error, None, self._tasks)
            except Exception:  # whoever waits is told in any case
                log.exception("The errbacks of %s cannot be called", id_)
                continue
            outcome.envelopes += tuple(self._follow.sent(request, sent.steps, needed=False))
            outcome.sizes += tuple(sent.sizes)
        return outcome

    def part(self, text: str) -> parts.Part:
        """What was written as the end of a part. Raises DecodeError."""
        return parts.read(text.encode(), "json", self._accept | {JSON})

    def signatures(self, raw: bytes, serializer: str) -> list[Any]:
        """Signatures that were kept for later. Raises DecodeError."""
        found = encoding.loads(raw, *encoding.content_type(serializer), self._accept)
        if not isinstance(found, list) or not found:
            raise DecodeError("what is kept of a canvas is no list of signatures")
        links.check(Embed(chain=found))
        return found

    def gone(self, order: Request, words: Mapping[str, Any], error: BaseException) -> Outcome | None:
        """Tell all who wait for the end of what was kept for a mark with these words; None if nobody can say what that is."""
        ends = [*lost_ends(words)]
        if not ends:
            return None
        results = tuple(self._documents.of_lost((each.id for each in ends), states.FAILURE, error, parent_id=order.parent_id))
        arrived = [each for each in ends if each.chord is not None]
        arrivals = tuple(self._follow.notes(_served(order), arrived, states.FAILURE, error))
        return Outcome(0, Kind.FAILURE, results, arrivals=arrivals)


JSON = "application/json"
_HARMLESS = frozenset({JSON, "application/x-msgpack", "application/x-yaml"})


def _tree(group: bytes | None, serializer: str, accept: frozenset[str]) -> Any:
    """The result tuple that a saved group is."""
    if group is None:
        return None
    found = encoding.loads(group, *encoding.content_type(serializer), accept)
    tree = found.get("result") if isinstance(found, dict) else None
    return tree if isinstance(tree, (list, tuple)) and len(tree) == 2 else None


def _served(order: Request, **fields: Any) -> Request:
    """The request of the run that has led to an order, as far as what follows from it needs."""
    known = {name: order.get(name) for name in ("root_id", "envelope", "reply_to", "delivery_info", "hostname", "properties")}
    known["id"] = order.parent_id or order.id
    return Request(**{**known, "called_directly": False, "task": links.JOIN, **fields})
