"""Importing by name."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

MP_MAIN_FILE = os.environ.get("MP_MAIN_FILE")


class NotAPackage(Exception):
    """What should hold a module is no package."""


def qualname(obj: Any) -> str:
    """Module and name of a class, or of an object's class."""
    if not hasattr(obj, "__name__") and hasattr(obj, "__class__"):
        obj = obj.__class__
    name = getattr(obj, "__qualname__", obj.__name__)
    return name if "." in obj.__name__ else f"{obj.__module__}.{name}"


def symbol_by_name(
    name: Any,
    aliases: Any = None,
    imp: Any = None,
    package: str | None = None,
    sep: str = ".",
    default: Any = None,
    **kwargs: Any,
) -> Any:
    """What a path names (`module.name`, `module:name`); anything but text as it is. `default` if it cannot be imported."""
    if not isinstance(name, str):
        return name
    name = (aliases or {}).get(name) or name
    if not isinstance(name, str):
        return name
    separator = ":" if ":" in name else sep
    module_name, _, attribute = name.rpartition(separator)
    if not module_name:
        module_name, attribute = (package, attribute) if package else (attribute, "")
    try:
        try:
            module = (imp or importlib.import_module)(module_name, package=package, **kwargs)
        except ValueError as problem:
            raise ValueError(f"{name!r} names no module: {problem}") from problem
        return getattr(module, attribute) if attribute else module
    except (ImportError, AttributeError):
        if default is None:
            raise
    return default


def instantiate(name: Any, *args: Any, **kwargs: Any) -> Any:
    """An object of the class that a path names."""
    return symbol_by_name(name)(*args, **kwargs)


@contextmanager
def cwd_in_path() -> Iterator[Any]:
    """Let modules of the current directory be found."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = None
    if not here or here in sys.path:
        yield None
        return
    sys.path.insert(0, here)
    try:
        yield here
    finally:
        with suppress(ValueError):
            sys.path.remove(here)


def find_module(module: str, path: Any = None, imp: Any = None) -> Any:
    """The module, imported with the current directory in the path; NotAPackage says which part of its name is none."""
    imp = imp or importlib.import_module
    with cwd_in_path():
        try:
            return imp(module)
        except ImportError:
            parts = module.split(".")
            for number in range(1, len(parts)):
                parent = ".".join(parts[:number])
                found = imp(parent)
                if not hasattr(found, "__path__"):
                    raise NotAPackage(parent) from None
            raise


def import_from_cwd(module: str, imp: Any = None, package: str | None = None) -> Any:
    """Import a module, also from the current directory."""
    with cwd_in_path():
        return (imp or importlib.import_module)(module, package=package)


def reload_from_cwd(module: ModuleType, reloader: Any = None) -> Any:
    """Load a module again."""
    with cwd_in_path():
        return (reloader or importlib.reload)(module)


def module_file(module: ModuleType) -> str:
    """The file of a module's source."""
    name = module.__file__ or ""
    return name.removesuffix("c") if name.endswith(".pyc") else name


def gen_task_name(app: Any, name: str, module_name: str | None) -> str:
    """The name of a task that is not given one."""
    from umbel.client.define import name_of

    return name_of(name, module_name, app.main)


def load_extension_class_names(namespace: str) -> Iterator[tuple[str, str]]:
    """Names and paths of the entry points of a group."""
    from importlib.metadata import entry_points

    for point in entry_points(group=namespace):
        yield point.name, point.value


def load_extension_classes(namespace: str) -> Iterator[tuple[str, Any]]:
    """Names and objects of the entry points of a group; what cannot be imported is told."""
    import warnings

    for name, path in load_extension_class_names(namespace):
        try:
            found = symbol_by_name(path)
        except (ImportError, SyntaxError) as problem:
            warnings.warn(f"{path!r} of the entry points {namespace} cannot be imported: {problem!r}", stacklevel=2)
        else:
            yield name, found
