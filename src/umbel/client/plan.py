"""How calls of one task are checked, written and sent: made at the first call, again after a change of settings or attributes.

Loaded with the first call, as all that writes messages is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import FunctionType
from typing import TYPE_CHECKING, Any

from umbel.client.arguments import Arguments
from umbel.client.call import Call, Options, blame, prepare
from umbel.client.signature import as_pair
from umbel.errors import EncodeError, QueueNotFound
from umbel.execution import request as requests
from umbel.execution.announce import is_watched
from umbel.wire.ids import new_id

if TYPE_CHECKING:
    from umbel.client.current import App
    from umbel.wire.protocol import Template

CHUNK = 1_000
"""How many messages are given to the store at once: beyond, a store gains nothing more for each."""
_NOTHING: dict[str, Any] = {}

Pair = tuple[Sequence[Any], Mapping[str, Any]]


class Plan:
    """What is known of a task's calls before there is one, and the unusual ways to send them."""

    __slots__ = (
        *("app", "arguments", "conf", "current", "is_eager", "is_ignored", "new_id", "outbox", "parent", "router", "task"),
        *("result_type", "template", "version"),
    )

    def __init__(self, task: Any, app: App):
        assert app.tasks is not None  # finalizes the app: nobody sends before those who wait for that are told
        self.task = task
        self.app = app
        self.conf = app.conf
        self.version: int = self.conf.version
        """Of the settings that it was made from."""
        self.outbox = app.outbox
        self.router = app.router
        self.current = requests.current.get
        """Tells whether a call is made in a run: None if not."""
        self.parent = requests.served
        """Gives the request in whose run a call is made, if any."""
        self.new_id = new_id
        self.arguments = _arguments(task)
        self.is_eager = bool(self.conf.task_always_eager)
        self.is_ignored = bool(task.ignore_result)
        self.result_type = app.result_type
        options = task.options_of_calls()
        self.template: Template | None = None
        """Set if usual calls differ in nothing but id and arguments."""
        if not self.is_eager and self.router.is_fixed and "expires" not in options and not task.shadows:
            self.template = self._usual(options)

    def _call(self, id_: str, args: Any, kwargs: Any, options: Options, *, in_run: bool = True) -> Call:
        parent = self.parent() if in_run else None
        parent = parent if parent is not None and parent.id else None
        name = self.task.name
        return prepare(name, id_, args, kwargs, options, conf=self.conf, router=self.router, parent=parent, task=self.task)

    def _usual(self, options: Options) -> Template | None:
        """What calls without options share; None if they cannot be sent, or each has its own time to expire."""
        try:
            call = self._call("", (), _NOTHING, options, in_run=False)
        except QueueNotFound:  # other calls may name a queue
            return None
        return call.template() if call.message.headers.expires is None else None

    def send(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Options) -> str:
        """Send a call that has anything unusual about it; gives its id."""
        shadow = options.get("shadow") or self.task.shadow_name(args, kwargs, options)
        if shadow:
            options["shadow"] = shadow
        id_: str = options.get("task_id") or new_id()
        call = self._call(id_, args, kwargs, options)
        try:
            call.send(self.outbox, retry=options.get("retry"), policy=options.get("retry_policy"))
        except EncodeError as problem:
            raise self.blamed(problem) from problem
        return id_

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
            everything = {**self.task.options_of_calls(), **options}
            with self.outbox.batch():
                return [self.send(args, kwargs, dict(everything)) for args, kwargs in pairs]
        try:
            envelopes = template.fill_many(pairs)  # type: ignore[arg-type]  # any mapping is read alike
        except EncodeError as problem:
            raise self.blamed(problem) from problem
        self.outbox.send(envelopes)
        return [envelope.id for envelope in envelopes]

    def _template(self, options: Options) -> Template | None:
        """What many calls share; None if each may be different, or someone is told of each."""
        if is_watched() or self.task.shadows or not self.router.is_fixed:
            return None
        parent = self.parent()
        if not options and parent is None:
            return self.template
        if (parent is not None and parent.id) or "task_id" in options:
            return None
        return self._call("", (), _NOTHING, {**self.task.options_of_calls(), **options}).template()

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
