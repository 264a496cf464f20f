"""Where settings are read from: modules, objects, dicts and the environment. Finds names and values, judges nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from umbel.errors import ImproperlyConfigured
from umbel.settings.kinds import loosely
from umbel.settings.table import OVERRIDES, TABLE

NAMES = {setting.name: setting for setting in TABLE}
OLD_NAMES = {old: setting for setting in TABLE for old in setting.old}
SECTIONS = ("task_", "worker_", "broker_", "result_", "beat_", "event_", "control_")

_ABSENT: Any = object()


class Layer:
    """The settings of one source: values by name, the key each was written as, and what was odd while reading."""

    def __init__(self, name: str):
        self.name = name
        self.values: dict[str, Any] = {}
        self.keys: dict[str, str] = {}
        self.strange: list[str] = []
        """Keys that are no setting: the user's own, unless they look like one."""
        self.own: dict[str, Any] = {}
        """What else there is, as it is called there."""
        self.clashes: list[str] = []

    def put(self, key: str, value: Any) -> None:
        """Keep a value under the setting's name; a later one replaces it."""
        setting = NAMES.get(key) or OLD_NAMES.get(key)
        if setting is None:
            self.values[key] = value
            if key not in self.strange:
                self.strange.append(key)
        else:
            self.values[setting.name] = loosely(setting.kind, value)
            self.keys[setting.name] = key

    def put_once(self, key: str, value: Any) -> None:
        """The same, where one source gives all at once: two spellings of one setting with different values clash."""
        setting = NAMES.get(key) or OLD_NAMES.get(key)
        first = setting and self.keys.get(setting.name)
        if setting and first and first != key and self.values[setting.name] != loosely(setting.kind, value):
            self.clashes.append(f"{first} and {key} ({self.name}) are one setting with two values: keep one")
        if not first or NAMES.get(key):
            self.put(key, value)


def from_object(source: Any, namespace: str | None, *, silent: bool = False) -> Layer:
    """The settings in a module (or its path, or `module:attribute`), an object or a dict.

    With a namespace only keys that begin with it count, and only new names; without, new names and old upper-case ones.
    """
    layer = Layer(f"config source {source}" if isinstance(source, str) else "config source")
    if isinstance(source, str):
        try:
            source = find(source)
        except ImportError as problem:
            if silent:
                return layer
            raise ImproperlyConfigured(f"configuration {source!r} cannot be imported: {problem}") from problem
    if namespace:
        for key, value in _in_namespace(source, namespace):
            layer.put_once(key, value)
    else:
        for key, value in _plain(source):
            layer.put_once(key, value)
    is_own = isinstance(source, Mapping)
    layer.own = {} if is_own else {key: value for key, value in _items(source) if not callable(value) and not _is_module(value)}
    return layer


def find(path: str) -> Any:
    """What `module`, `module:attribute` or `module.attribute` names."""
    name, colon, attribute = path.partition(":")
    if colon:
        return _attribute(import_module(name), attribute, path)
    try:
        return import_module(name)
    except ModuleNotFoundError as problem:
        parent, _, attribute = name.rpartition(".")
        if not parent or problem.name != name:
            raise
        return _attribute(import_module(parent), attribute, path)


def _attribute(module: Any, attribute: str, path: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError as problem:
        raise ImportError(f"module {module.__name__!r} has no {attribute!r} (in {path!r})") from problem


def _items(source: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(source, Mapping):
        yield from source.items()
    else:
        for key in dir(source):
            if key.startswith("_"):
                continue
            value = getattr(source, key, _ABSENT)
            if value is not _ABSENT:  # an object may list what it has not, as Django's settings do
                yield key, value


def _is_module(value: object) -> bool:
    return isinstance(value, ModuleType)


def _in_namespace(source: Any, namespace: str) -> Iterator[tuple[str, Any]]:
    prefix = namespace if namespace.endswith("_") else f"{namespace}_"
    for key, value in _items(source):
        if key.startswith(prefix) and (key.isupper() or not prefix.isupper()):
            yield key[len(prefix) :].lower(), value


def _plain(source: Any) -> Iterator[tuple[str, Any]]:
    """Everything in a dict; of a module or object only what is, or is named like, a setting."""
    everything = isinstance(source, Mapping)
    for key, value in _items(source):
        known = key in NAMES or key in OLD_NAMES
        if known or everything or (key.startswith((*SECTIONS, "CELERY", "BROKER_")) and not callable(value)):
            yield key, value


def from_environment() -> Layer:
    """What `UMBEL_<NAME>` variables set."""
    layer = Layer("environment")
    given = {variable for variable in os.environ if variable.startswith("UMBEL_")}
    for setting in TABLE if given else ():
        if setting.env in given:
            layer.put(setting.name, os.environ[setting.env])
            layer.keys[setting.name] = setting.env
    return layer


def overrides() -> Layer:
    """What Celery's own variables set (`CELERY_BROKER_URL` and its like): they win over the program."""
    layer = Layer("environment")
    for name, variable in OVERRIDES.items():
        if text := os.environ.get(variable):
            layer.put(name, text)
            layer.keys[name] = variable
    return layer
