"""Calls side by side, and one with the list of all their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from umbel.canvas.settle import settle
from umbel.canvas.shape import CHAIN, CHORD, GROUP, flat, kind, leaves, made
from umbel.client import current
from umbel.client.canvas.begin import begin, play
from umbel.client.canvas.lazy import Lazy
from umbel.client.canvas.signature import Signature, as_call, maybe_signature, shortened, stamps_of, unrolled
from umbel.client.results.result import result_from_tuple


class chord(Signature[Any]):  # noqa: N801 - Celery's name
    """Calls side by side, then `body` with the list of their values: `chord([a, b], c)` or `chord([a, b])(c)`."""

    def __init__(
        self,
        header: Any,
        body: Any = None,
        task: str = "celery.chord",
        args: Any = None,
        kwargs: Any = None,
        app: current.App | None = None,
        **options: Any,
    ):
        self._app = app
        words = {"kwargs": dict(kwargs or {}), "header": _header(header, app), "body": _body(body, app)}
        dict.__init__(self, made(CHORD, words, options))
        self["args"] = tuple(args or ())

    @property
    def tasks(self) -> Any:
        """The calls before the body."""
        found = self["kwargs"]["header"]
        if kind(found) == GROUP if isinstance(found, Mapping) else False:
            return maybe_signature(found).tasks
        return found

    @tasks.setter
    def tasks(self, calls: Any) -> None:
        self["kwargs"]["header"] = _header(calls, self._app)

    @property
    def body(self) -> Any:
        """What gets the values."""
        return self["kwargs"].get("body")

    @body.setter
    def body(self, body: Any) -> None:
        self["kwargs"]["body"] = _body(body)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: current.App | None = None) -> Any:
        """The chord that a dict describes."""
        found = chord._of({**d, "args": tuple(d.get("args") or ())}, app)
        words = d["kwargs"]
        found["kwargs"] = {
            "kwargs": {},
            **words,
            "header": _header(words["header"], app),
            "body": _body(words.get("body"), app),
        }
        found["options"] = dict(d.get("options") or {})
        return found

    def _app_inside(self) -> current.App | None:
        inside = self.tasks
        first = inside.peek() if isinstance(inside, Lazy) else next(iter(inside), None)
        for each in (self.body, first):
            if isinstance(each, Signature) and (found := each._app or each._app_inside()) is not None:
                return found
        return None

    def __call__(self, body: Any = None, **options: Any) -> Any:
        """Send it, with this body if it has none."""
        return self.apply_async((), {"body": body} if body is not None else {}, **options)

    def __or__(self, other: Any) -> Any:
        other = self._partner(other, "|")
        if kind(other) == CHAIN:
            return self._chain_of(self, *other.tasks)
        if kind(other) == GROUP:
            other = unrolled(other)
            if other is None:
                return self.clone()
            if kind(other) == GROUP:
                return self._chain_of(self, other)
        found = self.clone()
        found.body = other if self.body is None else self.body | other
        return found

    def _take(self, other: Any) -> None:
        """Let something follow the body, in place."""
        body = self.body
        if body is not None and body.is_ours and (kind(body) == CHAIN or kind(other) is None):
            body._take(other)
            return
        self.body = other if body is None else body | other
        self.body.is_ours = self.body is not other and kind(self.body) is not None

    def __length_hint__(self) -> int:
        return sum(leaves(each) for each in flat(self.tasks))

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """A copy, with calls and a body of its own."""
        found = super().clone(*args, **kwargs)
        words = self["kwargs"]
        inside = words["header"]
        if not _is_open(self):
            inside = inside.clone() if isinstance(inside, Signature) else [each.clone() for each in self.tasks]
        found["kwargs"] = {**words, **found["kwargs"], "header": inside, "body": maybe_signature(words.get("body"), clone=True)}
        return found

    def link(self, callback: Any) -> Any:
        """Send `callback` with the value of the body."""
        if self.body is not None:
            self.body.link(callback)
            return callback
        return super().link(callback)

    def link_error(self, errback: Any) -> Any:
        """Send or call `errback` if the body fails, or a call before it."""
        if getattr(self.app.conf, "task_allow_error_cb_on_chord_header", False):
            for each in self.tasks:
                each.link_error(maybe_signature(errback, clone=True))
        if self.body is not None:
            self.body.link_error(errback)
        return errback

    def set_immutable(self, immutable: bool) -> None:  # type: ignore[override]  # Celery's gives nothing
        """Say of each call before the body whether it takes further arguments."""
        for each in self.tasks:
            each.set_immutable(immutable)

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Settle the ids that it will be sent with, and give the result to come: that of its body."""
        from umbel.wire.ids import new_id

        tree = settle(self, new_id, id_=_id)
        self["kwargs"]["header"] = maybe_signature(self["kwargs"]["header"], app=self._app)
        if self.body is not None and (group_id or chord is not None):
            self.body._take_place(group_id=group_id, chord=chord, group_index=group_index)
        return result_from_tuple(tree, self.app)

    def apply_async(  # type: ignore[override]  # as Celery's
        self,
        args: Any = None,
        kwargs: Any = None,
        task_id: str | None = None,
        producer: Any = None,
        publisher: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        **options: Any,
    ) -> Any:
        """Send the calls before the body, with these arguments before their own; gives the result of the body.

        `countdown` and `eta` say when those begin; callbacks are the body's.
        """
        found, kwargs = self._bodied(kwargs)
        if task_id is not None:
            options["task_id"] = task_id
        return begin(found, args, kwargs, options)

    def apply(self, args: Any = None, kwargs: Any = None, propagate: bool = True, body: Any = None, **options: Any) -> Any:
        """Run it here and now; gives the result of the body."""
        found, kwargs = self._bodied({**(kwargs or {}), **({"body": body} if body is not None else {})})
        return play(found, args, kwargs, options)

    def _bodied(self, kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """This chord with the body that is among the keyword arguments, if one is, and the others."""
        words = dict(kwargs or {})
        given = words.pop("body", None)
        found = self
        if given is not None:
            found = chord._of(self, self._app)
            found["kwargs"] = {**self["kwargs"], "body": _body(given, self._app)}
        if found.body is None:
            raise TypeError("a chord has a body, which gets the values: chord(header, body), or chord(header)(body)")
        return found, {**self["kwargs"].get("kwargs", {}), **words}

    def run(
        self,
        header: Any,
        body: Any,
        partial_args: Any,
        app: Any = None,
        interval: float | None = None,
        countdown: float = 1,
        max_retries: int | None = None,
        eager: bool = False,
        task_id: str | None = None,
        kwargs: Any = None,
        header_delay: Any = None,
        **options: Any,
    ) -> Any:
        """Send `header` and `body` as a chord, by Celery's internal name of it."""
        made_ = chord(header, body, app=app or self._app)
        return made_.apply_async(partial_args, kwargs, task_id=task_id, **(header_delay or {}), **options)

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on the calls before the body, and on the body as a visitor gives them."""
        if visitor is not None and self.body is not None:
            more = stamps_of(visitor.on_chord_body(self, **headers))
            more = {**headers, **more} if more else dict(headers)
            self.body.stamp(visitor, append_stamps, **more)
        around = None if visitor is None else (visitor.on_chord_header_start, visitor.on_chord_header_end)
        return self._stamp_each(self.tasks, around, visitor, append_stamps, headers)

    def __repr__(self) -> str:
        before = "<generator>" if _is_open(self) else repr(list(self.tasks))
        if self.body is None:
            return f"<chord without body: {before}>"
        return shortened(self.body, f"%{_called(self.body, _Shown(before))}")


class _Shown(str):
    """Is its own repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _called(body: Any, header: _Shown) -> str:
    """A body called with the results of its header; of a chain the first step gets them."""
    if body["task"] == "celery.chain" and body.tasks:
        first, *rest = body.tasks
        return f"({' | '.join([_called(first, header), *map(repr, rest)])})"
    called: str = body.reprcall(header)
    return called


def _header(given: Any, app: current.App | None) -> Any:
    """What stands before the body: the calls of a group, or those given."""
    if isinstance(given, Mapping):
        found = maybe_signature(given, app=app)
        if kind(found) != GROUP:
            return [found]
        said = {key: value for key, value in found.options.items() if key != "task_id"}
        return found if said or found.options.get("task_id") or not isinstance(given, Signature) else found.tasks
    if isinstance(given, Lazy):
        return given
    if isinstance(given, Iterator) or not isinstance(given, (list, tuple)):
        if not isinstance(given, Iterable):
            raise TypeError(f"a chord begins with signatures, not with {type(given).__name__}")
        return Lazy(iter(given), app)
    return [as_call(each, app) for each in given]


def _body(given: Any, app: current.App | None = None) -> Any:
    """What gets the values, if that is said yet."""
    return None if given is None else as_call(given, app)


def _is_open(found: chord) -> bool:
    """True if its calls come from a generator that was not asked yet."""
    inside = found["kwargs"]["header"]
    return isinstance(inside, Lazy) and (inside.is_open or inside.is_spent)


Signature.register_type("chord")(chord)
Signature.register_type("_chord")(chord)
