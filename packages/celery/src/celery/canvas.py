"""Calls that are not made yet. Those of one task are umbel's; what composes several comes later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from celery._names import lacks, later
from umbel.client import signature as signatures


class Signature(signatures.Signature[Any]):
    """One call of one task."""

    TYPES: ClassVar[dict[str, Any]] = {}
    _IMMUTABLE_OPTIONS = frozenset({"group_id", "stamped_headers"})

    def __init__(
        self,
        task: Any = None,
        args: Any = None,
        kwargs: Any = None,
        options: Any = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: Any = None,
        **ex: Any,
    ):
        super().__init__(task, args, kwargs, options, type, subtask_type, immutable, app, **ex)

    @classmethod
    def register_type(cls, name: str | None = None) -> Callable[[Any], Any]:
        """Make a class the one of signatures of a kind."""

        def register(subclass: Any) -> Any:
            cls.TYPES[name or subclass.__name__] = subclass
            return subclass

        return register

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        """The signature that a dict describes."""
        kind = d.get("subtask_type")
        if kind:
            target = cls.TYPES[kind]
            if target is not cls:
                return target.from_dict(d, app=app)
        return super().from_dict(d, app=app)

    @property
    def subtask_type(self) -> Any:
        """Its kind."""
        return self.get("subtask_type")

    def delay(self, *partial_args: Any, **partial_kwargs: Any) -> Any:
        """Send it, with arguments before its own."""
        return self.apply_async(partial_args, partial_kwargs)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run it here and now."""
        return super().apply(args, kwargs, **options)

    def apply_async(self, args: Any = None, kwargs: Any = None, route_name: str | None = None, **options: Any) -> Any:
        """Send it."""
        return super().apply_async(args, kwargs, **options)

    def clone(self, args: Any = None, kwargs: Any = None, **opts: Any) -> Any:
        """A copy with further arguments and options."""
        copied = super().clone(args, kwargs, **opts)
        return type(self)(dict(copied), app=self._app)

    partial = clone

    def replace(self, args: Any = None, kwargs: Any = None, options: Any = None) -> Any:
        """A copy with what is given in the place of what it has."""
        return super().replace(args, kwargs, options)

    def set(self, immutable: bool | None = None, **options: Any) -> Any:
        """Change options in place."""
        return super().set(immutable, **options)

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Settle the id that it will be sent with, and give the result to come."""
        id_ = super().freeze(_id, group_id, chord, root_id, parent_id, group_index).id
        return self.app.AsyncResult(id_)

    _freeze = freeze

    @property
    def AsyncResult(self) -> Any:  # noqa: N802 - Celery's name
        """The class of its results."""
        return self.app.AsyncResult

    def extend_list_option(self, key: str, value: Any) -> None:
        """Add several to an option that is a list."""
        super().extend_list_option(key, value)

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on it: headers that `stamped_headers` lists."""
        if visitor is not None:
            raise later("Signature.stamp with a visitor")
        known = [] if not append_stamps else list(self.options.get("stamped_headers") or ())
        names = sorted({*known, *(headers.pop("stamped_headers", None) or ()), *headers})
        return self.set(**headers, stamped_headers=names)

    def stamp_links(self, visitor: Any, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on its callbacks."""
        raise later("Signature.stamp_links")

    def election(self) -> Any:
        """Let one worker of all run it."""
        raise lacks("Signature.election", "send it: of all workers exactly one runs it")

    def __or__(self, other: Any) -> Any:
        raise later("a | b (a chain)")

    def __ror__(self, other: Any) -> Any:
        raise later("a | b (a chain)")

    def __invert__(self) -> Any:
        return self.apply_async().get()

    def __json__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from copy import deepcopy

        return type(self)(deepcopy(dict(self), memo), app=self._app)

    def __reduce__(self) -> Any:
        return signature, (dict(self),)

    def items(self) -> Any:
        """Its parts."""
        return dict(self).items()


abstract = Signature


def _later(composed: Any) -> Exception:
    return later(f"celery.{type(composed).__name__.lstrip('_')}")


class _Composed(Signature):
    """Several calls as one."""

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Any = None) -> Any:
        """That which a dict describes."""
        raise later(f"celery.{cls.__name__.lstrip('_')}")


@Signature.register_type("chain")
class _chain(_Composed):  # noqa: N801 - Celery's name
    """Calls one after the other."""

    def __init__(self, *tasks: Any, **options: Any):
        raise _later(self)


class chain(_chain):  # noqa: N801 - Celery's name
    """Calls one after the other, each with the value of the one before."""

    def __init__(self, *tasks: Any, **kwargs: Any):
        raise _later(self)


@Signature.register_type()
class group(_Composed):  # noqa: N801 - Celery's name
    """Calls side by side."""

    def __init__(self, *tasks: Any, **options: Any):
        raise _later(self)


@Signature.register_type("chord")
class _chord(_Composed):  # noqa: N801 - Celery's name
    """Calls side by side, and one with all their values."""

    def __init__(
        self,
        header: Any,
        body: Any = None,
        task: str = "celery.chord",
        args: Any = None,
        kwargs: Any = None,
        app: Any = None,
        **options: Any,
    ):
        raise _later(self)


chord = _chord


@Signature.register_type()
class xmap(_Composed):  # noqa: N801 - Celery's name
    """A task once for each argument, in one message."""

    def __init__(self, task: Any, it: Any, **options: Any):
        raise _later(self)


@Signature.register_type()
class xstarmap(_Composed):  # noqa: N801 - Celery's name
    """A task once for each list of arguments, in one message."""

    def __init__(self, task: Any, it: Any, **options: Any):
        raise _later(self)


@Signature.register_type()
class chunks(_Composed):  # noqa: N801 - Celery's name
    """A task for many lists of arguments, so many in one message."""

    def __init__(self, task: Any, it: Any, n: int, **options: Any):
        raise _later(self)


def signature(varies: Any, *args: Any, **kwargs: Any) -> Any:
    """A signature from a task, a task's name, or a dict that describes one."""
    app = kwargs.get("app")
    if isinstance(varies, Mapping):
        if isinstance(varies, signatures.Signature):
            return varies.clone()
        return Signature.from_dict(varies, app=app)
    return Signature(varies, *args, **kwargs)


subtask = signature


def maybe_signature(d: Any, app: Any = None, clone: bool = False) -> Any:
    """A signature from whatever may be one; anything else as it is."""
    if d is not None:
        if isinstance(d, signatures.Signature):
            d = d.clone() if clone else d
        elif isinstance(d, Mapping):
            d = signature(d)
        if app is not None and hasattr(d, "_app"):
            d._app = app
    return d


maybe_subtask = maybe_signature


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
