"""What a worker says of its settings and of what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel import shown
from umbel.wire.brief import brief
from umbel.worker.control.panel import inspect_command, ok

if TYPE_CHECKING:  # the command line lists commands, and loads nothing of a worker for it
    from umbel.worker.control.state import State


@inspect_command(alias="dump_conf", signature="[include_defaults=False]", args=[("with_defaults", bool)])
def conf(state: State, with_defaults: bool = False, **_: Any) -> dict[str, Any]:
    """List configuration."""
    settings = state.app.conf
    names = settings if with_defaults else settings.without_defaults()
    return {name: masked(name, settings[name]) for name in sorted(names)}


def masked(name: str, value: Any) -> Any:
    """A setting as JSON can carry it, without what may be secret; passwords in URLs as Celery masks them."""
    told = shown.opened(name, value)
    return told.replace(f":{shown.MASK}@", f":{shown.HIDDEN}@") if isinstance(told, str) else plain(told)


def plain(value: Any) -> Any:
    """A value as JSON can carry it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return brief(value)


@inspect_command()
def report(state: State, **_: Any) -> dict[str, Any]:
    """Show what this worker is made of, for a bug report."""
    return ok(state.app.bugreport())
