"""Changes to attributes of tasks, as `task_annotations` says them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class MapAnnotation(dict[str, Any]):
    """Changes by the name of the task; `*` for all."""

    def annotate_any(self) -> Any:
        """Those for all tasks."""
        return dict(self["*"]) if "*" in self else None

    def annotate(self, task: Any) -> Any:
        """Those for this one."""
        return dict(self[task.name]) if task.name in self else None


def prepare(annotations: Any) -> tuple[Any, ...]:
    """Annotations as objects with `annotate`."""
    if annotations is None:
        return ()
    several = annotations if isinstance(annotations, (list, tuple)) else (annotations,)

    def opened(each: Any) -> Any:
        if isinstance(each, dict):
            return MapAnnotation(each)
        if isinstance(each, str):
            from celery.utils.imports import instantiate

            return instantiate(each)
        return each

    return tuple(map(opened, several))


def _first_match(anno: Any, task: Any) -> Any:
    return next((found for each in anno if (found := each.annotate(task))), None)


def _first_match_any(anno: Any) -> Any:
    return next((found for each in anno if (found := each.annotate_any())), None)


def resolve_all(anno: Any, task: Any) -> Iterator[Any]:
    """The changes for a task: its own, and those for all."""
    return (found for found in (_first_match(anno, task), _first_match_any(anno)) if found)
