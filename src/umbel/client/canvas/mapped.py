"""One task for many arguments: in one message, or so many in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from umbel.canvas.shape import CHUNKS, STARMAP, chunked
from umbel.client import current
from umbel.client.canvas.signature import Signature, maybe_signature


class _Mapped(Signature[Any]):
    """What runs a task several times, one after the other, in one message."""

    _task_name = ""

    def __init__(self, task: Any, it: Iterable[Any], **options: Any):
        app = options.pop("app", None)
        task = _called(task, app)
        super().__init__(self._task_name, (), {"task": task, "it": list(it)}, options, immutable=True, app=app or task._app)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: current.App | None = None) -> Any:
        """That which a dict describes."""
        words = d["kwargs"]
        return cls(words["task"], words["it"], app=app, **(d.get("options") or {}))

    def apply_async(self, args: Any = None, kwargs: Any = None, route_name: str | None = None, **options: Any) -> Any:
        """Send it: to where its task would go."""
        words = self["kwargs"]
        route = {key: value for key, value in _route(words["task"]).items() if key not in self.options}
        return super().apply_async(args, kwargs, **{**route, **options})


class xmap(_Mapped):  # noqa: N801 - Celery's name
    """Runs a task with each of these arguments, one after the other, in one message; gives the list of values."""

    _task_name = "celery.map"

    def __repr__(self) -> str:
        return f"[{self.kwargs['task'].task}(x) for x in {self.kwargs['it']!r}]"


class xstarmap(_Mapped):  # noqa: N801 - Celery's name
    """The same with lists of arguments."""

    _task_name = STARMAP

    def __repr__(self) -> str:
        return f"[{self.kwargs['task'].task}(*x) for x in {self.kwargs['it']!r}]"


class chunks(Signature[Any]):  # noqa: N801 - Celery's name
    """Runs a task with many lists of arguments, `n` of them in one message."""

    def __init__(self, task: Any, it: Iterable[Any], n: int, **options: Any):
        if n < 1:
            raise ValueError(f"a chunk holds at least one list of arguments, not {n!r}")
        app = options.pop("app", None)
        task = _called(task, app)
        super().__init__(CHUNKS, (), {"task": task, "it": list(it), "n": n}, options, immutable=True, app=app or task._app)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: current.App | None = None) -> Any:
        """The chunks that a dict describes."""
        words = d["kwargs"]
        return cls(words["task"], words["it"], words["n"], app=app, **(d.get("options") or {}))

    def __call__(self, **options: Any) -> Any:
        """Send them."""
        return self.apply_async(**options)

    def apply_async(self, args: Any = None, kwargs: Any = None, **opts: Any) -> Any:  # type: ignore[override]  # Celery's name
        """Send all; gives a `GroupResult`, of which each part is the list of values of one message."""
        return self.group().apply_async(args, kwargs, **_route(self.kwargs["task"]), **opts)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run all here and now."""
        return self.group().apply(args, kwargs, **options)

    def group(self) -> Any:
        """The group of messages that they are."""
        words = self["kwargs"]
        parts = [xstarmap(each["kwargs"]["task"], each["kwargs"]["it"], app=self._app) for each in chunked(**_words(words))]
        return self.composed("group")(parts, app=self._app, **self.options)

    @classmethod
    def apply_chunks(cls, task: Any, it: Iterable[Any], n: int, app: current.App | None = None) -> Any:
        """Make and send them."""
        return cls(task, it, n, app=app)()


def _words(words: Mapping[str, Any]) -> dict[str, Any]:
    return {"task": words["task"], "lists": words["it"], "size": words["n"]}


def _called(task: Any, app: current.App | None) -> Signature[Any]:
    """The task as a signature."""
    found: Signature[Any] = maybe_signature(task, app=app) if isinstance(task, Mapping) else task.s()
    return found


def _route(task: Any) -> dict[str, Any]:
    """Where calls of a task go that its signature sends somewhere of its own."""
    return {key: value for key, value in task["options"].items() if key in ("queue", "exchange", "routing_key", "priority")}


Signature.register_type("xmap")(xmap)
Signature.register_type("xstarmap")(xstarmap)
Signature.register_type("chunks")(chunks)
