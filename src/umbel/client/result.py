"""What a caller holds of a task that it sent: its state and, once there is one, its result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from umbel import clock, states
from umbel.client import current
from umbel.errors import ImproperlyConfigured, TimeoutError

if TYPE_CHECKING:
    import datetime

    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.stores.backend import ResultBackend
    from umbel.wire.result import Document, Result

    T = TypeVarWithDefault("T", default=Any)
else:
    T = TypeVar("T")

LONGEST_WAIT = 30.0
"""Seconds of one `ResultBackend.wait`; waits without a timeout repeat it."""

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
        parent: AsyncResult[Any] | None = None,
        ignored: bool = False,
    ):
        self.id = id
        self.ignored = ignored
        """True if it is known that no result will be kept."""
        self.parent = parent
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

        Raises umbel's TimeoutError after `timeout` seconds. With `propagate=False` the exception is given as a value.
        `no_ack` and `on_message` are accepted and mean nothing; `interval` is how often `on_interval` is called.
        """
        if self.ignored:
            return None  # type: ignore[return-value]  # what is known of a task whose result nobody keeps
        if disable_sync_subtasks:
            assert_will_not_block()
        document = self._wait(timeout, interval if on_interval else None, on_interval, follow_parents and propagate)
        if callback is not None:
            callback(self.id, document.result)
        if propagate and document.status in states.PROPAGATE_STATES:
            raise _raisable(document)
        return document.result  # type: ignore[no-any-return]  # a document holds any value

    wait = get

    def _wait(
        self, timeout: float | None, interval: float | None, on_interval: Callable[[], object] | None, ask_parents: bool
    ) -> Document:
        end = None if timeout is None else clock.monotonic() + timeout
        while True:
            if ask_parents and self.parent is not None:
                self._raise_for_parents()
            left = LONGEST_WAIT if end is None else max(0.0, end - clock.monotonic())
            pause = min(left, LONGEST_WAIT, interval or (1.0 if self.parent is not None else LONGEST_WAIT))
            if self._document is None:
                backend = (self._app or current.app()).reading().store
                if backend is None:
                    raise _nowhere(self.id)
                found = backend.wait([self.id], pause).get(self.id)
                if found is not None:
                    self._keep(found)
            if self._document is not None:
                return self._document
            if end is not None and clock.monotonic() >= end:
                raise TimeoutError(f"task {self.id} did not end within {timeout:g} s; its state is {self.state}")
            if on_interval is not None:
                on_interval()

    def _raise_for_parents(self) -> None:
        """What a step before this one raised is raised here: this one will never run."""
        parent = self.parent
        while parent is not None:
            parent.maybe_throw()
            parent = parent.parent

    async def aget(self, timeout: float | None = None, *, propagate: bool = True) -> T:
        """The same as `get` for asyncio: the loop goes on while it waits."""
        if self.ignored:
            return None  # type: ignore[return-value]  # as in get
        if self._document is None:
            from umbel.client.waiter import wait_for

            found = await wait_for(self._backend(), self.id, timeout)
            if found is None:
                raise TimeoutError(f"task {self.id} did not end within {timeout:g} s")
            self._keep(found)
        assert self._document is not None, "a final result came"
        if propagate and self._document.status in states.PROPAGATE_STATES:
            raise _raisable(self._document)
        return self._document.result  # type: ignore[no-any-return]  # as in get

    def __await__(self) -> Generator[Any, None, T]:
        return self.aget().__await__()

    # Looking

    def _backend(self) -> ResultBackend:
        backend = self.app.result_store
        if backend is None:
            raise _nowhere(self.id)
        return backend

    def _keep(self, found: Result) -> Document:
        """The document of a stored result, remembered if it is final."""
        from umbel.wire.result import decode

        _, accept, serializer = (self._app or current.app()).reading()
        document = decode(found, accept, serializer)
        if document.status in states.READY_STATES:
            if document.traceback and isinstance(document.result, BaseException):
                document.result.add_note(f"\nIn the worker:\n{document.traceback}")
            self._document = document
        return document

    def _look(self) -> Document | None:
        if self._document is not None:
            return self._document
        found = self._backend().fetch([self.id]).get(self.id)
        return None if found is None else self._keep(found)

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
    def traceback(self) -> str | None:
        """The traceback of what the task raised, as text."""
        return self._field("traceback")  # type: ignore[no-any-return]  # a field of the document

    @property
    def children(self) -> list[AsyncResult[Any]] | None:
        """The results of what the task has sent; None if nothing is known."""
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
            raise _raisable(document)
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
    ) -> None:
        """Let the task not run, or with `terminate` end (see `app.control.revoke`).

        Its state is REVOKED once a worker has met it. The store knows of it on return, so there is nothing to `wait` for.
        """
        self.app.control.revoke(self.id, terminate=terminate, signal=signal or "SIGTERM")

    def forget(self) -> None:
        """Delete what is known of it."""
        self._document = None
        self._backend().forget([self.id])

    def as_tuple(self) -> Any:
        """The id, with those of the results before it: what `result_from_tuple` takes."""
        return ((self.id, self.parent.as_tuple() if self.parent is not None else None), None)

    def as_list(self) -> list[str]:
        """The ids of this result and those before it."""
        return [self.id, *(self.parent.as_list() if self.parent is not None else [])]

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
        return result_from_tuple, (self.as_tuple(),)


def _nowhere(id_: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"no results are kept: set result_backend (broker_url may do) to learn what became of task {id_}")


def _raisable(document: Document) -> BaseException:
    """What a failed task raised; another exception where the store holds something else (a task's own FAILURE state)."""
    found = document.result
    return found if isinstance(found, BaseException) else Exception(found)


def result_from_tuple(found: Any, app: current.App | None = None) -> AsyncResult[Any]:
    """The result that `as_tuple` described."""
    (id_, parent), *_ = found if not isinstance(found, str) else ((found, None),)
    return AsyncResult(id_, app=app, parent=result_from_tuple(parent, app) if parent else None)


class Results(Sequence[AsyncResult[T]]):
    """The results of many calls, in their order; each is made only when it is looked at."""

    __slots__ = ("_app", "_ignored", "_made", "ids")

    def __init__(self, ids: Sequence[str], *, app: current.App | None = None, ignored: bool = False):
        self.ids = ids
        """The task ids."""
        self._app = app
        self._ignored = ignored
        self._made: Sequence[AsyncResult[T]] | None = None

    @classmethod
    def of(cls, results: Sequence[AsyncResult[T]]) -> Results[T]:
        """These, which are made already."""
        made = cls([result.id for result in results])
        made._made = results
        return made

    @overload
    def __getitem__(self, index: int) -> AsyncResult[T]: ...

    @overload
    def __getitem__(self, index: slice) -> Results[T]: ...

    def __getitem__(self, index: int | slice) -> AsyncResult[T] | Results[T]:
        if isinstance(index, slice):
            part: Results[T] = Results(self.ids[index], app=self._app, ignored=self._ignored)
            part._made = self._made and self._made[index]
            return part
        if self._made is not None:
            return self._made[index]
        return AsyncResult(self.ids[index], app=self._app, ignored=self._ignored)

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, timeout: float | None = None, *, propagate: bool = True) -> list[T]:
        """All values, in order; raises the first exception, if any task failed, and TimeoutError after `timeout` seconds."""
        if self._ignored:
            return [None] * len(self.ids)  # type: ignore[list-item]  # as in AsyncResult.get
        if self._made is not None:
            return [result.get(timeout, propagate) for result in self._made]
        assert_will_not_block()
        found = self._wait(timeout)
        return [found[each].get(propagate=propagate, disable_sync_subtasks=False) for each in self.ids]

    def _wait(self, timeout: float | None) -> dict[str, AsyncResult[T]]:
        """Every result by its id, all of them final: one question for all that are open, not one for each."""
        end = None if timeout is None else clock.monotonic() + timeout
        open_, done = dict.fromkeys(self.ids), dict[str, AsyncResult[T]]()
        while open_:
            left = LONGEST_WAIT if end is None else min(LONGEST_WAIT, max(0.0, end - clock.monotonic()))
            backend = AsyncResult[T](next(iter(open_)), app=self._app)._backend()
            for id_, result in backend.wait(list(open_), left).items():
                done[id_] = AsyncResult(id_, app=self._app)
                done[id_]._keep(result)
                del open_[id_]
            if open_ and end is not None and clock.monotonic() >= end:
                raise TimeoutError(f"{len(open_)} of {len(self.ids)} tasks did not end within {timeout:g} s")
        return done

    def __repr__(self) -> str:
        return f"<Results: {len(self.ids)}>"
