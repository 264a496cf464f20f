"""Tasks from functions and classes, and the names they get."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from umbel.client import attributes
from umbel.client.current import App
from umbel.client.task import Configured, Task
from umbel.errors import ImproperlyConfigured
from umbel.wire.brief import brief


def make(function: Callable[..., Any], *, name: str, base: type[Task[..., Any]], app: App | None, options: dict[str, Any]) -> Any:
    """A task that runs `function`: the one instance of a class of its own, whose attributes are the options."""
    attributes.check(name, options, base)
    bind = options.pop("bind", False)
    given = {key: value for key, value in options.items() if value is not None or not _is_configured(base, key)}
    given |= {
        "name": name,
        "run": function if bind else staticmethod(function),
        "abstract": False,
        "_app": app,
        "__module__": function.__module__,
        "__doc__": function.__doc__,
        "__wrapped__": staticmethod(function),
        "__annotations__": dict(getattr(function, "__annotations__", {})),
    }
    kind = type(getattr(function, "__name__", name), (base,), given)
    task = kind()
    task.__dict__["__qualname__"] = getattr(function, "__qualname__", name)
    task.__dict__["__name__"] = getattr(function, "__name__", name)
    return task


def check(task: Task[..., Any]) -> None:
    """Raise ValueError for what the classes of a task say of it and cannot mean."""
    for kind in type(task).__mro__:
        if kind.__module__.startswith(("umbel.client", "celery.app.task")):
            continue
        for key, value in vars(kind).items():
            if key in attributes.KINDS and not hasattr(value, "__get__") and (wrong := attributes.misfit(key, value)):
                raise ValueError(f"{task.name}: {wrong}")
    attributes.check_limits(task.name, task.soft_time_limit, task.time_limit)


def stranger(name: object, app: App) -> Task[..., Any]:
    """A task of which nothing is known but its name: it can be sent, not run. ValueError if that is none."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"a task is sent by its name, and {brief(name, 100)} is none")
    task: Task[..., Any] = Task()
    task.name, task.app = name, app
    task.ignore_result = None  # the worker knows
    return task


def _is_configured(base: type, key: str) -> bool:
    """True if None means: as the settings say."""
    return any(isinstance(kind.__dict__.get(key), Configured) for kind in base.__mro__)


def is_same(task: Task[..., Any], function: Callable[..., Any]) -> bool:
    """True if the task was made of this function, or of the same one in a module that was imported twice."""
    codes = [getattr(each, "__code__", each) for each in (getattr(task, "__wrapped__", None), function)]
    places = [(getattr(code, "co_filename", code), getattr(code, "co_firstlineno", 0)) for code in codes]
    return places[0] == places[1]


def name_of(function: str, module: str | None, main: str | None) -> str:
    """`module.function`; what runs as a program is named as a worker will import it."""
    if module == "__main__":
        module = main or _main_module()
    return f"{module}.{function}" if module else function


def program(main: str | None) -> str:
    """What tells the schedule of an app from those of others: its name, the same in all its processes."""
    return (_main_module() if main == "__main__" else main) or "app"


def _main_module() -> str:
    """What `__main__` is called when somebody imports it."""
    program = sys.modules.get("__main__")
    spec = getattr(program, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(program, "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else "__main__"


def annotate(task: Task[..., Any], annotations: Any) -> None:
    """Change attributes of the task as `task_annotations` says."""
    several = annotations if isinstance(annotations, (list, tuple)) else [annotations]
    for each in several:
        if hasattr(each, "annotate"):
            changes = each.annotate(task)
        elif isinstance(each, Mapping) and all(isinstance(each.get(name, {}), Mapping) for name in ("*", task.name)):
            changes = {**each.get("*", {}), **each.get(task.name, {})}
        else:
            raise ImproperlyConfigured(
                f"task_annotations holds {brief(each)}; expected a dict such as {{{task.name!r}: {{'rate_limit': '10/m'}}}}"
            )
        for key, value in (changes or {}).items():
            if key.startswith("@"):
                _around(task, key[1:], value)
            else:
                setattr(task, key, value)


def _around(task: Task[..., Any], method: str, wrapper: Callable[..., Any]) -> None:
    inner = getattr(task, method)
    setattr(task, method, lambda *args, **kwargs: wrapper(inner, *args, **kwargs))
