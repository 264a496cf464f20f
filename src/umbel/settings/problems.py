"""Tells what is wrong with a configuration, all of it together, in lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from umbel import shown
from umbel.settings.idle import harmless, refusal
from umbel.settings.kinds import KINDS, fits
from umbel.settings.source import NAMES, OLD_NAMES, SECTIONS, Layer

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


NEAR = 0.85
"""So much alike are a name and its slip of the pen; what is less like any is somebody's own."""


def problems_of(layers: Sequence[Layer], values: Mapping[str, Any], namespace: str | None) -> list[str]:
    """A line for each fault in `layers` (strongest first) and in the `values` they give together."""
    lines: list[str] = []
    for layer in layers:
        lines += layer.clashes
        lines += [_unknown(layer, key, near, namespace) for key, near in _strangers(layer) if near]
    return [*lines, *refusals(layers), *_ranges(values), *_clashes(values)]


def refusals(layers: Sequence[Layer]) -> list[str]:
    """A line for each value that is not of its setting's kind, or that would be taken without effect and must not be."""
    lines: list[str] = []
    for layer in layers:
        lines += misfits(layer, layer.values)
        for name, value in layer.values.items():
            instead = refusal(name, value)
            if instead:
                told = f" = {shown.value(name, value)}" if isinstance(value, (str, int)) else ""
                lines.append(f"{layer.keys.get(name, name)}{told} ({layer.name}) is refused: {instead}")
    return lines


def idle(layers: Sequence[Layer], namespace: str | None) -> list[str]:
    """A line for each setting that changes nothing, or that nobody here knows, if it is not at its default."""
    lines: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.values.items():
            why = harmless(name) if name in NAMES and not NAMES[name].effect else None
            if why and value != NAMES[name].default and value is not None:
                lines.setdefault(name, f"{layer.keys.get(name, name)} ({layer.name}) changes nothing: {why}")
        for key, near in _strangers(layer):
            if not near and (layer.name != "app.conf" or key.startswith(SECTIONS)):
                lines.setdefault(key, _unknown(layer, key, None, namespace) + " is kept, and umbel has no use for it")
    return list(lines.values())


def _strangers(layer: Layer) -> list[tuple[str, str | None]]:
    """Keys that are no setting's, each with the setting that it is nearly called like."""
    return [(key, nearest(key, cutoff=NEAR)) for key in layer.strange if key in layer.values]


def _unknown(layer: Layer, key: str, near: str | None, namespace: str | None) -> str:
    prefix = f"{namespace}_".replace("__", "_") if namespace and layer.name.startswith("config source") else ""
    written, wanted = (f"{prefix}{key.upper()}", f"{prefix}{(near or '').upper()}") if prefix else (key, near)
    return f"unknown setting {written} ({layer.name})" + (f": did you mean {wanted}?" if near else "")


def misfits(layer: Layer, names: Iterable[str]) -> list[str]:
    """A line for each of these values that is not of its setting's kind."""
    return [
        f"{layer.keys.get(name, name)} = {shown.value(name, layer.values[name])} ({layer.name}):"
        f" expected {KINDS[NAMES[name].kind].expected}"
        for name in layer.values
        if name in names and name in NAMES and not fits(NAMES[name].kind, layer.values[name])
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
