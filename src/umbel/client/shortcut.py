"""The short way of a task's usual calls: made at the first call, again after a change of settings or attributes.

Loaded with the first call, as all that writes messages is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from types import FunctionType
from typing import TYPE_CHECKING, Any

from umbel.client.arguments import Arguments
from umbel.client.canvas.signature import as_pair
from umbel.client.plain import is_plain
from umbel.errors import EncodeError, QueueNotFound
from umbel.execution import request as requests
from umbel.messages.announce import is_watched, publisher
from umbel.messages.complete import of_task
from umbel.messages.options import Options
from umbel.messages.write import blame
from umbel.wire.ids import new_id

if TYPE_CHECKING:
    from umbel.client.current import App
    from umbel.wire.protocol import Template

CHUNK = 1_000
"""How many messages are given to the store at once: beyond, a store gains nothing more for each."""
_NOTHING: dict[str, Any] = {}

Pair = tuple[Sequence[Any], Mapping[str, Any]]


class Shortcut:
    """What is known of a task's calls before there is one: what fits it and, of usual ones, all bytes that they share."""

    def __init__(self, task: Any, app: App):
        assert app.tasks is not None  # finalizes the app: nobody sends before those who wait for that are told
        self.task = task
        self.app = app
        self.conf = app.conf
        self.version: int = self.conf.version
        """Of the settings that it was made from."""
        self.outbox = app.outbox
        self.aside: Callable[[], object] = requests.current.get if publisher() is None else _aside
        """Tells what bars the usual way here and now, as a run around the call does: None if nothing."""
        self.send_task = app.send_task if is_plain(app.send_task) else None
        """What the app's would be if nobody stood in its place."""
        self.new_id = new_id
        self.arguments = _arguments(task)
        self.is_eager = bool(self.conf.task_always_eager)
        self.is_ignored = bool(task.ignore_result)
        self.result_type = app.result_type
        self.template: Template | None = None
        """Set if usual calls differ in nothing but id and arguments."""
        self.is_told: bool = self.conf.task_send_sent_event
        """True if each message that is sent is told of."""
        if (
            not (self.is_eager or self.is_told)
            and app.writer.rules.router.is_fixed
            and task.expires is None
            and not (task.shadows or task.pydantic)
        ):
            with suppress(QueueNotFound):  # other calls may name a queue
                self.template = self._shared({})

    def _shared(self, options: Options) -> Template | None:
        """What calls with these options share; None if each has its own time to expire."""
        draft = self.app.writer.draft(self.task.name, "", (), {}, options, task=self.task)
        if not options and draft.message.headers.expires is not None:
            return None
        try:
            return draft.template()
        except EncodeError as problem:
            raise self.blamed(problem) from problem

    def send(self, args: Any, kwargs: Any, options: Options) -> Any:
        """Send a call that has anything unusual about it: by the app, which may do more than that; gives its result."""
        task = self.task
        if task.pydantic:
            from umbel.execution.arguments import sendable  # an extra, wanted only by tasks that say so

            args, kwargs = sendable(task, args, kwargs)
        if self.app.send_task != self.send_task:  # whoever overrides it sees all that is sent
            options = of_task(task, options)
        return self.app.send_task(task.name, args, kwargs, task_type=task, **options)

    def send_many(self, calls: Iterable[Any], options: Options) -> list[str]:
        """Send one call for each of `calls`, a thousand in one step; gives the ids."""
        ids: list[str] = []
        remaining = iter(calls)
        while chunk := list(islice(remaining, CHUNK)):
            ids += self._send_chunk(self._pairs(chunk), options)
        return ids

    def _send_chunk(self, pairs: list[Pair], options: Options) -> list[str]:
        template = self._template(options)
        if template is None:
            with self.outbox.batch():
                return [self.send(args, kwargs, options).id for args, kwargs in pairs]
        try:
            envelopes = template.fill_many(pairs)  # type: ignore[arg-type]  # any mapping is read alike
        except EncodeError as problem:
            raise self.blamed(problem) from problem
        self.outbox.send(envelopes)
        return [envelope.id for envelope in envelopes]

    def _template(self, options: Options) -> Template | None:
        """What many calls share; None if each may be different, or somebody is told of each."""
        parent = requests.served()
        if (parent is not None and parent.id) or "task_id" in options or is_watched() or not is_plain(self.app.send_task):
            return None
        if self.task.shadows or self.task.pydantic or self.is_told or not self.app.writer.rules.router.is_fixed:
            return None
        return self._shared(options) if options else self.template

    def _pairs(self, chunk: list[Any]) -> list[Pair]:
        """Each call as (args, kwargs), looked at together where that is possible."""
        if {*map(type, chunk)} == {tuple} and all(map(self.arguments.takes, {*map(len, chunk)})):
            return [(call, _NOTHING) for call in chunk]
        pairs = [as_pair(call) for call in chunk]
        if self.task.typing:
            for args, kwargs in pairs:
                if not self.arguments.fit(args, kwargs):
                    self.arguments.check(args, kwargs)
        return pairs

    def blamed(self, problem: EncodeError) -> EncodeError:
        """The error, naming the task and its argument as its author called it."""
        return blame(problem, self.task.name, self.arguments.names)


def _aside() -> object:
    return requests.current.get() or is_watched() or None


def _arguments(task: Any) -> Arguments:
    """What the function behind `run` takes, without `self` where there is one."""
    run = task.__dict__.get("run")
    if run is not None:  # put there in place of the method, as some tracing tools do
        return Arguments(task.name, run, skip=0)
    for kind in type(task).__mro__:
        run = kind.__dict__.get("run")
        if run is not None:
            break
    assert run is not None, "`Task` has a run"
    if isinstance(run, staticmethod):
        return Arguments(task.name, run.__func__, skip=0)
    return Arguments(task.name, run, skip=1 if isinstance(run, FunctionType) else 0)
