"""Plays a canvas here and now: its calls run in this process, in the order in which workers would begin them.

The same code decides what follows as in a worker (`execution`); here are only the store's two jobs, to count parts and to keep
results, as dicts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from umbel import states
from umbel.canvas.settle import copied, settle
from umbel.canvas.unfold import Call, Event, Size, unfold
from umbel.canvas.unreached import Lost, errbacks_of, lost
from umbel.client.canvas.launch import named
from umbel.client.current import App
from umbel.client.eager import as_received, ended, run, store
from umbel.client.plain import is_plain
from umbel.client.results.eager_result import EagerResult
from umbel.errors import NotRegistered, Retry
from umbel.execution.ending import Ending
from umbel.execution.outcome import Kind
from umbel.execution.request import Request
from umbel.execution.retry import once_more
from umbel.execution.runnable import find_task
from umbel.follow import links
from umbel.follow.follow import told
from umbel.wire import parts
from umbel.wire.ids import new_id


def play(canvas: Any, args: Any, kwargs: Any, options: Mapping[str, Any], *, as_sent: bool = False) -> Any:
    """Run a canvas to its end; gives the result of what is last in it. `as_sent`: with arguments as they would arrive."""
    app = canvas.app
    given, id_ = named(canvas, options)
    throw = given.pop("throw", None)
    given.pop("add_to_parent", None)
    found = copied(canvas)
    tree = settle(found, new_id, id_=id_)
    stage = Stage(app, throw=bool(app.conf.task_eager_propagates) if throw is None else throw, as_sent=as_sent)
    stage.play(unfold(found, tuple(args or ()), dict(kwargs or {}), given))
    return stage.result(tree)


def apply(
    task: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any], *, throw: bool, again: bool = True
) -> Any:
    """The result of one task's run in this process; with `throw` raises what the task raised.

    Retries follow at once, without their pauses; without `again`, but with `throw`, Retry is raised instead.
    What follows after it is sent as `apply_async` would; what stands in its place runs here, too.
    """
    part = _part.get()
    if part is not None and part.task is not task:
        part = None
    token = _part.set(None)  # what its code applies is no part
    try:
        request, ending, text = run(task, args, kwargs, options, again=(again or not throw) and _retries_plainly(task))
    finally:
        _part.reset(token)
    if ending.kind is Kind.RETRY and isinstance(ending.value, Retry) and throw and not again:
        raise ending.value
    if ending.kind is Kind.RETRY and isinstance(ending.value, Retry):  # whoever overrides `apply` is entered for it
        sig: Any = ending.value.sig
        step = once_more(task.name, request, None, None, sig["options"])
        carried = {key: value for key, value in step.options.items() if value is not None}
        return task.apply(sig["args"], sig["kwargs"], throw=throw, **carried)
    if part is not None:
        part.run = request, ending, text
        return EagerResult(request.id or "", ending.value, ending.kind.state, traceback=text, name=task.name)
    if request.is_replaced:
        stage = Stage(task.app, throw=throw, as_sent=False)
        stage.end(request, ending, text)
        stage.play(())
        return stage.result([[request.id, None], None])
    for each in ending.steps:
        task.app.signature(each.task, each.args, each.kwargs).apply_async(**{**each.options, "parent_id": request.id})
    if task.store_eager_result:
        store(task, request, ending, text)
    if throw and ending.kind.state in states.PROPAGATE_STATES and isinstance(ending.value, BaseException):
        raise ending.value
    return EagerResult(request.id or "", ending.value, ending.kind.state, traceback=text, name=task.name)


def _retries_plainly(task: Any) -> bool:
    return is_plain(task.apply) and is_plain(task.signature_from_request) and is_plain(task.signature)


@dataclass(slots=True)
class Part:
    """A call of a canvas whose task has an `apply` of somebody's own, which is entered for it."""

    task: Any
    run: tuple[Request, Ending, str | None] | None = None
    """What it came to, left there by the `apply` that was overridden."""


_part: ContextVar[Part | None] = ContextVar("umbel_part", default=None)


@dataclass(slots=True)
class Join:
    """A chord whose parts run."""

    size: int | None = None
    arrived: dict[tuple[int, str], parts.Part] = field(default_factory=dict)
    last: Any = None


class Stage:
    """Where the calls of one canvas run."""

    def __init__(self, app: App, *, throw: bool, as_sent: bool):
        self._app = app
        self._throw = throw
        self._as_sent = as_sent
        self._todo: deque[Event] = deque()
        self._joins: dict[str, Join] = {}
        self.results: dict[str, EagerResult[Any]] = {}

    def play(self, events: Iterable[Event]) -> None:
        """Run these and all that follows."""
        self._todo.extend(events)
        while self._todo:
            event = self._todo.popleft()
            if isinstance(event, Size):
                self._join(event.chord).size = event.parts
            else:
                self._run(event)

    def result(self, tree: Any) -> Any:
        """The results of a result tuple, as they came."""
        (id_, parent), children = tree
        before = None if parent is None else self.result(parent)
        if children is not None:
            return self._app.GroupResult(id_, [self.result(each) for each in children], parent=before)
        found = self.results.get(id_)
        if found is None:
            found = self._told(id_, None, states.PENDING)
        found.parent = before
        return found

    def _run(self, call: Call) -> None:
        task: Any = find_task(self._app.tasks, call.task)
        options = call.options
        args, kwargs = tuple(call.args), dict(call.kwargs)
        if task is None:
            self._fail_unknown(call)
            return
        if self._as_sent:
            args, kwargs = as_received(task, args, kwargs, options.get("serializer"))
        play = run if _retries_plainly(task) else _entered
        request, ending, traceback = play(task, args, kwargs, options)
        self.end(request, ending, traceback)
        if self._throw and ending.kind.state in states.PROPAGATE_STATES and isinstance(ending.value, BaseException):
            raise ending.value

    def end(self, request: Request, ending: Ending, traceback: str | None) -> None:
        """Note how a call ended, and let begin what follows."""
        state = ending.kind.state
        if not request.is_replaced:
            self._told(request.id or "", ending.value, state, traceback, request.task)
        for grown in request.grown:
            join = self._join(grown.chord)
            join.size = (join.size or 0) + grown.more
        told_state, value = told(ending)
        if state != states.SUCCESS and not request.is_replaced:
            for id_ in links.never_reached(request):
                self._told(id_, value, told_state)
        follow: list[Event] = [*request.events, *ending.sizes, *ending.steps]
        for each in ending.arrived:
            follow += self._arrive(each, told_state, value)
        self._todo.extendleft(reversed(follow))

    def _told(self, id_: str, value: Any, state: str, traceback: str | None = None, name: str | None = None) -> EagerResult[Any]:
        found: EagerResult[Any] = EagerResult(id_, value, state, traceback=traceback, name=name, app=self._app)
        self.results[id_] = found
        return found

    def _fail_unknown(self, call: Call) -> None:
        request = Request(id=call.options["task_id"], task=call.task, is_eager=True, called_directly=False)
        request.update(chain=call.options.get("chain"), chord=call.options.get("chord"))
        request.update(group=call.options.get("group_id"), group_index=call.options.get("group_index"))
        ending = Ending(Kind.FAILURE, NotRegistered(call.task), arrived=[*links.arrived(request, failed=True)])
        self.end(request, ending, None)
        if self._throw:
            raise ending.value

    # Chords

    def _join(self, chord: str) -> Join:
        return self._joins.setdefault(chord, Join())

    def _arrive(self, part: Lost, state: str, value: Any) -> list[Event]:
        """Note a part; gives what begins then."""
        assert part.group_id is not None, "it is a part"
        join = self._join(part.group_id)
        index = 1 << 40 if part.index is None else part.index
        join.arrived[index, part.id] = parts.Part(part.id, state, value)
        if join.size is None or len(join.arrived) < join.size:
            return []
        del self._joins[part.group_id]
        ends = [join.arrived[key] for key in sorted(join.arrived)]
        error = parts.failure(ends)
        last = copied(part.chord)
        if error is None:
            settle(last, new_id)
            return list(unfold(last, (parts.values(ends),)))
        return self._fail(last, error)

    def _fail(self, last: Any, error: BaseException) -> list[Event]:
        """Tell that a body never runs."""
        follow: list[Event] = []
        for each in lost(last):
            self._told(each.id, error, states.FAILURE)
            if each.chord is not None:
                follow += self._arrive(each, states.FAILURE, error)
        for id_, errbacks in errbacks_of([last]):
            request = Request(id=id_, task=last["task"], errbacks=errbacks, is_eager=True, called_directly=False)
            sent = links.after_failure(request, error, None, self._app.tasks)
            follow += [*sent.sizes, *sent.steps]
        if self._throw:
            raise error
        return follow


def _entered(task: Any, args: Any, kwargs: Any, options: Mapping[str, Any]) -> tuple[Request, Ending, str | None]:
    """The run of a call by the `apply` of its task; what stands in its place without any decides how it ended."""
    part = Part(task)
    token = _part.set(part)
    try:
        found = task.apply(args, kwargs, throw=False, **options)
    finally:
        _part.reset(token)
    if part.run is None:
        kind = Kind.SUCCESS if getattr(found, "state", states.SUCCESS) == states.SUCCESS else Kind.FAILURE
        return ended(task, args, kwargs, options, kind, getattr(found, "result", found))
    return part.run
