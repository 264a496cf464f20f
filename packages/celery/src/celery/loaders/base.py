"""What loaders do."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from celery.utils.collections import DictAttribute
from celery.utils.imports import find_module, import_from_cwd, symbol_by_name
from umbel.client.loader import Loader
from umbel.settings.settings import MODULE

unconfigured = object()


class BaseLoader(Loader):
    """Imports the modules of a program, reads settings, and is told of workers and runs."""

    builtin_modules = frozenset[str]()
    configured = False
    override_backends: dict[str, str] = {}  # noqa: RUF012 - Celery's
    _conf: Any = unconfigured

    def now(self, utc: bool = True) -> datetime:
        """The time; without a zone if it is not to be in UTC."""
        return datetime.now(UTC) if utc else datetime.now()  # noqa: DTZ005 - as Celery's

    def import_task_module(self, module: str) -> Any:
        """Import a module with tasks."""
        self.task_modules.add(module)
        return self.import_from_cwd(module)

    def import_module(self, module: str, package: str | None = None) -> Any:
        """Import a module."""
        return importlib.import_module(module, package=package)

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> Any:
        """Import a module, also from the current directory."""
        return import_from_cwd(module, self.import_module if imp is None else imp, package=package)

    def config_from_object(self, obj: Any, silent: bool = False) -> bool:
        """Take settings from an object or its path."""
        if isinstance(obj, str):
            try:
                obj = symbol_by_name(obj, imp=self.import_from_cwd)
            except (ImportError, AttributeError):
                if silent:
                    return False
                raise
        self._conf = obj if isinstance(obj, Mapping) else DictAttribute(obj)
        return True

    def cmdline_config_parser(
        self,
        args: Iterable[str],
        namespace: str = "celery",
        re_type: Any = re.compile(r"\((\w+)\)"),
        extra_types: Any = None,
        override_types: Any = None,
    ) -> dict[str, Any]:
        """Settings written as `name=value`, `section.name=value`, or with a type: `name=(int)3`."""
        from celery.app.defaults import Option

        types = {**Option.typemap, "json": json.loads, **(extra_types or {}), **(override_types or {})}
        types |= {name: json.loads for name in ("tuple", "list", "dict") if name not in (override_types or {})}

        def read(text: str) -> tuple[str, Any]:
            key, mark, value = text.partition("=")
            if not mark:
                raise ValueError(f"{text!r}: a setting on the command line is written name=value")
            key = key.strip().lower()
            if key.startswith("."):
                key = namespace + key
            found = re_type.match(value)
            key = key.replace(".", "_").removeprefix("celery_")
            if found:
                kind = found.group(1)
                if kind not in types:
                    raise ValueError(f"{text!r}: there is no type {kind!r}; there are {', '.join(sorted(types))}")
                return key, types[kind](value[found.end() :])
            return key, self._typed(key, value)

        return dict(read(each) for each in args)

    def _typed(self, key: str, value: str) -> Any:
        from umbel.settings.kinds import loosely
        from umbel.settings.source import NAMES

        if key not in NAMES:
            raise ValueError(f"there is no setting {key!r}")
        return loosely(NAMES[key].kind, value)

    def read_configuration(self, env: str = MODULE) -> Any:
        """The settings of the module that an environment variable names."""
        name = os.environ.get(env)
        return DictAttribute(self.import_from_cwd(name)) if name else {}

    def autodiscover_tasks(self, packages: Any, related_name: str | None = "tasks") -> None:
        """Import the modules of that name in packages."""
        self.task_modules.update(each.__name__ for each in autodiscover_tasks(packages, related_name) if each)

    @property
    def default_modules(self) -> tuple[str, ...]:
        """The modules that settings name."""
        conf = self.app.conf
        return (*self.builtin_modules, *(conf.imports or ()), *(conf.include or ()))

    def find_module(self, module: str) -> Any:
        """The module."""
        return find_module(module)

    @property  # type: ignore[override]  # of umbel's it can be set
    def conf(self) -> Any:
        """The settings."""
        if self._conf is unconfigured:
            self._conf = self.read_configuration()
        return self._conf


def autodiscover_tasks(packages: Any, related_name: str | None = "tasks") -> list[Any]:
    """The modules of that name in packages, imported; None for packages without one."""
    return [find_related_module(package, related_name) for package in packages]


def find_related_module(package: str, related_name: str | None) -> Any:
    """The module of that name in a package, imported; None if there is none."""
    from umbel.client.modules import related

    found = related([package], related_name)
    return importlib.import_module(found[0]) if found else None
