"""Results, with Celery's names and signatures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from celery._names import later
from celery.exceptions import TimeoutError
from celery.states import EXCEPTION_STATES, PROPAGATE_STATES
from umbel.client import eager_result
from umbel.client import result as results
from umbel.client.result import allow_join_result as allow_join_result
from umbel.client.result import assert_will_not_block as assert_will_not_block
from umbel.client.result import denied_join_result as denied_join_result


def task_join_will_block() -> bool:
    """True if waiting here would block a task."""
    try:
        assert_will_not_block()
    except RuntimeError:
        return True
    return False


class ResultBase:
    """What all results are."""

    parent: Any = None


class AsyncResult(results.AsyncResult[Any], ResultBase):
    """The result of one task, by its id."""

    TimeoutError = TimeoutError
    bound_app: Any = None
    """That of classes which `app.AsyncResult` gives."""

    def __init__(self, id: str, backend: Any = None, task_name: str | None = None, app: Any = None, parent: Any = None):
        if id is None:
            raise ValueError("a result has the id of a task, and None is none")
        super().__init__(id, app=app or self.bound_app, parent=parent)
        self._given = backend
        self.task_name = task_name

    @property
    def app(self) -> Any:
        """The app that sent it, else the current one."""
        from celery._state import get_current_app

        return self._app or get_current_app()

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    @property
    def backend(self) -> Any:
        """Where it is kept."""
        return self._given or self.app.backend

    @backend.setter
    def backend(self, backend: Any) -> None:
        self._given = backend

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, Any], object] | None = None,
        on_message: Callable[[Any], object] | None = None,
        on_interval: Callable[[], object] | None = None,
        disable_sync_subtasks: bool = True,
        EXCEPTION_STATES: Any = EXCEPTION_STATES,  # noqa: N803 - Celery's name
        PROPAGATE_STATES: Any = PROPAGATE_STATES,  # noqa: N803 - Celery's name
    ) -> Any:
        """Wait for the task's end and give its value, or raise what it raised."""
        return super().get(
            timeout, propagate, interval, no_ack, follow_parents, callback, on_message, on_interval, disable_sync_subtasks
        )

    wait = get

    def throw(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing: for generators of tasks that nobody has."""
        self.maybe_throw(*args, **kwargs)

    def then(self, callback: Callable[[Any], Any], on_error: Any = None, weak: bool = False) -> Any:
        """Call `callback` with this result once the task has ended."""
        from vine import promise

        ready = promise(callback, weak=weak)
        import threading

        def wait() -> None:
            self._wait(None, None, None, ask_parents=False)
            ready(self)

        if self.ready():
            ready(self)
        else:
            threading.Thread(target=wait, daemon=True).start()
        return ready

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Let the task not run."""
        super().revoke(connection, terminate, signal, wait, timeout)

    def revoke_by_stamped_headers(
        self,
        headers: Any,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Let tasks with these stamps not run."""
        raise later("AsyncResult.revoke_by_stamped_headers")

    @property
    def children(self) -> Any:
        """The results of what the task has sent."""
        found = self._field("children")
        return None if found is None else [result_from_tuple(each, self.app) for each in found]

    def iterdeps(self, intermediate: bool = False) -> Iterator[Any]:
        """All results that hang on this one, each with the one it hangs on."""
        todo: deque[Any] = deque([(None, self)])
        while todo:
            parent, node = todo.popleft()
            yield parent, node
            if node.ready():
                todo.extend((node, child) for child in node.children or [])
            elif not intermediate:
                from celery.exceptions import IncompleteStream

                raise IncompleteStream

    def collect(self, intermediate: bool = False, **kwargs: Any) -> Iterator[Any]:
        """All results that hang on this one, each with its value."""
        kwargs.setdefault("disable_sync_subtasks", False)
        for _, node in self.iterdeps(intermediate=intermediate):
            yield node, node.get(**kwargs)

    def get_leaf(self) -> Any:
        """The value of the last of them."""
        value = None
        for _, node in self.iterdeps():
            value = node.get()
        return value

    def build_graph(self, intermediate: bool = False, formatter: Any = None) -> Any:
        """All of them as a graph."""
        from celery.utils.graph import DependencyGraph

        graph = DependencyGraph(formatter=formatter)
        for parent, node in self.iterdeps(intermediate=intermediate):
            graph.add_arc(node)
            if parent:
                graph.add_edge(parent, node)
        return graph

    @property
    def graph(self) -> Any:
        """The same."""
        return self.build_graph()

    def as_tuple(self) -> Any:
        """What `result_from_tuple` takes."""
        return (self.id, self.parent and self.parent.as_tuple()), None

    def __json__(self) -> Any:
        """What a task that returns a result leaves of it."""
        return self.as_tuple()

    @property
    def supports_native_join(self) -> bool:
        """True: many are waited for at once."""
        return True

    @property
    def ignored(self) -> bool:
        """True if it is known that no result will be kept."""
        return bool(self.__dict__.get("_ignored", False))

    @ignored.setter
    def ignored(self, value: bool) -> None:
        self.__dict__["_ignored"] = value

    def __copy__(self) -> Any:
        return type(self)(self.id, self._given, self.task_name, self._app, self.parent)

    def __reduce__(self) -> Any:
        return type(self).__mro__[0 if self.bound_app is None else 1], (self.id, None, self.task_name, None, self.parent)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"


class EagerResult(eager_result.EagerResult[Any], AsyncResult):
    """The result of a task that ran at once."""

    def __init__(self, id: str, ret_value: Any, state: str, traceback: str | None = None, name: str | None = None):
        AsyncResult.__init__(self, id or "", task_name=name)
        self._value = ret_value
        self._ready_state = state
        self._text = traceback
        self._name = name

    def get(self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **kwargs: Any) -> Any:
        """The value, or what the task raised."""
        if disable_sync_subtasks:
            assert_will_not_block()
        return super().get(timeout, propagate)

    wait = get

    def then(self, callback: Callable[[Any], Any], on_error: Any = None, weak: bool = False) -> Any:
        """Call `callback` with this result."""
        from vine import promise

        ready = promise(callback, weak=weak)
        ready(self)
        return ready

    def ready(self) -> bool:
        """True."""
        return True

    @property
    def supports_native_join(self) -> bool:
        """False."""
        return False

    def _field(self, name: str) -> Any:
        return None

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"

    def __reduce__(self) -> Any:
        return type(self), (self.id, self._value, self._ready_state, self._text, self._name)


class ResultSet(ResultBase):
    """Several results: later."""

    bound_app: Any = None

    def __init__(self, results: Any, app: Any = None, ready_barrier: Any = None, **kwargs: Any):
        raise later(f"celery.result.{type(self).__name__}")


class GroupResult(ResultSet):
    """The results of a group: later."""

    def __init__(self, id: str | None = None, results: Any = None, parent: Any = None, **kwargs: Any):
        raise later("celery.result.GroupResult")

    @classmethod
    def restore(cls, id: str, backend: Any = None, app: Any = None) -> Any:
        """The results of a group that was saved."""
        raise later("GroupResult.restore")


def result_from_tuple(r: Any, app: Any = None) -> Any:
    """The result that `as_tuple` described."""
    from celery.app import app_or_default

    app = app_or_default(app)
    if isinstance(r, ResultBase):
        return r
    if isinstance(r, str):
        return app.AsyncResult(r)
    found, nodes = r
    id_, parent = found if isinstance(found, (list, tuple)) else (found, None)
    if nodes is not None:
        raise later("the result of a group")
    return app.AsyncResult(id_, parent=result_from_tuple(parent, app) if parent else None)


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
