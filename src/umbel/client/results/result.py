"""What a caller holds of a task that it sent: its state and, once there is one, its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from umbel import clock, states
from umbel.client import current
from umbel.client.results.descent import descend
from umbel.client.results.hope import FIRST_DOUBT, Hope, Outage
from umbel.client.results.line import ids_before
from umbel.client.results.many import ASK_PARENTS, LONGEST_WAIT, arrivals, came_from, raisable, raise_for_parents
from umbel.errors import BrokerDown, ImproperlyConfigured, TimeoutError

if TYPE_CHECKING:
    import datetime
    from typing import Self

    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.client.results.graph import DependencyGraph
    from umbel.client.results.progress import Progress
    from umbel.stores.backend import ResultBackend
    from umbel.wire.result import Document, Result

    T = TypeVarWithDefault("T", default=Any)
else:
    T = TypeVar("T")

INTERVAL = 0.5
"""Seconds between two looks at states that are not final, for who wants to hear of them."""

_may_join: ContextVar[bool] = ContextVar("umbel_may_join", default=False)


@contextmanager
def allow_join_result() -> Iterator[None]:
    """Let tasks wait for results inside `with`; mind that a pool whose tasks all wait for others stands still."""
    token = _may_join.set(True)
    try:
        yield
    finally:
        _may_join.reset(token)


@contextmanager
def denied_join_result() -> Iterator[None]:
    """Forbid it again inside `with`."""
    token = _may_join.set(False)
    try:
        yield
    finally:
        _may_join.reset(token)


def assert_will_not_block() -> None:
    """Raise RuntimeError inside a task that a worker runs, unless waiting was allowed."""
    from umbel.execution.request import current, opened  # here, as all that messages need is loaded late

    here = current.get()
    if here is None or _may_join.get():
        return
    request = opened(here)
    if not (request.called_directly or request.is_eager):
        raise RuntimeError(
            f"task {request.task} waits for a result inside a task: its process would idle, and if all do, nothing moves. "
            "Send a callback (link=…), await a task from an async def, or use allow_join_result()"
        )


def _decided(id_: str) -> Result | None:
    """What a run that has just ended here is about to leave in the store: its hooks find it as if it was there."""
    requests = sys.modules.get("umbel.execution.request")  # as long as nobody has loaded it, nothing runs
    found: Result | None = None if requests is None else requests.decided(id_)
    return found


class AsyncResult(Generic[T]):
    """The result of one task, by its id; equal if the ids are. `await` it in asyncio, or call `get`.

    Asks the store each time, until the task has ended; then it remembers.
    """

    __slots__ = ("__weakref__", "_app", "_document", "id", "ignored", "parent")

    def __init__(
        self,
        id: str,
        *,
        app: current.App | None = None,
        parent: Any = None,
        ignored: bool = False,
    ):
        self.id = id
        self.ignored = ignored
        """True if it is known that no result will be kept."""
        self.parent = parent
        """The result (or `GroupResult`) of the step before this one, in a chain or chord."""
        self._app = app
        self._document: Document | None = None

    @property
    def app(self) -> current.App:
        """The app that sent it, else the current one."""
        return self._app or current.app()

    @property
    def task_id(self) -> str:
        """Its id."""
        return self.id

    # Waiting

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float | None = None,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, Any], object] | None = None,
        on_message: Callable[[Any], object] | None = None,
        on_interval: Callable[[], object] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> T:
        """Wait for the task's end and give its value, or raise what it raised.

        Raises umbel's TimeoutError after `timeout` seconds; without one, when the task is lost: nothing is known of it, and no
        queue or worker has it any more; while workers of Celery's are connected on Redis, nothing was for `result_expires`.
        BrokerDown if the store is away for half a minute. RuntimeError inside a task (see `allow_join_result`) and inside
        `app.batch()`, where it is not sent yet. None at once if the result is ignored.
        With `propagate=False` the exception is given as a value.
        Every `interval` seconds `on_interval` is called, and `on_message` with each new state of the task that is seen then.
        With `follow_parents` it raises what a step before this one raised. `no_ack` is accepted and means nothing.
        """
        if self.ignored:
            return None  # type: ignore[return-value]  # what is known of a task whose result nobody keeps
        if disable_sync_subtasks:
            assert_will_not_block()
        if on_message is None:
            document = self._wait(timeout, interval if on_interval else None, on_interval, follow_parents and propagate)
        else:
            document = self._overhear(timeout, interval or INTERVAL, on_interval, on_message, follow_parents and propagate)
        if callback is not None:
            callback(self.id, document.result)
        if propagate and document.status in states.PROPAGATE_STATES:
            raise raisable(document)
        return document.result  # type: ignore[no-any-return]  # a document holds any value

    wait = get

    def _wait(
        self, timeout: float | None, interval: float | None, on_interval: Callable[[], object] | None, ask_parents: bool
    ) -> Document:
        end = None if timeout is None else clock.monotonic() + timeout
        has_parents = ask_parents and self.parent is not None
        hope: Hope | None = None
        outage: Outage | None = None
        while True:
            left = (hope.pause if hope else FIRST_DOUBT) if end is None else max(0.0, end - clock.monotonic())
            pause = min(left, LONGEST_WAIT, interval or (ASK_PARENTS if has_parents else LONGEST_WAIT))
            if self._document is None:
                app = self._app or current.app()
                backend = app.reading().store
                if backend is None:
                    raise _nowhere(self.id)
                batch = app.outbox.open_batch.get()
                if batch is not None:
                    batch.forbid_waiting(ids_before([self]))
                try:
                    if has_parents:
                        raise_for_parents([self])
                    found = backend.wait([self.id], pause).get(self.id)
                    if found is None and end is None:
                        hope = hope or Hope()
                        hope.raise_if_lost([self])
                except BrokerDown as error:
                    outage = outage or Outage(end)
                    outage.bear(error)
                    continue
                if found is not None:
                    self._read(found)
                elif outage is not None and hope is not None:
                    outage.over(hope.answers)
            if self._document is not None:
                return self._document
            if end is not None and clock.monotonic() >= end:
                raise TimeoutError(f"task {self.id} did not end within {timeout:g} s; its state is {self.state}")
            if on_interval is not None:
                on_interval()

    def _overhear(
        self,
        timeout: float | None,
        interval: float,
        on_interval: Callable[[], object] | None,
        on_message: Callable[[Any], object],
        ask_parents: bool,
    ) -> Document:
        """Wait, and tell of each state on the way."""
        for _ in arrivals(
            [self],
            timeout=timeout,
            interval=interval,
            on_interval=on_interval,
            on_message=on_message,
            ask_parents=ask_parents,
        ):
            assert self._document is not None, "it has ended"
        return self._document  # type: ignore[return-value]  # as above

    def _ancestors(self) -> Iterator[AsyncResult[Any]]:
        """The tasks before this one in its chain; not those of groups, whose failures the chord's body is told."""
        step = self.parent
        while step is not None:
            if isinstance(step, AsyncResult):
                yield step
            step = step.parent

    async def aget(self, timeout: float | None = None, *, propagate: bool = True) -> T:
        """The same as `get` for asyncio: the loop goes on while it waits."""
        if self.ignored:
            return None  # type: ignore[return-value]  # as in get
        if self._document is None:
            await self._await(timeout)
        assert self._document is not None, "a final result came"
        if propagate and self._document.status in states.PROPAGATE_STATES:
            raise raisable(self._document)
        return self._document.result  # type: ignore[no-any-return]  # as in get

    async def _await(self, timeout: float | None) -> None:
        import asyncio

        from umbel.client.results.waiter import wait_for

        end, hope = None if timeout is None else clock.monotonic() + timeout, Hope()
        outage = Outage(end)
        batch = self.app.outbox.open_batch.get()
        if batch is not None:
            batch.forbid_waiting(ids_before([self]))
        while True:
            left = hope.pause if end is None else max(0.0, end - clock.monotonic())
            pause = min(left, LONGEST_WAIT if self.parent is None else ASK_PARENTS)
            found = await wait_for(self._backend(), self.id, pause)
            if found is not None:
                self._read(found)
                return
            if end is not None and clock.monotonic() >= end:
                raise TimeoutError(f"task {self.id} did not end within {timeout:g} s; its state is {self.state}")
            try:
                await asyncio.to_thread(raise_for_parents, [self])
                if end is None:
                    await asyncio.to_thread(hope.raise_if_lost, [self])
                outage.over(hope.answers)
            except BrokerDown as error:
                await asyncio.to_thread(outage.bear, error)

    def __await__(self) -> Generator[Any, None, T]:
        return self.aget().__await__()

    def then(
        self, callback: Callable[[Self], object], on_error: Callable[[Exception], object] | None = None, weak: bool = False
    ) -> Self:
        """Call `callback` with this result once the task has ended, well or not: in a thread of its own, or here if it has.

        `on_error` gets what the callback raises, or what went wrong with the waiting. With `weak` the callback is called only
        as long as somebody else holds it.
        """
        from umbel.client.results.later import call_later

        call_later([self], self, callback, on_error, weak=weak)
        return self

    # Looking

    def _backend(self) -> ResultBackend:
        backend = self.app.result_store
        if backend is None:
            raise _nowhere(self.id)
        return backend

    def _read(self, found: Result) -> Document:
        """The document of a stored result, remembered if it is final."""
        from umbel.wire.result import decode

        _, accept, serializer = (self._app or current.app()).reading()
        document = decode(found, accept, serializer)
        if document.status in states.READY_STATES:
            if document.traceback and isinstance(document.result, BaseException):
                came_from(document.result, document.traceback)
            self._document = document
        return document

    def _look(self) -> Document | None:
        if self._document is not None:
            return self._document
        found = _decided(self.id) or self._backend().fetch([self.id]).get(self.id)
        return None if found is None else self._read(found)

    @property
    def state(self) -> str:
        """Where the task stands: PENDING (waits, or nobody knows it), STARTED, RETRY, SUCCESS, FAILURE, REVOKED or its own."""
        document = self._look()
        return document.status if document else states.PENDING

    @property
    def status(self) -> str:
        """The same as `state`."""
        return self.state

    @property
    def result(self) -> Any:
        """The value, or the exception, or what `update_state` told; None if nothing is known."""
        document = self._look()
        return document.result if document else None

    @property
    def info(self) -> Any:
        """The same as `result`."""
        return self.result

    @property
    def progress(self) -> Progress | None:
        """How far the task is, if it tells (see `umbel.progress`)."""
        from umbel.client.results.progress import of_task

        return of_task(self._look())

    @property
    def traceback(self) -> str | None:
        """The traceback of what the task raised, as text."""
        return self._field("traceback")  # type: ignore[no-any-return]  # a field of the document

    @property
    def children(self) -> list[Any] | None:
        """The results of what the task has sent (of groups, too); None if nothing is known."""
        found = self._field("children")
        return None if found is None else [result_from_tuple(each, self._app) for each in found]

    @property
    def date_done(self) -> datetime.datetime | None:
        """When the task ended."""
        import datetime

        text = self._field("date_done")
        return datetime.datetime.fromisoformat(text) if text else None

    @property
    def name(self) -> str | None:
        """The task's name, if `result_extended` is set; so are the next five."""
        return self._field("name")  # type: ignore[no-any-return]

    @property
    def args(self) -> Any:
        """Its arguments."""
        return self._field("args")

    @property
    def kwargs(self) -> Any:
        """Its keyword arguments."""
        return self._field("kwargs")

    @property
    def worker(self) -> str | None:
        """The worker that ran it."""
        return self._field("worker")  # type: ignore[no-any-return]

    @property
    def retries(self) -> int | None:
        """How often it was retried."""
        return self._field("retries")  # type: ignore[no-any-return]

    @property
    def queue(self) -> str | None:
        """The queue it came from."""
        return self._field("queue")  # type: ignore[no-any-return]

    def _field(self, name: str) -> Any:
        document = self._look()
        return getattr(document, name) if document else None

    def ready(self) -> bool:
        """True if the task has ended."""
        return self.state in states.READY_STATES

    def successful(self) -> bool:
        """True if it has ended well."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """True if it has failed."""
        return self.state == states.FAILURE

    def exists(self) -> bool:
        """True if anything is known of it: PENDING may also mean that there never was such a task."""
        return self._look() is not None

    def maybe_throw(self, propagate: bool = True, callback: Callable[[str, Any], object] | None = None) -> Any:
        """The value so far; raises what the task raised, if it has failed."""
        document = self._look()
        value = document.result if document else None
        if document is not None and propagate and document.status in states.PROPAGATE_STATES:
            raise raisable(document)
        if callback is not None:
            callback(self.id, value)
        return value

    maybe_reraise = maybe_throw

    def revoke(
        self,
        connection: object = None,
        terminate: bool = False,
        signal: str | int | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Let the task not run, or with `terminate` end (see `app.control.revoke`).

        Its state is REVOKED once a worker has met it. The store knows of it on return; with `wait` it gives what workers answer
        within `timeout` seconds.
        """
        control = self.app.control
        return control.revoke(self.id, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout)

    def revoke_by_stamped_headers(
        self,
        headers: Any,
        connection: object = None,
        terminate: bool = False,
        signal: str | int | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Let tasks with any of these stamps not run, whatever this result is of; otherwise as `revoke`."""
        control = self.app.control
        return control.revoke_by_stamped_headers(
            headers, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout
        )

    def forget(self) -> None:
        """Delete what is known of it."""
        self._document = None
        self._backend().forget([self.id])

    # What hangs on it

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """This result and all that its task has sent, and what those have sent, each as (the one it hangs on, the result).

        Raises IncompleteStream at one that has not ended, unless `intermediate`.
        """
        return descend(self, intermediate=intermediate)

    def collect(self, intermediate: bool = False, **options: Any) -> Iterator[tuple[Any, Any]]:
        """The same, each as (result, value); `options` are those of `get`."""
        options.setdefault("disable_sync_subtasks", False)
        for _, result in self.iterdeps(intermediate):
            yield result, result.get(**options)

    def get_leaf(self) -> Any:
        """The value of the last of them."""
        value = None
        for _, result in self.iterdeps():
            value = result.get(disable_sync_subtasks=False)
        return value

    def build_graph(self, intermediate: bool = False, formatter: Any = None) -> DependencyGraph:
        """All of them as a graph, which can be drawn: `result.graph.to_dot(file)`."""
        from umbel.client.results.graph import DependencyGraph, GraphFormatter

        graph = DependencyGraph(formatter=formatter or GraphFormatter(root=self.id, shape="oval"))
        for parent, result in self.iterdeps(intermediate):
            graph.add_arc(result)
            if parent is not None:
                graph.add_edge(parent, result)
        return graph

    @property
    def graph(self) -> DependencyGraph:
        """The same, of what has ended."""
        return self.build_graph()

    @property
    def supports_native_join(self) -> bool:
        """True: many are waited for at once."""
        return True

    def as_tuple(self) -> Any:
        """The id, with those of the results before it: what `result_from_tuple` takes."""
        steps = _line(self)
        last = steps.pop()
        found = last.as_tuple() if last is not self and not isinstance(last, AsyncResult) else ((last.id, None), None)
        for step in reversed(steps):
            found = ((step.id, found), None)
        return found

    def as_list(self) -> list[str]:
        """The ids of this result and those before it."""
        *steps, last = _line(self)
        return [*(step.id for step in steps), *([last.id] if isinstance(last, AsyncResult) else last.as_list())]

    def __eq__(self, other: object) -> bool:
        return other == self.id if isinstance(other, str) else isinstance(other, AsyncResult) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"

    def __copy__(self) -> AsyncResult[T]:
        return AsyncResult(self.id, app=self._app, parent=self.parent, ignored=self.ignored)

    def __reduce__(self) -> Any:
        # Flat, as a chain may be longer than pickle's recursion goes.
        return _linked, (tuple((step.id, step.ignored) if isinstance(step, AsyncResult) else step for step in _line(self)),)


def _line(result: AsyncResult[Any]) -> list[Any]:
    """It and the results before it, up to a group's."""
    steps: list[Any] = [result]
    while isinstance(steps[-1], AsyncResult) and steps[-1].parent is not None:
        steps.append(steps[-1].parent)
    return steps


def _linked(steps: tuple[Any, ...]) -> AsyncResult[Any]:
    """The first of these, each with the next as its parent."""
    parent: Any = None
    for step in reversed(steps):
        parent = AsyncResult(step[0], parent=parent, ignored=step[1]) if isinstance(step, tuple) else step
    return parent  # type: ignore[no-any-return]  # the first is no group


def _nowhere(id_: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"no results are kept: set result_backend (broker_url may do) to learn what became of task {id_}")


def result_from_tuple(found: Any, app: current.App | None = None) -> Any:
    """The result that `as_tuple` described: an `AsyncResult`, or a `GroupResult` if it tells of children."""
    steps: list[tuple[Any, Any]] = []
    while found is not None:
        if isinstance(found, str):
            steps.append((found, None))
            break
        if hasattr(found, "as_tuple"):  # it is one already
            steps.append((found, None))
            break
        inner, children = found
        id_, found = (inner, None) if isinstance(inner, str) else inner
        steps.append((id_, children))
    result: Any = None
    for id_, children in reversed(steps):
        if hasattr(id_, "as_tuple"):
            result = id_
        elif children is None:
            result = AsyncResult(id_, parent=result) if app is None else app.AsyncResult(id_, parent=result)
        else:
            parts = [result_from_tuple(child, app) for child in children]
            result = (app or current.app()).GroupResult(id_, parts, parent=result)
    return result
