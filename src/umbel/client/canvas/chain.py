"""Calls one after the other, each with the value of the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from umbel.canvas.settle import settle
from umbel.canvas.shape import CHAIN, CHORD, GROUP, as_list, kind, made, members
from umbel.client import current
from umbel.client.canvas.begin import begin, play
from umbel.client.canvas.signature import Signature, as_call, maybe_signature, shortened, unrolled
from umbel.client.results.result import result_from_tuple


class _chain(Signature[Any]):  # noqa: N801 - Celery's name
    """Calls one after the other, as they are given: `chain` arranges them first."""

    def __init__(self, *tasks: Any, **options: Any):
        app = options.pop("app", None)
        given = tasks[0] if len(tasks) == 1 and not isinstance(tasks[0], Mapping) and isinstance(tasks[0], Iterable) else tasks
        self._app = app
        dict.__init__(self, made(CHAIN, {"tasks": [as_call(each, app) for each in given]}, options))
        self["args"] = ()

    @property
    def tasks(self) -> list[Any]:
        """The steps."""
        return self["kwargs"]["tasks"]  # type: ignore[no-any-return]  # values of a dict are Any

    @tasks.setter
    def tasks(self, steps: Iterable[Any]) -> None:
        self["kwargs"]["tasks"] = list(steps)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: current.App | None = None) -> Any:
        """The chain that a dict describes."""
        steps = [as_call(each, app) for each in members(d)]
        found = _chain._of({**d, "args": tuple(d.get("args") or ())}, app)
        found["kwargs"] = {**d["kwargs"], "tasks": steps}
        found["options"] = dict(d.get("options") or {})
        return found

    def _app_inside(self) -> current.App | None:
        return next((each._app or each._app_inside() for each in self.tasks if isinstance(each, Signature)), None)

    def __getitem__(self, key: Any) -> Any:
        return self.tasks[key] if isinstance(key, (int, slice)) else dict.__getitem__(self, key)

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Send it."""
        return self.apply_async(args, kwargs) if self.tasks else None

    def __or__(self, other: Any) -> Any:
        other = self._partner(other, "|")
        if not self.tasks and kind(other) == GROUP and kind(found := unrolled(other) or self) == GROUP:
            return found
        longer = self.clone()
        longer._take(other)
        return longer

    def _take(self, other: Any) -> None:
        """Add what is to follow, in place: a chord, where it follows a group; to the body of a chord, where it follows one."""
        what = kind(other)
        if what == GROUP:
            other = unrolled(other)
            if other is None:
                return
            what = kind(other)
        if what == CHAIN:
            for each in members(other):
                self._take(each)
            return
        steps = self.tasks
        last = steps[-1] if steps else None
        if last is not None and kind(last) == GROUP and what != GROUP and len(steps) > 1 and kind(steps[-2]) == CHORD:
            del steps[-1]
            self._take(last)
            self._take(other)
        elif last is not None and kind(last) == GROUP and what != GROUP:
            steps[-1] = self.composed("chord")(last, other, app=self._app)
        elif last is not None and kind(last) == CHORD and what != CHORD:
            if not last.is_ours:
                last = steps[-1] = last.clone()
                last.is_ours = True
            last._take(other)
        else:
            steps.append(other)

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """A copy, with steps of its own."""
        found = super().clone(*args, **kwargs)
        found["kwargs"] = {**found["kwargs"], "tasks": [each.clone() for each in self.tasks]}
        return found

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Settle the ids that it will be sent with, and give the result to come: that of its last step."""
        from umbel.wire.ids import new_id

        tree = settle(self, new_id, id_=_id)
        self.tasks = [maybe_signature(each, app=self._app) for each in self.tasks]
        if self.tasks and (group_id or chord is not None):
            end = self.tasks[-1].body if kind(self.tasks[-1]) == CHORD else self.tasks[-1]
            end._take_place(group_id=group_id, chord=chord, group_index=group_index)
        return result_from_tuple(tree, self.app)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]  # as Celery's
        """Send it, the first step with these arguments before its own; gives the result of the last, which has parents."""
        if not self.tasks:
            return None
        return begin(self, args, kwargs, options)

    def run(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """The same."""
        return self.apply_async(args, kwargs, **options)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run it here and now, as workers would; gives the result of the last step."""
        return play(self, args, kwargs, options) if self.tasks else None

    def unchain_tasks(self) -> list[Any]:
        """Copies of its steps; callbacks and errbacks of the chain hang on them."""
        steps = [each.clone() for each in self.tasks]
        if steps:
            for each in as_list(self.options.get("link")):
                steps[-1].link(each)
            for each in as_list(self.options.get("link_error")):
                for step in steps:
                    step.link_error(each)
        return steps

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on each step."""
        around = None if visitor is None else (visitor.on_chain_start, visitor.on_chain_end)
        return self._stamp_each(self.tasks, around, visitor, append_stamps, headers)

    def __repr__(self) -> str:
        return shortened(self.tasks[0], " | ".join(map(repr, self.tasks))) if self.tasks else "<empty chain>"


class chain(_chain):  # noqa: N801 - Celery's name
    """Calls one after the other: `chain(a, b, c)` is `a | b | c`. What follows a group gets the list of its values."""

    def __new__(cls, *tasks: Any, **kwargs: Any) -> Any:
        app = kwargs.get("app")
        several = tasks[0] if len(tasks) == 1 else tasks
        if not kwargs.keys() - {"app"} and tasks and isinstance(several, Iterable) and not isinstance(several, Mapping):
            return _joined([as_call(each, app) for each in several], app)
        return _chain(*tasks, **kwargs)


def _joined(steps: list[Any], app: current.App | None) -> Any:
    """What `|` makes of all of them, in as many steps as there are."""
    found: Any = _chain(app=app)
    is_ours = True
    for each in steps:
        other = found._partner(each, "|")
        grows = (found.tasks or kind(other) != GROUP) if kind(found) == CHAIN else kind(found) == CHORD and kind(other) is None
        if is_ours and grows:
            found._take(other)
        else:
            before, found = found, found | other
            is_ours = found is not before and found is not other
            if is_ours:
                found.is_ours = True
    return found


Signature.register_type("chain")(_chain)
Signature.register_type("_chain")(_chain)
