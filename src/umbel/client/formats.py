"""Whether somebody knows the serializers that settings and tasks name. What is registered later than it is named counts, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from umbel import shown
from umbel.errors import ImproperlyConfigured
from umbel.settings import Settings

if TYPE_CHECKING:
    from umbel.client.task import Task

_WRITING = ("task_serializer", "result_serializer", "event_serializer")
_ALWAYS = ("json", "msgpack", "pickle")
"""Those that are always there."""
_READING = ("accept_content", "result_accept_content")


def strange_in(conf: Settings) -> list[str]:
    """A line for each setting that names a serializer which nobody knows."""
    names = [(setting, conf[setting]) for setting in _WRITING]
    names += [(setting, name) for setting in _READING for name in conf[setting] or () if "/" not in name]
    return [
        f"{setting} = {shown.value(setting, conf[setting])} ({conf.source(setting)}): {wrong}"
        for setting, name in names
        if name is not None and (wrong := _unknown(name))
    ]


def strange_tasks(tasks: Iterable[Task[..., Any]]) -> list[str]:
    """The same for tasks with a serializer of their own."""
    return [
        f"{task.name}: serializer = {task.serializer!r}: {wrong}"
        for task in tasks
        if task.serializer and (wrong := _unknown(task.serializer))
    ]


def _unknown(name: str) -> str | None:
    if name in _ALWAYS:
        return None
    from umbel.wire import encoding  # here, as hardly anybody names another one

    return encoding.unknown(name)


def refuse(conf: Settings) -> None:
    """Raise ImproperlyConfigured for what the settings name and nobody knows."""
    if lines := strange_in(conf):
        raise ImproperlyConfigured("\n".join(lines))
