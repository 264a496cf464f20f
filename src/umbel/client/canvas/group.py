"""Calls side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from umbel.canvas.settle import settle
from umbel.canvas.shape import GROUP, kind, made
from umbel.client import current
from umbel.client.canvas.begin import begin, play
from umbel.client.canvas.lazy import Lazy
from umbel.client.canvas.signature import Signature, as_call, maybe_signature, shortened
from umbel.client.results.result import result_from_tuple


class group(Signature[Any]):  # noqa: N801 - Celery's name
    """Calls side by side: `group(a, b)`, `group([a, b])`, or of a generator, which is asked for its calls as they are sent."""

    def __init__(self, *tasks: Any, **options: Any):
        self._app = app = options.pop("app", None)
        given: Any = tasks
        if len(tasks) == 1:
            (only,) = tasks
            if isinstance(only, group) and kind(only) == GROUP:
                given = only.tasks
            elif isinstance(only, Mapping):
                given = [only]
            else:
                given = only
        if isinstance(given, Iterator):
            inside: Any = Lazy(given, app)
        elif isinstance(given, (list, tuple, Lazy)):
            inside = given if isinstance(given, Lazy) else [as_call(each, app) for each in given]
        elif isinstance(given, Iterable):
            inside = Lazy(iter(given), app)
        else:
            raise TypeError(f"a group is made of signatures, not of {type(given).__name__}")
        dict.__init__(self, made(GROUP, {"tasks": inside}, options))
        self["args"] = ()

    @property
    def tasks(self) -> Any:
        """The calls; of a generator, a list as soon as they are looked at."""
        inside = self["kwargs"]["tasks"]
        return inside if isinstance(inside, (list, Lazy)) else list(inside)

    @tasks.setter
    def tasks(self, calls: Iterable[Any]) -> None:
        self["kwargs"]["tasks"] = calls if isinstance(calls, Lazy) else list(calls)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: current.App | None = None) -> Any:
        """The group that a dict describes."""
        found = group._of({**d, "args": tuple(d.get("args") or ())}, app)
        found["kwargs"] = {**d["kwargs"], "tasks": [as_call(each, app) for each in d["kwargs"]["tasks"]]}
        found["options"] = dict(d.get("options") or {})
        return found

    def _app_inside(self) -> current.App | None:
        inside = self.tasks
        first = inside.peek() if isinstance(inside, Lazy) else next(iter(inside), None)
        return first._app or first._app_inside() if isinstance(first, Signature) else None

    def __getitem__(self, key: Any) -> Any:
        return self.tasks[key] if isinstance(key, (int, slice)) else dict.__getitem__(self, key)

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __call__(self, *partial_args: Any, **options: Any) -> Any:
        """Send it."""
        return self.apply_async(partial_args, **options)

    def __or__(self, other: Any) -> Any:
        """A chord: `other` is sent with the list of values."""
        other = self._partner(other, "|")
        if kind(other) == GROUP and isinstance(other.tasks, list) and not other.tasks:
            return self.clone()
        return self.composed("chord")(self, body=other, app=self._app)

    def __add__(self, other: Any) -> Any:
        """A group of the calls of both."""
        other = self._partner(other, "+")
        more = list(other.tasks) if kind(other) == GROUP else [other]
        return group([*self.tasks, *more], app=self._app, **self.options)

    def clone(self, args: Any = None, kwargs: Any = None, **opts: Any) -> Any:
        """A copy, with calls of its own; given arguments are for all of them."""
        found = group._of(self, self._app)
        _, _, found["options"] = self._merge((), None, opts)
        inside = self["kwargs"]["tasks"]
        if args or kwargs or isinstance(inside, list):
            inside = [each.clone(args, kwargs) for each in self.tasks]
        found["kwargs"] = {**self["kwargs"], "tasks": inside}
        return found

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> Any:
        """Let each call begin `step` seconds after the one before, from `start` on, and from there again beyond `stop`."""
        at = start
        for each in self.tasks:
            each.set(countdown=at)
            at += step
            if stop is not None and at >= stop:
                at = start
        return self

    def set_immutable(self, immutable: bool) -> None:  # type: ignore[override]  # Celery's gives nothing
        """Say of each call whether it takes further arguments."""
        for each in self.tasks:
            each.set_immutable(immutable)

    def link(self, sig: Any) -> Any:
        """Send `sig` after the first call, without its value."""
        if not self.tasks:
            return None
        return self.tasks[0].link(maybe_signature(sig).clone().set(immutable=True))

    def link_error(self, sig: Any) -> Any:
        """Send or call `sig` after the failure of any call."""
        for each in self.tasks:
            each.link_error(sig)
        return sig

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Settle the ids that it will be sent with, and give the result to come."""
        from umbel.wire.ids import new_id

        self.tasks = list(self.tasks)
        tree = settle(self, new_id, id_=_id)
        self.tasks = [maybe_signature(each, app=self._app) for each in self.tasks]
        if group_id or chord is not None:
            for each in self.tasks:
                each.freeze(group_id=group_id, chord=chord)
        return result_from_tuple(tree, self.app)

    def apply_async(  # type: ignore[override]  # as Celery's
        self,
        args: Any = None,
        kwargs: Any = None,
        add_to_parent: bool = True,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        **options: Any,
    ) -> Any:
        """Send all calls, a thousand in one step, with these arguments before their own; gives a `GroupResult`."""
        if link is not None:
            raise TypeError("a group has no end that a callback could follow: make it a chord, group(…) | callback")
        if link_error is not None:
            raise TypeError("a group has no end of its own to fail: give errbacks to its tasks, by group.link_error")
        if add_to_parent is False:
            options["add_to_parent"] = False
        return begin(self, args, kwargs, options)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run all calls here and now, one after the other; gives a `GroupResult`."""
        return play(self, args, kwargs, options)

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on each call."""
        around = None if visitor is None else (visitor.on_group_start, visitor.on_group_end)
        return self._stamp_each(self.tasks, around, visitor, append_stamps, headers)

    def __repr__(self) -> str:
        inside = self["kwargs"]["tasks"]
        if isinstance(inside, Lazy):
            return f"group({inside!r})"
        parts = list(inside)
        return shortened(parts[0], f"group({parts!r})") if parts else "group([])"


Signature.register_type("group")(group)
