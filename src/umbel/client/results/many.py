"""Many results looked at, and waited for: one question to each store, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from umbel import clock, states
from umbel.client.results.hope import Hope, Outage
from umbel.client.results.line import ids_before
from umbel.errors import BrokerDown, RemoteTraceback
from umbel.errors import TimeoutError as TookTooLong

if TYPE_CHECKING:
    from umbel.stores.backend import ResultBackend
    from umbel.wire.result import Document, Result

AT_ONCE = 10_000
"""Results of one question."""
LONGEST_WAIT = 30.0
"""Seconds of one wait; waits without a timeout repeat it."""
ASK_PARENTS = 1.0
"""Seconds between two looks at what has to end before those that are waited for can begin."""


class Single(Protocol):
    """What is needed here of an `AsyncResult`, whose file uses this one."""

    id: str
    ignored: bool
    _document: Document | None

    @property
    def app(self) -> Any: ...

    def _backend(self) -> ResultBackend: ...

    def _read(self, found: Result) -> Document: ...

    def _ancestors(self) -> Iterator[Any]: ...


S = TypeVar("S", bound=Single)


def look(results: Iterable[S]) -> dict[str, Document]:
    """What is known of each, by its id; what has ended is remembered by the results themselves."""
    known: dict[str, Document] = {}
    for store, open_ in by_store(results, known):
        ids = list(open_)
        for start in range(0, len(ids), AT_ONCE):
            for id_, found in store.fetch(ids[start : start + AT_ONCE]).items():
                for each in open_[id_]:
                    known[id_] = each._read(found)
    return known


def by_store(results: Iterable[S], known: dict[str, Document]) -> list[tuple[ResultBackend, dict[str, list[S]]]]:
    """Those of which more may come, by store and id; the documents of the others go into `known`."""
    stores: dict[int, tuple[ResultBackend, dict[str, list[S]]]] = {}
    for each in results:
        if each._document is not None:
            known[each.id] = each._document
        elif not each.ignored:
            store = each._backend()
            stores.setdefault(id(store), (store, {}))[1].setdefault(each.id, []).append(each)
    return list(stores.values())


def raise_for_parents(results: Iterable[S]) -> None:
    """Raise what a step before one of these has raised: that one will never run."""
    steps = {step.id: step for each in results for step in each._ancestors()}
    if steps:
        for document in look(steps.values()).values():
            if document.status in states.PROPAGATE_STATES:
                raise raisable(document)


def raisable(document: Document) -> BaseException:
    """What a failed task raised; another exception where the store holds something else (a task's own FAILURE state)."""
    found = document.result
    return found if isinstance(found, BaseException) else Exception(found)


def came_from(failure: BaseException, traceback: str) -> None:
    """Let the worker's traceback be the cause of what was raised there, or of the first of its causes."""
    steps = [failure]
    while (cause := _CAUSE.__get__(steps[-1])) is not None and cause not in steps:
        steps.append(cause)
    _CAUSE.__set__(steps[-1], RemoteTraceback(traceback))


_CAUSE: Any = BaseException.__dict__["__cause__"]
"""Past what a class has by this name: exceptions may be frozen."""


def arrivals(
    results: Sequence[S],
    *,
    timeout: float | None,
    interval: float = 0.5,
    on_interval: Callable[[], object] | None = None,
    on_message: Callable[[dict[str, Any]], object] | None = None,
    ask_parents: bool = False,
) -> Iterator[S]:
    """Each as soon as it has ended, those first that have; TimeoutError if others have not after `timeout` seconds.

    `on_interval` is called every `interval` seconds, and `on_message` with each new state that is seen at these moments.
    """
    end = None if timeout is None else clock.monotonic() + timeout
    hope, outage = Hope(), Outage(end)
    waiting = _Waiting(results, None if on_message is None else _News(on_message))
    yield from [each for each in results if each._document is not None or each.ignored]
    step = interval if on_interval is not None or on_message is not None else LONGEST_WAIT
    has_parents = ask_parents and any(next(each._ancestors(), None) is not None for each in results)
    step = min(step, ASK_PARENTS) if has_parents else step
    while waiting.stores:
        try:
            waiting.ask(min(step, LONGEST_WAIT, hope.pause if end is None else max(0.0, end - clock.monotonic())))
            if not waiting.came and has_parents:
                raise_for_parents(waiting.left())
            if not waiting.came and end is None:
                hope.raise_if_lost(waiting.left())
            outage.over(hope.answers + len(waiting.came))
        except BrokerDown as error:
            outage.bear(error)
        yield from waiting.taken()
        if waiting.stores and end is not None and clock.monotonic() >= end:
            raise late(len(waiting.left()), len(results), timeout)
        if waiting.stores and on_interval is not None:
            on_interval()


class _Waiting(Generic[S]):
    """Those that are waited for, store by store."""

    def __init__(self, results: Iterable[S], news: _News | None):
        self.stores = by_store(results, {})
        for _, open_ in self.stores:
            forbid_in_batch(open_)
        self.came: list[S] = []
        """Those that have ended, and were not taken yet."""
        self._news = news

    def ask(self, pause: float) -> None:
        """Wait so many seconds at most."""
        for store, open_ in self.stores:
            for id_, result in store.wait(list(open_), pause / len(self.stores)).items():
                same = open_.pop(id_)
                documents = [each._read(result) for each in same]
                self.came += same
                if self._news is not None:
                    self._news.tell(documents[0])
            if self._news is not None and open_:
                self._news.look(open_)

    def taken(self) -> list[S]:
        """What came since the last time."""
        came, self.came = self.came, []
        self.stores = [(store, open_) for store, open_ in self.stores if open_]
        return came

    def left(self) -> list[S]:
        """Those that have not ended."""
        return [each for _, open_ in self.stores for same in open_.values() for each in same]


def forbid_in_batch(open_: dict[str, list[S]]) -> None:
    """Raise RuntimeError if one of these is collected here and not sent yet."""
    for same in open_.values():
        batch = same[0].app.outbox.open_batch.get()
        if batch is not None:
            batch.forbid_waiting(ids_before(each for same in open_.values() for each in same))
        return


def late(left: int, total: int, timeout: float | None) -> TookTooLong:
    """What is raised when time is up."""
    return TookTooLong(f"{left} of {total} tasks did not end within {timeout or 0:g} s")


class _News:
    """Tells each state once."""

    def __init__(self, on_message: Callable[[dict[str, Any]], object]):
        self._on_message = on_message
        self._seen: dict[str, bytes] = {}

    def look(self, open_: dict[str, list[S]]) -> None:
        """Tell of those that have another state by now, and have not ended."""
        ids = list(open_)
        for start in range(0, len(ids), AT_ONCE):
            for id_, found in open_[ids[0]][0]._backend().fetch(ids[start : start + AT_ONCE]).items():
                if found.state not in states.READY_STATES and self._seen.get(id_) != found.document:
                    self._seen[id_] = found.document
                    self.tell(open_[id_][0]._read(found))

    def tell(self, document: Document) -> None:
        """Tell of this one."""
        self._on_message(meta(document))


def meta(document: Document) -> dict[str, Any]:
    """The document as Celery tells it: a dict without what is not known."""
    always = ("task_id", "status", "result", "traceback", "children", "date_done")
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    return {name: value for name, value in fields.items() if name in always or value is not None}


async def aarrivals(results: Sequence[S], *, timeout: float | None) -> AsyncIterator[S]:
    """The same for asyncio."""
    import asyncio

    from umbel.client.results.waiter import listen

    queue: asyncio.Queue[tuple[str, Result | Exception]] = asyncio.Queue()
    stores, total = by_store(results, {}), len(results)
    for each in results:
        if each._document is not None or each.ignored:
            yield each
    open_ = {id_: same for _, ids in stores for id_, same in ids.items()}
    forbid_in_batch(open_)
    end, hope = None if timeout is None else clock.monotonic() + timeout, Hope()
    outage = Outage(end)
    loop = asyncio.get_running_loop()

    def put(id_: str, news: Result | Exception) -> None:
        queue.put_nowait((id_, news))

    stops = [listen(store, list(ids), loop, put) for store, ids in stores]
    try:
        while open_:
            try:
                async with asyncio.timeout(hope.pause if end is None else max(0.0, end - clock.monotonic())):
                    id_, news = await queue.get()
            except TimeoutError:
                if end is not None:
                    raise late(len(open_), total, timeout) from None
                await _doubt(hope, outage, [each for same in open_.values() for each in same])
                continue
            if isinstance(news, Exception):
                raise news
            for each in open_.pop(id_):
                each._read(news)
                yield each
    finally:
        for stop in stops:
            stop()


async def _doubt(hope: Hope, outage: Outage, results: Sequence[Any]) -> None:
    """Ask whether to wait on, while the loop goes on."""
    import asyncio

    try:
        await asyncio.to_thread(hope.raise_if_lost, results)
        outage.over(hope.answers)
    except BrokerDown as error:
        await asyncio.to_thread(outage.bear, error)
