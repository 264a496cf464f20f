"""The results of several tasks, as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from umbel import states
from umbel.client import current
from umbel.client.results.line import parts_of
from umbel.client.results.many import aarrivals, arrivals, look, meta, raisable
from umbel.client.results.result import AsyncResult, assert_will_not_block

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.client.results.progress import Progress
    from umbel.stores.backend import ResultBackend
    from umbel.wire.result import Document

    T = TypeVarWithDefault("T", default=Any)
else:
    T = TypeVar("T")

Callback = Callable[[str, Any], object]


class ResultSet(Generic[T]):
    """Several results: waited for, and looked at, with one question to the store, however many they are.

    A part may be such a set itself. `for result in results` gives them in order; `async for result in results` as they end;
    `await results` gives the list of their values.
    """

    bound_app: Any = None
    """The app of classes that belong to one, as `app.ResultSet` does."""

    def __init__(self, results: Iterable[Any], app: current.App | None = None, ready_barrier: object = None, **_: Any):
        self.results: list[Any] = list(results)
        """In order; the list itself."""
        self._app = app or self.bound_app

    @property
    def app(self) -> current.App:
        """The app of the results, else the current one."""
        return self._app or next((part.app for part in self.results), None) or current.app()

    @app.setter
    def app(self, app: current.App) -> None:
        self._app = app

    @property
    def backend(self) -> Any:
        """Where results are."""
        return self.app.result_store

    # What is in it

    def add(self, result: Any) -> None:
        """Take one more, unless it is there."""
        if result not in self.results:
            self.results.append(result)

    def remove(self, result: Any) -> None:
        """Take one out, which may be given by its id; KeyError if it is not there."""
        try:
            self.results.remove(result)
        except ValueError:
            raise KeyError(result) from None

    def discard(self, result: Any) -> None:
        """Take one out, if it is there."""
        if result in self.results:
            self.results.remove(result)

    def update(self, results: Iterable[Any]) -> None:
        """Take all that are not there."""
        known = {getattr(part, "id", part) for part in self.results}
        for result in results:
            key = getattr(result, "id", result)
            if key not in known:
                known.add(key)
                self.results.append(result)

    def clear(self) -> None:
        """Take all out."""
        self.results[:] = []

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        return self.results[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResultSet) and other.results == self.results

    def __hash__(self) -> int:
        raise TypeError("a set of results changes, and has no hash")

    def _parts(self) -> list[AsyncResult[Any]]:
        """All single results, those of sets in it, too."""
        return list(parts_of(self))

    # Looking

    def _known(self) -> dict[str, Document]:
        return look(self._parts())

    def _states(self) -> list[str]:
        """The state of each part, from one look."""
        known = self._known()
        return [_state(part, known) for part in self.results]

    def ready(self) -> bool:
        """True if all have ended."""
        return all(state in states.READY_STATES for state in self._states())

    def waiting(self) -> bool:
        """True if any has not ended."""
        return not self.ready()

    def successful(self) -> bool:
        """True if all have ended well."""
        return all(state == states.SUCCESS for state in self._states())

    def failed(self) -> bool:
        """True if any has failed."""
        return any(state == states.FAILURE for state in self._states())

    def missing(self) -> list[AsyncResult[Any]]:
        """Those that have not ended, of sets in it, too."""
        known = self._known()
        return [part for part in self._parts() if _state(part, known) not in states.READY_STATES]

    def completed_count(self) -> int:
        """How many have ended well."""
        return self._states().count(states.SUCCESS)

    @property
    def progress(self) -> Progress:
        """How many of the tasks have ended, of how many; those of sets in it counted one by one."""
        from umbel.client.results.progress import Progress

        known, parts = self._known(), self._parts()
        return Progress(sum(_state(part, known) in states.READY_STATES for part in parts), len(parts))

    def exists(self) -> bool:
        """True if anything is known of any."""
        return bool(self._known())

    def maybe_throw(self, callback: Callback | None = None, propagate: bool = True) -> None:
        """Raise what the first that failed has raised, if any; else call `callback` with id and value of each."""
        known = self._known()
        for part in self._parts():
            document = known.get(part.id)
            if propagate and document is not None and document.status in states.PROPAGATE_STATES:
                raise raisable(document)
            if callback is not None:
                callback(part.id, document.result if document else None)

    maybe_reraise = maybe_throw

    # Waiting

    @property
    def supports_native_join(self) -> bool:
        """True: `join_native` does not ask for each."""
        return True

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callback | None = None,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        disable_sync_subtasks: bool = True,
        on_interval: Callable[[], object] | None = None,
    ) -> list[T]:
        """All values in order, once all have ended; those of a set in it as a list.

        Raises what a task raised, as soon as that is known, unless `propagate` is false: then the exception is its value.
        Raises umbel's TimeoutError after `timeout` seconds. With `callback` each id and value is given to that as it comes, and
        None is returned. `on_interval` and `on_message` as in `AsyncResult.get`; `no_ack` means nothing.
        """
        return self.join_native(timeout, propagate, interval, callback, no_ack, on_message, on_interval, disable_sync_subtasks)

    def join_native(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callback | None = None,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        on_interval: Callable[[], object] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> list[T]:
        """The same."""
        for part in self._arrivals(timeout, interval, on_message, on_interval, disable_sync_subtasks, ask_parents=propagate):
            value = _value(part, propagate=propagate)
            if callback is not None:
                callback(part.id, value)
        return _values(self) if callback is None else None  # type: ignore[return-value]  # as Celery has it

    def join(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callback | None = None,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        disable_sync_subtasks: bool = True,
        on_interval: Callable[[], object] | None = None,
    ) -> list[Any]:
        """The same strictly in order: each is given to `callback`, or raises, only after those before it have ended.

        With `callback` the list is empty.
        """
        ended: set[int] = set()
        parts, next_ = self._parts(), 0
        for part in self._arrivals(timeout, interval, on_message, on_interval, disable_sync_subtasks, ask_parents=propagate):
            ended.add(id(part))
            while next_ < len(parts) and id(parts[next_]) in ended:
                value = _value(parts[next_], propagate=propagate)
                if callback is not None:
                    callback(parts[next_].id, value)
                next_ += 1
        return _values(self) if callback is None else []

    def iterate(self, timeout: float | None = None, propagate: bool = True, interval: float = 0.5) -> Iterator[Any]:
        """Each value as soon as it is there."""
        for part in self._arrivals(timeout, interval, None, None, True, ask_parents=propagate):
            yield _value(part, propagate=propagate)

    def iter_native(
        self,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        on_interval: Callable[[], object] | None = None,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and whole document of each as soon as it is there."""
        for part in self._arrivals(timeout, interval, on_message, on_interval, True, ask_parents=False):
            if part._document is not None:
                yield part.id, meta(part._document)

    def _arrivals(
        self,
        timeout: float | None,
        interval: float,
        on_message: Callable[[dict[str, Any]], object] | None,
        on_interval: Callable[[], object] | None,
        disable_sync_subtasks: bool,
        *,
        ask_parents: bool,
    ) -> Iterator[AsyncResult[Any]]:
        if disable_sync_subtasks:
            assert_will_not_block()
        return arrivals(
            self._parts(),
            timeout=timeout,
            interval=interval,
            on_interval=on_interval,
            on_message=on_message,
            ask_parents=ask_parents,
        )

    async def aget(self, timeout: float | None = None, *, propagate: bool = True) -> list[T]:
        """The same as `get`, for asyncio: the loop goes on while it waits."""
        async for part in aarrivals(self._parts(), timeout=timeout):
            _value(part, propagate=propagate)
        return _values(self)

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self.aget().__await__()

    async def __aiter__(self) -> AsyncIterator[AsyncResult[Any]]:
        async for part in aarrivals(self._parts(), timeout=None):
            yield part

    async def aiterate(self, timeout: float | None = None, *, propagate: bool = True) -> AsyncIterator[Any]:
        """Each value as soon as it is there, for asyncio."""
        async for part in aarrivals(self._parts(), timeout=timeout):
            yield _value(part, propagate=propagate)

    def then(
        self, callback: Callable[[Self], object], on_error: Callable[[Exception], object] | None = None, weak: bool = False
    ) -> Self:
        """Call `callback` with this set once all have ended, well or not; as `AsyncResult.then` does."""
        from umbel.client.results.later import call_later

        call_later(self._parts(), self, callback, on_error, weak=weak)
        return self

    # Ending

    def revoke(
        self,
        connection: object = None,
        terminate: bool = False,
        signal: str | int | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Let none of the tasks run; as `AsyncResult.revoke` does."""
        ids = [part.id for part in self._parts()]
        if not ids:
            return None
        control = self.app.control
        return control.revoke(ids, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout)

    def forget(self) -> None:
        """Delete what is known of them."""
        stores: dict[int, tuple[ResultBackend, list[str]]] = {}
        for part in self._parts():
            part._document = None
            store = part._backend()
            stores.setdefault(id(store), (store, []))[1].append(part.id)
        for store, ids in stores.values():
            for start in range(0, len(ids), FORGOTTEN_AT_ONCE):
                store.forget(ids[start : start + FORGOTTEN_AT_ONCE])

    def __reduce__(self) -> Any:
        return ResultSet, (self.results,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: [{', '.join(str(getattr(part, 'id', part)) for part in self.results)}]>"


FORGOTTEN_AT_ONCE = 1000


def _state(part: Any, known: dict[str, Document]) -> str:
    """The state of a part; of a set: of what in it has got least far, or has failed."""
    if not isinstance(part, ResultSet):
        document = known.get(part.id)
        return document.status if document else states.PENDING
    inner = [_state(each, known) for each in part.results]
    failed = next((state for state in inner if state in states.PROPAGATE_STATES), None)
    open_ = next((state for state in inner if state not in states.READY_STATES), None)
    return open_ or failed or states.SUCCESS


def _value(part: AsyncResult[Any], *, propagate: bool) -> Any:
    """The value of one that has ended; raises what it raised."""
    document = part._document
    if document is None:  # its result is not kept
        return None
    if propagate and document.status in states.PROPAGATE_STATES:
        raise raisable(document)
    return document.result


def _values(results: ResultSet[Any]) -> list[Any]:
    """The values of all, which have ended."""
    return [_values(part) if isinstance(part, ResultSet) else _value(part, propagate=False) for part in results.results]


class Results(ResultSet[T], Sequence[AsyncResult[T]]):
    """The results of many calls, in their order; each is made only when it is looked at."""

    def __init__(self, ids: Sequence[str], *, app: current.App | None = None, ignored: bool = False):
        self.ids = ids
        """The task ids."""
        self._app = app
        self._ignored = ignored
        self._made: list[Any] | None = None

    @classmethod
    def of(cls, results: Sequence[AsyncResult[T]]) -> Results[T]:
        """These, which are made already."""
        made = cls([result.id for result in results])
        made._made = list(results)
        return made

    @property
    def results(self) -> list[Any]:  # type: ignore[override]  # made when it is asked for
        """All of them."""
        if self._made is None:
            self._made = [AsyncResult(id_, app=self._app, ignored=self._ignored) for id_ in self.ids]
        return self._made

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
            return self._made[index]  # type: ignore[no-any-return]  # a list of results
        return AsyncResult(self.ids[index], app=self._app, ignored=self._ignored)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Results: {len(self.ids)}>"
