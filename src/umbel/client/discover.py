"""Finds the app that a command line names, and the modules that hold tasks."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from umbel.client.app import Umbel
from umbel.errors import ImproperlyConfigured

NAMES = ("app", "celery", "umbel")
"""What an app is called in its module, or the module in its package."""


def find_app(text: str) -> Umbel:
    """The app that `module`, `module:attribute`, `module.attribute` or a package with a module `celery` names.

    The current directory is searched first. What a module raises while it is imported is passed on as it is.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    name, colon, attribute = text.partition(":")
    module = _module(name, text)
    if colon:
        return _app_in(_attribute(module, attribute, text), text)
    return _app_in(module, text)


def _module(name: str, text: str) -> Any:
    if not name or name.startswith("."):
        raise ImproperlyConfigured(f"app {text!r} is no module name; expected `module` or `module:attribute`")
    try:
        return import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name is None or not (name == problem.name or name.startswith(f"{problem.name}.")):
            raise  # something that the module itself imports is missing
        parent, _, attribute = name.rpartition(".")
        if parent and problem.name == name:
            return _attribute(_module(parent, text), attribute, text)
        raise ImproperlyConfigured(
            f"app {text!r}: there is no module {problem.name!r} here ({os.getcwd()}); name it with -A, or go where it is"
        ) from None


def _attribute(module: Any, path: str, text: str) -> Any:
    found = module
    for part in path.split("."):
        if not hasattr(found, part):
            named = getattr(found, "__name__", repr(found))
            apps = ", ".join(repr(key) for key, value in vars(module).items() if isinstance(value, Umbel))
            raise ImproperlyConfigured(
                f"app {text!r}: {named!r} has no {part!r}" + (f"; it has the app {apps}" if apps else "; it has no app at all")
            )
        found = getattr(found, part)
    return found


def _app_in(found: Any, text: str) -> Umbel:
    """The app that was found, or the one inside the module that was."""
    if isinstance(found, Umbel):
        return found
    if not isinstance(found, ModuleType):
        raise ImproperlyConfigured(f"app {text!r} is {type(found).__name__}, not an Umbel app")
    for name in NAMES:
        inner = getattr(found, name, None)
        if isinstance(inner, Umbel):
            return inner
    for name in NAMES:
        inner = getattr(found, name, None)
        if not isinstance(inner, ModuleType) and hasattr(found, "__path__"):
            inner = _optional(f"{found.__name__}.{name}")
        if isinstance(inner, ModuleType) and inner.__name__.startswith(f"{found.__name__}."):
            return _app_in(inner, text)
    for inner in vars(found).values():
        if isinstance(inner, Umbel):
            return inner
    raise ImproperlyConfigured(f"app {text!r}: module {found.__name__!r} has no Umbel app; name it: -A {found.__name__}:NAME")


def _optional(name: str) -> ModuleType | None:
    """The module, if there is one of that name; what it raises itself is raised."""
    try:
        return import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name != name:
            raise
        return None
