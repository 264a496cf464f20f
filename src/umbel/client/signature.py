"""A call that is not made yet, as data: a dict, so that it travels in messages as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from umbel.client import current
from umbel.client.result import AsyncResult

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.client.eager_result import EagerResult

    R = TypeVarWithDefault("R", default=Any)
else:
    R = TypeVar("R")

_KEPT = frozenset({"group_id", "stamped_headers"})
"""Options of a signature that a later call does not replace."""


class Signature(dict[str, Any], Generic[R]):
    """One call of one task: `task`, `args`, `kwargs`, `options`, `subtask_type`, `immutable`.

    Arguments given when it is sent come before its own, keyword arguments and options over them; an immutable one takes none.
    """

    _app: current.App | None = None

    def __init__(
        self,
        task: Any = None,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: current.App | None = None,
        **more: Any,
    ):
        self._app = app
        if isinstance(task, Mapping):
            super().__init__(task)
            return
        if app is None and not isinstance(task, (str, NoneType)):
            self._app = task.app
        super().__init__(
            task=task if isinstance(task, (str, NoneType)) else task.name,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options={**(options or {}), **more},
            subtask_type=subtask_type,
            immutable=immutable,
        )
        if type is not None and task is None:
            self["task"] = type.name

    @property
    def app(self) -> current.App:
        """The app it belongs to, else the current one."""
        return self._app or current.app()

    @property
    def type(self) -> Any:
        """The task, if it is known here."""
        return self.app.tasks[self["task"]]

    @property
    def name(self) -> str:
        """The task's name."""
        return self["task"]  # type: ignore[no-any-return]  # values of a dict are Any

    task = name

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments."""
        return self["args"]  # type: ignore[no-any-return]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments."""
        return self["kwargs"]  # type: ignore[no-any-return]

    @property
    def options(self) -> dict[str, Any]:
        """The options it is sent with."""
        return self["options"]  # type: ignore[no-any-return]

    @property
    def immutable(self) -> bool:
        """True if it takes no further arguments."""
        return bool(self.get("immutable"))

    @immutable.setter
    def immutable(self, value: bool) -> None:
        self["immutable"] = value

    @property
    def id(self) -> str | None:
        """The task id, once it is frozen."""
        return self.options.get("task_id")

    @property
    def parent_id(self) -> str | None:
        """The id of the task that sends it."""
        return self.options.get("parent_id")

    @property
    def root_id(self) -> str | None:
        """The id of the task that all began with."""
        return self.options.get("root_id")

    # Sending

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Run the task here and now, as a function."""
        merged, keywords, _ = self._merge(args, kwargs, None)
        return self.type(*merged, **keywords)  # type: ignore[no-any-return]

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[R]:
        """Send it, with `args` before its own."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Send it; arguments and options as for `Task.apply_async`."""
        merged, keywords, chosen = self._merge(args, kwargs, options)
        task = self.app.tasks.get(self["task"])
        if task is None:
            return self.app.send_task(self["task"], merged, keywords, **chosen)  # type: ignore[no-any-return]
        return task.apply_async(merged, keywords, **chosen)  # type: ignore[no-any-return]

    def apply(self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> EagerResult[R]:
        """Run it here and now, as a worker would."""
        merged, keywords, chosen = self._merge(args, kwargs, options)
        return self.type.apply(merged, keywords, **chosen)  # type: ignore[no-any-return]

    def _merge(
        self, args: Iterable[Any] | None, kwargs: Mapping[str, Any] | None, options: Mapping[str, Any] | None
    ) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        stamped = self.options.get("stamped_headers")
        kept = _KEPT.union(stamped if isinstance(stamped, (list, tuple, set)) else ())
        chosen = {**self.options, **{k: v for k, v in (options or {}).items() if k not in kept or k not in self.options}}
        if self.immutable:
            return tuple(self.args), dict(self.kwargs), chosen
        return (*(args or ()), *self.args), {**self.kwargs, **(kwargs or {})}, chosen

    # Making others

    def clone(self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Signature[R]:
        """A copy with further arguments and options."""
        merged, keywords, chosen = self._merge(args, kwargs, options)
        copy: Signature[R] = Signature(dict(self), app=self._app)
        copy.update(args=merged, kwargs=keywords, options=_copied(chosen))
        return copy

    partial = clone

    def replace(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Signature[R]:
        """A copy with what is given in the place of what it has."""
        copy = self.clone()
        given = {"args": None if args is None else tuple(args), "kwargs": kwargs, "options": options}
        copy.update({key: value for key, value in given.items() if value is not None})
        return copy

    def set(self, immutable: bool | None = None, **options: Any) -> Signature[R]:
        """Change options in place."""
        if immutable is not None:
            self["immutable"] = immutable
        self["options"].update(options)
        return self

    def set_immutable(self, immutable: bool) -> Signature[R]:
        """Say whether it takes further arguments."""
        return self.set(immutable=immutable)

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> AsyncResult[R]:
        """Settle the id that it will be sent with, and give the result to come."""
        from umbel.wire.ids import new_id

        options = self["options"]
        options["task_id"] = id_ = options.get("task_id") or _id or new_id()
        given = {"group_id": group_id, "chord": chord, "root_id": root_id, "parent_id": parent_id, "group_index": group_index}
        options.update({key: value for key, value in given.items() if value is not None})
        return AsyncResult(id_, app=self._app)

    # Callbacks, kept as data

    def link(self, callback: Any) -> Any:
        """Send `callback` with the value after success; gives `callback`."""
        return self._append("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Send or call `errback` after a failure; gives `errback`."""
        return self._append("link_error", errback)

    def on_error(self, errback: Any) -> Signature[R]:
        """The same, giving this signature."""
        self.link_error(errback)
        return self

    def append_to_list_option(self, key: str, value: Any) -> Any:
        """Add to an option that is a list, unless it is there; gives `value`."""
        return self._append(key, value)

    def extend_list_option(self, key: str, values: Any) -> None:
        """Add several."""
        for value in values if isinstance(values, (list, tuple)) else [values]:
            self._append(key, value)

    def _append(self, key: str, value: Any) -> Any:
        there = self["options"].get(key) or []
        items = self["options"][key] = list(there) if isinstance(there, (list, tuple)) else [there]
        if value not in items:
            items.append(value)
        return value

    def flatten_links(self) -> list[Signature[Any]]:
        """This signature and all callbacks that hang on it."""
        links = [signature(each, app=self._app) for each in self.options.get("link") or []]
        return [self, *(inner for each in links for inner in each.flatten_links())]

    @classmethod
    def from_dict(cls, found: Mapping[str, Any], app: current.App | None = None) -> Signature[Any]:
        """The signature that a dict describes."""
        made: Signature[Any] = Signature(found, app=app)
        for key, value in (("args", ()), ("kwargs", {}), ("options", {}), ("subtask_type", None), ("immutable", False)):
            if made.get(key) is None:
                made[key] = value
        return made

    def __copy__(self) -> Signature[R]:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Signature[R]:
        from copy import deepcopy

        return Signature(deepcopy(dict(self), memo), app=self._app)

    def __reduce__(self) -> Any:
        return signature, (dict(self),)

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The call as one would write it."""
        merged, keywords, _ = self._merge(args, kwargs, None)
        return f"{self['task']}({', '.join([*map(repr, merged), *(f'{k}={v!r}' for k, v in keywords.items())])})"

    def __repr__(self) -> str:
        return self.reprcall()


def _copied(options: dict[str, Any]) -> dict[str, Any]:
    """Options whose lists are not shared with another signature."""
    return {key: list(value) if isinstance(value, list) else value for key, value in options.items()}


def as_pair(call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Arguments and keyword arguments of a call given as a tuple, a dict, or a signature."""
    if isinstance(call, Signature):
        return call.args, call.kwargs
    return ((), call) if isinstance(call, Mapping) else (call, {})


def signature(
    task: Any,
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Signature[Any]:
    """A signature from a task, a task's name, or a dict that describes one (a signature is copied)."""
    if isinstance(task, Signature):
        return task.clone()
    if isinstance(task, Mapping):
        return Signature.from_dict(task, app=more.get("app"))
    return Signature(task, args, kwargs, options, **more)


def maybe_signature(found: Any, app: current.App | None = None, *, clone: bool = False) -> Signature[Any] | None:
    """A signature from whatever may be one; None stays None."""
    if found is None:
        return None
    made = signature(found, app=app)
    return made.clone() if clone else made
