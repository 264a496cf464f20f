"""Settings: where this face's defaults differ from umbel's, and Celery's table of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

DIFFERENT: dict[str, Any] = {
    "task_acks_late": False,
    "worker_prefetch_multiplier": 4,
    "task_shared_with_celery": True,
}
"""The one table of settings whose default is Celery's here, where umbel's own is another.

All others have the same default in both, or (`broker_url`, `result_backend`) one that is better for everybody.
"""

is_pypy = hasattr(sys, "pypy_version_info")
DEFAULT_POOL = "prefork"
DEFAULT_ACCEPT_CONTENT = ("json",)
DEFAULT_PROCESS_LOG_FMT = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"
DEFAULT_TASK_LOG_FMT = "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s"
DEFAULT_SECURITY_DIGEST = "sha256"
DEFAULT_QUEUE_PREFIX = os.environ.get("CELERY_QUEUE_PREFIX", "")


class Option:
    """One setting: its default, its type, and what it was called."""

    alt: str | None = None
    deprecate_by: str | None = None
    remove_by: str | None = None
    old: Any = frozenset()
    typemap: ClassVar[dict[str, Any]] = {
        "string": str,
        "int": int,
        "float": float,
        "any": lambda value: value,
        "bool": bool,
        "dict": dict,
        "tuple": tuple,
    }

    def __init__(self, default: Any = None, *args: Any, **kwargs: Any):
        self.default = default
        self.type = kwargs.pop("type", "string")
        for name, value in kwargs.items():
            setattr(self, name, value)

    def to_python(self, value: Any) -> Any:
        """The value that a text means."""
        return self.typemap[self.type](value)

    def __repr__(self) -> str:
        return f"<Option: type->{self.type} default->{self.default!r}>"


class searchresult(NamedTuple):  # noqa: N801 - Celery's name
    """Where a setting was found."""

    namespace: str
    key: str
    type: Any


_TYPES = {
    "text": "string",
    "whole": "int",
    "number": "float",
    "seconds": "float",
    "flag": "bool",
    "mapping": "dict",
    "policy": "dict",
    "names": "tuple",
    "slots": "any",
    "places": "string",
    "queues": "any",
    "routes": "any",
    "any": "any",
}
_SECTIONS = (
    "beat",
    "broker",
    "cache",
    "cassandra",
    "control",
    "event",
    "events",
    "redis",
    "result",
    "security",
    "task",
    "worker",
)


def _namespaces() -> dict[str, Any]:
    from umbel.settings import TABLE

    found: dict[str, Any] = {section: {} for section in _SECTIONS}
    for setting in TABLE:
        option = Option(DIFFERENT.get(setting.name, setting.default), type=_TYPES[setting.kind], old=set(setting.old))
        section, _, rest = setting.name.partition("_")
        if section in found and rest:
            found[section][rest] = option
        else:
            found[setting.name] = option
    return found


def flatten(d: Mapping[str, Any], root: str = "", keyfilter: Any = None) -> Iterator[tuple[str, Any]]:
    """All settings of nested sections, each with its full name."""
    for key, value in d.items():
        name = f"{root}_{key}" if root else key
        if isinstance(value, Mapping):
            yield from flatten(value, name, keyfilter)
        else:
            yield name, value


def find(name: str, namespace: str = "celery") -> searchresult:
    """Where the setting of that name is, with or without its section; KeyError if nowhere."""
    sections = sys.modules[__name__].NAMESPACES
    if namespace in sections and name in sections[namespace]:
        return searchresult(namespace, name, sections[namespace][name])
    for section, options in sections.items():
        if section == name:
            return searchresult("", name, options)
        if isinstance(options, Mapping):
            if name in options:
                return searchresult(section, name, options[name])
            if name.startswith(f"{section}_") and name[len(section) + 1 :] in options:
                rest = name[len(section) + 1 :]
                return searchresult(section, rest, options[rest])
    raise KeyError(name)


def __getattr__(name: str) -> Any:
    if name in ("NAMESPACES", "DEFAULTS"):
        spaces = _namespaces()
        globals()["NAMESPACES"] = spaces
        globals()["DEFAULTS"] = {key: option.default for key, option in flatten(spaces)}
        return globals()[name]
    from celery._names import absent

    raise absent(__name__, name)
