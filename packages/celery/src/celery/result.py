"""Results, with Celery's names and signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.exceptions import TimeoutError
from celery.states import EXCEPTION_STATES, PROPAGATE_STATES
from umbel.client.results import eager_result, group_result, result_set
from umbel.client.results import result as results
from umbel.client.results.result import allow_join_result as allow_join_result
from umbel.client.results.result import assert_will_not_block as assert_will_not_block
from umbel.client.results.result import denied_join_result as denied_join_result
from umbel.wire.result import Document


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
        ready = _promise(callback, on_error, weak=weak)
        super().then(ready)
        return ready

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Let the task not run."""
        return super().revoke(connection, terminate, signal, wait, timeout)

    def __json__(self) -> Any:
        """What a task that returns a result leaves of it."""
        return self.as_tuple()

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
        self._document = Document(self.id, state, ret_value, traceback, name=name)

    def get(self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **kwargs: Any) -> Any:
        """The value, or what the task raised."""
        if disable_sync_subtasks:
            assert_will_not_block()
        return super().get(timeout, propagate)

    wait = get

    @property
    def supports_native_join(self) -> bool:
        """False."""
        return False

    def __reduce__(self) -> Any:
        return type(self), (self.id, self.result, self.state, self.traceback, self.name)


class ResultSet(result_set.ResultSet[Any], ResultBase):
    """Several results, waited for and looked at as one."""

    results: Any = None

    def then(self, callback: Callable[[Any], Any], on_error: Any = None, weak: bool = False) -> Any:
        """Call `callback` with this set once all tasks have ended."""
        ready = _promise(callback, on_error, weak=weak)
        super().then(ready)
        return ready

    def __reduce__(self) -> Any:
        return ResultSet, (self.results,)


class GroupResult(group_result.GroupResult[Any], ResultSet):
    """The results of a group: a set with an id."""

    id: Any = None
    results: Any = None

    def __init__(self, id: str | None = None, results: Any = None, parent: Any = None, **kwargs: Any):
        super().__init__(id, results, parent, **kwargs)

    def save(self, backend: Any = None) -> Any:
        """Keep what it is made of, so that `restore` finds it by its id."""
        place = _of_others(self.app, backend)
        return super().save(backend) if place is None else place.save_group(self.id, self)

    def delete(self, backend: Any = None) -> None:
        """Forget that it was saved."""
        place = _of_others(self.app, backend)
        if place is None:
            super().delete(backend)
        else:
            place.delete_group(self.id)

    @classmethod
    def restore(cls, id: str, backend: Any = None, app: Any = None) -> Any:
        """The results of a group that was saved; None if there is none."""
        from celery.app import app_or_default

        app = app_or_default(app or cls.bound_app)
        place = _of_others(app, backend)
        return super().restore(id, backend, app) if place is None else place.restore_group(id)

    def __json__(self) -> Any:
        """What a task that returns a result leaves of it."""
        return self.as_tuple()

    def __reduce__(self) -> Any:
        return GroupResult, (self.id, self.results, self.parent)


def _of_others(app: Any, given: Any) -> Any:
    """The backend with Celery's methods in which groups are kept, if it is given, or the app's is somebody else's."""
    if given is not None:
        return given if hasattr(given, "restore_group") else None
    from umbel.stores.by_value import ByValue

    return app.backend if isinstance(app.result_store, ByValue) else None


def _promise(callback: Any, on_error: Any, *, weak: bool) -> Any:
    from vine import promise

    return promise(callback, on_error=on_error, weak=weak)


def result_from_tuple(r: Any, app: Any = None) -> Any:
    """The result that `as_tuple` described; a result is itself."""
    from celery.app import app_or_default

    return r if isinstance(r, ResultBase) else results.result_from_tuple(r, app_or_default(app))


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
