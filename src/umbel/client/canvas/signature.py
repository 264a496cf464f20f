"""A call that is not made yet, as data: a dict, so that it travels in messages as it is. Here of one task; `|` composes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from umbel.canvas.settle import settle
from umbel.canvas.shape import CHAIN, GROUP, HELD, as_list, kind, members
from umbel.client import current
from umbel.client.results.result import AsyncResult as ResultOf  # the class has a property of that name
from umbel.client.results.result import result_from_tuple
from umbel.wire.brief import brief

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from umbel.client.results.eager_result import EagerResult

    R = TypeVarWithDefault("R", default=Any)
else:
    R = TypeVar("R")


class Signature(dict[str, Any], Generic[R]):
    """One call of one task: `task`, `args`, `kwargs`, `options`, `subtask_type`, `immutable`.

    Arguments given when it is sent come before its own, keyword arguments and options over them; an immutable one takes none.
    `a | b` sends b with the value of a, `a + b` and `a * 3` run side by side.
    """

    TYPES: ClassVar[dict[str, Any]] = {}
    """The classes of composed signatures, by their `subtask_type`."""
    _IMMUTABLE_OPTIONS = HELD
    _app: current.App | None = None
    is_ours = False
    """True if composing made it, and nobody else holds it: then it grows in place."""

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
        **ex: Any,
    ):
        self._app = app
        if isinstance(task, Mapping):
            super().__init__(task)
            return
        if not isinstance(task, (str, NoneType)):
            if not isinstance(getattr(task, "name", None), str):
                raise TypeError(f"a signature is made of a task or of its name, and not of {brief(task, 100)}")
            self._app = app or getattr(task, "app", None)
        super().__init__(
            task=task if isinstance(task, (str, NoneType)) else task.name,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options={**(options or {}), **ex},
            subtask_type=subtask_type,
            immutable=immutable,
        )
        if type is not None and task is None:
            self["task"] = type.name

    @classmethod
    def register_type(cls, name: str | None = None) -> Callable[[Any], Any]:
        """Make a class that of signatures of a kind; as a decorator."""

        def register(subclass: Any) -> Any:
            cls.TYPES[name or subclass.__name__] = subclass
            return subclass

        return register

    @classmethod
    def composed(cls, name: str) -> Any:
        """The class of that kind; the house's own are loaded when the first is needed."""
        if name not in cls.TYPES and name in _HOMES:
            import_module(f"umbel.client.canvas.{_HOMES[name]}")
        return cls.TYPES[name]

    @property
    def app(self) -> current.App:
        """The app it belongs to, else that of what is in it, else the current one."""
        return self._app or self._app_inside() or current.app()

    def _app_inside(self) -> current.App | None:
        return None

    @property
    def subtask_type(self) -> str | None:
        """Its kind; None of a single call."""
        return self.get("subtask_type")

    @property
    def AsyncResult(self) -> Any:  # noqa: N802 - Celery's name
        """What makes the result of a call by its id."""
        return self.app.AsyncResult

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

    def __invert__(self) -> R:
        return self.apply_async().get()

    def delay(self, *partial_args: Any, **partial_kwargs: Any) -> ResultOf[R]:
        """Send it, with these arguments before its own."""
        return self.apply_async(partial_args, partial_kwargs)

    def apply_async(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        route_name: str | None = None,
        **options: Any,
    ) -> ResultOf[R]:
        """Send it; arguments and options as for `Task.apply_async`."""
        merged, keywords, chosen = self._merge(args, kwargs, options)
        tasks: Any = self.app.tasks
        task = tasks.get(self["task"]) or tasks.builtin.get(self["task"])
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
        kept = HELD.union(stamped if isinstance(stamped, (list, tuple, set)) else ())
        chosen = {**self.options, **{k: v for k, v in (options or {}).items() if k not in kept or k not in self.options}}
        if self.immutable:
            return tuple(self.args), dict(self.kwargs), chosen
        return (*(args or ()), *self.args), {**self.kwargs, **(kwargs or {})}, chosen

    # Making others

    def clone(self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **opts: Any) -> Signature[R]:
        """A copy with further arguments and options."""
        merged, keywords, chosen = self._merge(args, kwargs, opts)
        copy: Signature[R] = type(self)._of(self, self._app)
        copy.update(args=merged, kwargs=keywords, options=_copied(chosen))
        return copy

    def partial(self, args: Iterable[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **opts: Any) -> Signature[R]:
        """The same by another name."""
        return self.clone(args, kwargs, **opts)

    @classmethod
    def _of(cls, found: Mapping[str, Any], app: current.App | None) -> Any:
        """One of this class that is what a dict says."""
        made = cls.__new__(cls)
        dict.__init__(made, found)
        made._app = app
        return made

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
    ) -> ResultOf[R]:
        """Settle the id that it will be sent with, and give the result to come."""
        from umbel.wire.ids import new_id

        tree = settle(self, new_id, id_=_id)
        self._take_place(group_id=group_id, chord=chord, root_id=root_id, parent_id=parent_id, group_index=group_index)
        found: ResultOf[R] = result_from_tuple(tree, self.app)
        return found

    def _freeze(self, *args: Any, **kwargs: Any) -> ResultOf[R]:
        return self.freeze(*args, **kwargs)

    # Composing

    def __or__(self, other: Any) -> Any:
        """A chain: `other` is sent with the value of this one."""
        other = self._partner(other, "|")
        if kind(other) == GROUP:
            other = unrolled(other)
            if other is None:
                return self.composed("chain")(self, app=self._app)
        if kind(other) == CHAIN:
            return self.composed("chain")(self, *members(other), app=self._app)
        return self._chain_of(self, other)

    def __ior__(self, other: Any) -> Any:
        return self | other

    def __ror__(self, other: Any) -> Any:
        raise TypeError(_cannot(other, "|", self))

    def __add__(self, other: Any) -> Any:
        """A group of both."""
        return self.composed("group")(self, self._partner(other, "+"), app=self._app)

    def __mul__(self, count: int) -> Any:
        """A group of so many of it."""
        if isinstance(count, bool) or not isinstance(count, int):
            return NotImplemented
        return self.composed("group")([self.clone() for _ in range(count)], app=self._app)

    __rmul__ = __mul__

    def _chain_of(self, *steps: Any) -> Any:
        """These as a chain, as they are."""
        chain = self.composed("_chain")
        return chain(*steps, app=self._app)

    def _partner(self, other: Any, sign: str) -> Any:
        """What stands on the other side of an operator, as a signature."""
        if isinstance(other, Signature):
            return other
        if isinstance(other, Mapping) and isinstance(other.get("task"), str) and "options" in other:
            return Signature.from_dict(other, app=self._app)
        raise TypeError(_cannot(self, sign, other))

    # Stamps

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on it, in place: headers that `stamped_headers` lists, and those that a visitor gives."""
        if visitor is not None:
            headers.update(stamps_of(visitor.on_signature(self, **headers)))
        self._put_stamps(headers, append_stamps=append_stamps)
        if visitor is not None:
            self.stamp_links(visitor, append_stamps, **headers)
        return self

    def _stamp_each(
        self,
        calls: Iterable[Any],
        around: tuple[Callable[..., Any], Callable[..., Any]] | None,
        visitor: Any,
        append_stamps: bool,
        headers: dict[str, Any],
    ) -> Any:
        """Put stamps on each of its calls. `around`: what a visitor is asked before them, and told after them."""
        if around is not None:
            headers.update(stamps_of(around[0](self, **headers)))
            self._put_stamps(headers, append_stamps=append_stamps)
        for each in calls:
            each.stamp(visitor, append_stamps, **headers)
        if around is not None:
            around[1](self, **headers)
        return self

    def _take_place(self, **given: Any) -> None:
        """Belong to a group, a chord, a parent: as far as these are given."""
        self["options"].update({key: value for key, value in given.items() if value is not None})

    def _put_stamps(self, headers: dict[str, Any], *, append_stamps: bool) -> None:
        given = dict(headers)
        names = given.pop("stamped_headers", None)
        known = list(self.options.get("stamped_headers") or ())
        own = {name: value for name, value in given.items() if names is None or name in names}
        if append_stamps:
            own = {**{name: self.options[name] for name in known if name in self.options}, **own}
        else:
            own = {name: value for name, value in own.items() if name not in known} | {
                name: self.options[name] for name in known if name in self.options
            }
        more = {name: value for name, value in given.items() if name not in own and name not in known}
        self["options"].update(more)
        self["options"].update(own, stamped_headers=sorted({*known, *own}))

    def stamp_links(self, visitor: Any, append_stamps: bool = False, **headers: Any) -> None:
        """Put stamps on its callbacks and errbacks, as a visitor gives them."""
        for option, visit in (("link", visitor.on_callback), ("link_error", visitor.on_errback)):
            links = as_list(self.options.get(option))
            made = [signature(each, app=self._app) for each in links]
            for each in made:
                more = {**headers, **stamps_of(visit(each, **headers))}
                each.stamp(visitor, append_stamps, **more)
            if made:
                self["options"][option] = made

    def election(self) -> Any:
        """Not offered: of all workers exactly one runs what is sent."""
        raise NotImplementedError("send it instead: of all workers exactly one runs it")

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

    def extend_list_option(self, key: str, value: Any) -> None:
        """Add several."""
        for each in value if isinstance(value, (list, tuple)) else [value]:
            self._append(key, each)

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
    def from_dict(cls, d: Mapping[str, Any], app: current.App | None = None) -> Any:
        """The signature that a dict describes, of the class of its kind; TypeError if it has no task."""
        if "task" not in d:
            raise TypeError(f"a signature has a task, and {brief(d, 100)} has none")
        name = d.get("subtask_type") or _BY_TASK.get(d.get("task", ""))
        if name and (name in cls.TYPES or name in _HOMES):
            target = cls.composed(name)
            if target is not cls:
                _check(d, name.lstrip("_"))
                return target.from_dict(d, app=app)
        _check(d)
        made: Signature[Any] = Signature(d, app=app)
        for key, value in (("args", ()), ("kwargs", {}), ("options", {}), ("subtask_type", None), ("immutable", False)):
            if made.get(key) is None:
                made[key] = value
        return made

    def __copy__(self) -> Signature[R]:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Signature[R]:
        from copy import deepcopy

        found: Signature[R] = type(self)._of(deepcopy(dict(self), memo), self._app)
        return found

    def __reduce__(self) -> Any:
        return signature, (dict(self),)

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The call as one would write it."""
        merged, keywords, _ = self._merge(args, kwargs, None)
        return f"{self['task']}({', '.join([*map(repr, merged), *(f'{k}={v!r}' for k, v in keywords.items())])})"

    def __json__(self) -> dict[str, Any]:
        return dict(self)

    def __repr__(self) -> str:
        return self.reprcall()


def shortened(first: Mapping[str, Any], text: str) -> str:
    """A text with the module of a call's task only where it stands first: `shop.pay() | send()`.

    Of a chain and the like, that of its first step.
    """
    while first["task"] in ("celery.chain", "celery.group", "celery.chord") and (inner := first["kwargs"].get("tasks")):
        first = inner[0]
    module = first["task"].rpartition(".")[0]
    if not module:
        return text
    before, mark, behind = text.partition(f"{module}.")
    return before + mark + behind.replace(mark, "") if mark else text


_HOMES = {
    "chain": "chain",
    "_chain": "chain",
    "group": "group",
    "chord": "chord",
    "_chord": "chord",
    "xmap": "mapped",
    "xstarmap": "mapped",
    "chunks": "mapped",
}


_BY_TASK = {"celery.map": "xmap", "celery.starmap": "xstarmap", "celery.chunks": "chunks"}
"""Composed signatures that have no `subtask_type`."""


_HELD = {
    "chain": ("tasks",),
    "group": ("tasks",),
    "chord": ("header",),
    "xmap": ("task", "it"),
    "xstarmap": ("task", "it"),
    "chunks": ("task", "it", "n"),
}
"""What the kwargs of composed signatures hold at least."""


def _check(d: Mapping[str, Any], name: str = "") -> None:
    """TypeError if a dict is no signature of that kind: what would fail later, somewhere, is said here."""
    for part, kinds, wanted in (("args", Iterable, "a list"), ("kwargs", Mapping, "a dict"), ("options", Mapping, "a dict")):
        found = d.get(part)
        if found and not isinstance(found, kinds):
            raise TypeError(f"{part} of a signature are {wanted}, not {brief(found, 50)}: {brief(d, 100)}")
    held = d.get("kwargs") or {}
    for part in _HELD.get(name, ()):
        if part not in held:
            raise TypeError(f"{name}: its kwargs hold {part!r}, and those of {brief(d, 100)} do not")
        if part in ("tasks", "it") and not isinstance(held[part], Iterable):
            raise TypeError(f"{name}: {part!r} is a list, not {brief(held[part], 50)}")


def unrolled(group: Any) -> Any:
    """A group of one as that one, an empty one as None, any other as it is."""
    inside = group.tasks
    if not isinstance(inside, (list, tuple)):
        return group
    if not inside:
        return None
    return inside[0] if len(inside) == 1 else group


def as_call(each: Any, app: current.App | None = None) -> Any:
    """A signature from what describes one; TypeError, with a hint, for anything else among the calls of a canvas."""
    if isinstance(each, Mapping) and isinstance(each.get("task"), str):
        return maybe_signature(each, app=app)
    hint = f"; write {each.name}.s(…)" if hasattr(each, "apply_async") and hasattr(each, "name") else ""
    raise TypeError(f"a canvas is made of signatures, and {each!r} is none{hint}")


def stamps_of(given: Any) -> dict[str, Any]:
    """What a visitor has given, which may be nothing."""
    return dict(given or {})


def _cannot(left: Any, sign: str, right: Any) -> str:
    odd = left if not isinstance(left, Signature) else right
    hint = f"; write {odd.name}.s(…)" if hasattr(odd, "apply_async") and hasattr(odd, "name") else ""
    return f"{sign!r} joins signatures, and {type(odd).__name__} is none{hint}"


def _copied(options: dict[str, Any]) -> dict[str, Any]:
    """Options whose lists are not shared with another signature."""
    return {key: list(value) if isinstance(value, list) else value for key, value in options.items()}


def as_pair(call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Arguments and keyword arguments of a call given as a tuple, a dict, or a signature."""
    if isinstance(call, Signature):
        return call.args, call.kwargs
    if not isinstance(call, (list, tuple, Mapping)):
        raise TypeError(f"a call is the tuple of its arguments, a dict of them or a signature, and not {brief(call, 100)}")
    return ((), call) if isinstance(call, Mapping) else (call, {})


def signature(varies: Any, *args: Any, **kwargs: Any) -> Any:
    """A signature from a task, a task's name, or a dict that describes one (a signature is copied)."""
    if isinstance(varies, Signature):
        return varies.clone()
    if isinstance(varies, Mapping):
        return Signature.from_dict(varies, app=kwargs.get("app"))
    return Signature(varies, *args, **kwargs)


subtask = signature


def maybe_signature(d: Any, app: current.App | None = None, clone: bool = False) -> Any:
    """A signature from whatever describes one; anything else, and None, as it is."""
    if d is None:
        return None
    if isinstance(d, Signature):
        d = d.clone() if clone else d
    elif isinstance(d, Mapping):
        d = Signature.from_dict(d, app=app)
    if app is not None and isinstance(d, Signature):
        d._app = app
    return d


maybe_subtask = maybe_signature
