"""Values that have not happened yet: what a task returns decides whether it is to be awaited, or cannot be a result at all."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

KINDS = frozenset({CoroutineType, GeneratorType, AsyncGeneratorType})


def settled(name: str, value: Any, soft: float | None = None) -> Any:
    """What a coroutine comes to, run here on a loop of its own; TypeError for a generator, whose code nobody would run."""
    if type(value) is CoroutineType:
        from umbel.execution import drive  # brings asyncio, which most tasks do without

        return drive.alone(lambda: drive.run(value, soft=soft, hard=None))
    refuse(name, value)
    return value


def refuse(name: str, value: Any) -> None:
    """Raise TypeError for a generator."""
    if type(value) in (GeneratorType, AsyncGeneratorType):
        if type(value) is GeneratorType:
            value.close()
        raise TypeError(f"{name} returned a generator, whose code has not run and never will: return list(…), or do not yield")
