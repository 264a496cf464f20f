"""Imports the modules that hold an app's tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec

Packages = Iterable[str] | Callable[[], Iterable[str]] | None


def related(packages: Iterable[str], name: str | None) -> list[str]:
    """The modules called `name` in those packages that have one; the packages themselves if `name` is None."""
    found = []
    for package in packages:
        if name is None:
            found.append(package)
            continue
        parent = _package(package)
        if parent and find_spec(f"{parent}.{name}") is not None:
            found.append(f"{parent}.{name}")
    return found


def _package(name: str) -> str | None:
    """The package that `name` names, or that holds the class it names (`app.apps.AppConfig`, as Django writes it)."""
    while name:
        try:
            module = import_module(name)
        except ModuleNotFoundError as problem:
            if problem.name is None or not (name == problem.name or name.startswith(f"{problem.name}.")):
                raise
            if "." not in name:
                raise
            name = name.rpartition(".")[0]
            continue
        if hasattr(module, "__path__"):
            return name
        name = name.rpartition(".")[0]
    return None


def installed_apps() -> list[str]:
    """The packages of Django's INSTALLED_APPS, if this is a Django project; else none."""
    if "DJANGO_SETTINGS_MODULE" not in os.environ or find_spec("django") is None:
        return []
    django = import_module("django")
    apps = import_module("django.apps").apps
    if not apps.ready:
        django.setup()
    return [config.name for config in apps.get_app_configs()]


def faults_of_project() -> list[str]:
    """What Django's checks find wrong in a Django project, a line for each; nothing if CELERY_SKIP_CHECKS is set."""
    is_asked = not any(os.environ.get(name) for name in ("UMBEL_SKIP_CHECKS", "CELERY_SKIP_CHECKS"))
    if not (is_asked and installed_apps()):
        return []
    checks = import_module("django.core.checks")
    try:
        found = checks.run_checks()
    except Exception as problem:  # whatever the project raises while it is looked at; it may work all the same
        return [f"they cannot be run: {type(problem).__name__}: {problem}"]
    return [f"{each.id}: {each.msg}" for each in found if each.level >= checks.ERROR and not each.is_silenced()]
