"""Finds the app that a command line names, and the modules that hold tasks."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from umbel import guise
from umbel.client.app import Umbel
from umbel.errors import ImproperlyConfigured

log = guise.logger("umbel")

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
    if name.endswith(".py") or os.sep in name:
        name = _of_path(name, text)
    module = _module(name, text)
    if colon:
        return _app_in(_attribute(module, attribute, text), text)
    return _app_in(module, text)


def _of_path(path: str, text: str) -> str:
    """The module in a file: `shop/celery.py` is `shop.celery`."""
    if not os.path.exists(path):
        raise ImproperlyConfigured(f"app {text!r}: there is no file {os.path.abspath(path)}")
    folder, file = os.path.split(os.path.abspath(path.rstrip(os.sep)))
    names = [file.removesuffix(".py")]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        names.append(name)
    here = os.path.abspath(os.getcwd())
    while folder != here and folder.startswith(here + os.sep):  # a folder without __init__.py is a package, too
        folder, name = os.path.split(folder)
        names.append(name)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return ".".join(reversed(names)).removesuffix(".__init__")


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
    path = path.removesuffix("()")
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
        made = _made(found, text)
        if made is None:
            raise ImproperlyConfigured(f"app {text!r} is {type(found).__name__}, not an Umbel app, and has none")
        return made
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
    apps = {id(inner): (name, inner) for name, inner in vars(found).items() if isinstance(inner, Umbel)}
    for name, inner in apps.values():
        if len(apps) > 1:
            names = ", ".join(each for each, _ in apps.values())
            log.warning("%s has the apps %s: taken is %s; choose with -A %s:NAME", found.__name__, names, name, found.__name__)
        return inner
    raise ImproperlyConfigured(f"app {text!r}: module {found.__name__!r} has no Umbel app; name it: -A {found.__name__}:NAME")


def _made(found: Any, text: str) -> Umbel | None:
    """The app that a function makes, or that a web application has: Flask's in `extensions`, FastAPI's in `state`."""
    if callable(found) and not isinstance(found, Umbel) and (isinstance(found, FunctionType) or _inside(found) is None):
        try:
            found = found()
        except TypeError as problem:
            if problem.__traceback__ is not None and problem.__traceback__.tb_next is not None:
                raise  # from inside
            raise ImproperlyConfigured(f"app {text!r} cannot be called without arguments: {problem}") from None
    return found if isinstance(found, Umbel) else _inside(found)


def _inside(found: Any) -> Umbel | None:
    """The app that a web application has."""
    extensions = getattr(found, "extensions", None)
    several = [extensions.get(name) for name in NAMES] if isinstance(extensions, dict) else []
    for place in (found, getattr(found, "state", None)):
        several += [getattr(place, name, None) for name in (*NAMES, "celery_app")]
    return next((each for each in several if isinstance(each, Umbel)), None)


def _optional(name: str) -> ModuleType | None:
    """The module, if there is one of that name; what it raises itself is raised."""
    try:
        return import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name != name:
            raise
        return None
