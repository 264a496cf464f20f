"""The results of a group: a set with an id, which can be saved and found again by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from umbel.client import current
from umbel.client.results.result import result_from_tuple
from umbel.client.results.result_set import ResultSet
from umbel.errors import ImproperlyConfigured

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.stores.backend import ResultBackend

    T = TypeVarWithDefault("T", default=Any)
else:
    T = TypeVar("T")


class GroupResult(ResultSet[T]):
    """The results of a group, equal if id and parts are."""

    def __init__(
        self,
        id: str | None = None,
        results: Iterable[Any] | None = None,
        parent: Any = None,
        app: current.App | None = None,
        **_: Any,
    ):
        super().__init__(results or (), app=app)
        self.id = id
        """The group's id, which its messages bear."""
        self.parent = parent
        """The result of what comes before the group, in a chain."""

    @property
    def children(self) -> list[Any]:
        """The parts."""
        return self.results

    def save(self, backend: ResultBackend | None = None) -> Self:
        """Keep what it is made of, so that `restore` finds it by its id, as long as results are kept; gives itself."""
        from umbel.wire import encoding

        app = self.app
        document = encoding.dumps({"result": self.as_tuple()}, app.reading().serializer)[2]
        _store(app, backend, self.id).save_group(_known(self.id), document, app.conf.result_expires or None)
        return self

    def delete(self, backend: ResultBackend | None = None) -> None:
        """Forget that it was saved; `forget` deletes the results."""
        _store(self.app, backend, self.id).forget_group(_known(self.id))

    @classmethod
    def restore(cls, id: str, backend: ResultBackend | None = None, app: current.App | None = None) -> Self | None:
        """The group that was saved under this id; None if there is none."""
        from umbel.wire import encoding

        app = app or cls.bound_app or current.app()
        document = _store(app, backend, id).group(id)
        if document is None:
            return None
        _, accept, serializer = app.reading()
        found = encoding.loads(document, *encoding.content_type(serializer), accept)
        result = result_from_tuple(found["result"], app)
        made = cls(id, result.results, parent=result.parent)
        made._app = app
        return made

    def as_tuple(self) -> Any:
        """Its id, that of what came before, and its parts: what `result_from_tuple` takes."""
        parent = self.parent.as_tuple() if self.parent is not None else None
        return (self.id, parent), [part.as_tuple() for part in self.results]

    def as_list(self) -> list[str]:
        """Its id, those of its parts, and of what came before."""
        parts = [id_ for part in self.results for id_ in part.as_list()]
        return [*([self.id] if self.id else []), *parts, *(self.parent.as_list() if self.parent is not None else [])]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other == self.id
        if isinstance(other, GroupResult):
            return (other.id, other.parent) == (self.id, self.parent) and other.results == self.results
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __bool__(self) -> bool:
        return bool(self.id or self.results)

    def __str__(self) -> str:
        return str(self.id)

    def __reduce__(self) -> Any:
        return GroupResult, (self.id, self.results, self.parent)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id} [{', '.join(str(getattr(part, 'id', part)) for part in self.results)}]>"


def _known(id_: str | None) -> str:
    if id_ is None:
        raise ValueError("a group without an id cannot be saved")
    return id_


def _store(app: current.App, given: ResultBackend | None, id_: str | None) -> ResultBackend:
    store = given if given is not None else app.result_store
    if store is None:
        raise ImproperlyConfigured(f"no results are kept: set result_backend (broker_url may do) to save group {id_}")
    return store
