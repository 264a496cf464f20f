"""Tells what is wrong with a configuration, all of it together, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from umbel.settings.kinds import KINDS, fits
from umbel.settings.source import NAMES, OLD_NAMES, Layer

_POSITIVE = ("broker_lease", "task_max_deliveries", "worker_async_concurrency", "task_time_limit", "task_soft_time_limit")
_NOT_NEGATIVE = (
    *("broker_publish_timeout", "task_unknown_ttl", "worker_warm_stop_timeout", "result_expires"),
    *("worker_soft_shutdown_timeout", "task_dead_limit", "task_dead_ttl"),
    *("worker_prefetch_multiplier", "worker_max_tasks_per_child", "worker_max_memory_per_child"),
)


def nearest(name: str, *, cutoff: float = 0.6) -> str | None:
    """The known name that is most like `name`."""
    import difflib

    known = OLD_NAMES if name.isupper() else NAMES
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def problems_of(layers: Sequence[Layer], values: Mapping[str, Any], namespace: str | None) -> list[str]:
    """A line for each fault in `layers` (strongest first) and in the `values` they give together."""
    lines: list[str] = []
    for layer in layers:
        inside = bool(namespace) and layer.name.startswith("config source")
        lines += layer.clashes
        lines += _unknown(layer, f"{namespace}_".replace("__", "_") if inside else None)
        lines += _misfits(layer)
    return [*lines, *_ranges(values), *_clashes(values)]


def _unknown(layer: Layer, prefix: str | None) -> list[str]:
    """Names inside the namespace must be known; elsewhere only those that look like a slip of the pen are told."""
    lines = []
    for key in layer.strange:
        near = nearest(key, cutoff=0.6 if prefix else 0.85)
        written = f"{prefix}{key.upper()}" if prefix else key
        wanted = f"{prefix}{near.upper()}" if prefix and near else near
        if prefix or near:
            lines.append(f"unknown setting {written} ({layer.name})" + (f": did you mean {wanted}?" if wanted else ""))
    return lines


def _misfits(layer: Layer) -> list[str]:
    return [
        f"{layer.keys.get(name, name)} = {value!r} ({layer.name}): expected {KINDS[NAMES[name].kind].expected}"
        for name, value in layer.values.items()
        if name in NAMES and not fits(NAMES[name].kind, value)
    ]


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _ranges(values: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in (*_POSITIVE, *_NOT_NEGATIVE):
        number = _number(values[name])
        least = "more than 0" if name in _POSITIVE else "0 or more"
        if number is not None and (number < 0 or (number == 0 and name in _POSITIVE)):
            lines.append(f"{name} = {values[name]!r}: expected {least}")
    priority = _number(values["task_default_priority"])
    if priority is not None and not 0 <= priority <= 9:
        lines.append(f"task_default_priority = {values['task_default_priority']!r}: expected 0 to 9 (9 is most urgent)")
    return lines


def _clashes(values: Mapping[str, Any]) -> list[str]:
    lines = []
    soft, hard = _number(values["task_soft_time_limit"]), _number(values["task_time_limit"])
    if soft is not None and hard is not None and soft > hard:
        lines.append(f"task_soft_time_limit = {soft:g} is longer than task_time_limit = {hard:g}: it would never pass")
    zone = values["timezone"]
    if isinstance(zone, str) and not _zone_exists(zone):
        lines.append(f"timezone = {zone!r}: no such time zone (try 'Europe/Berlin', or 'UTC')")
    return lines


def _zone_exists(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return False
    return True
