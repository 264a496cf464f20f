"""The values of all settings, from all places where they can be set, the strongest first.

command line > CELERY_BROKER_URL and its like > app.conf (and `Umbel(...)`) > config source > UMBEL_* > add_defaults > default
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from threading import RLock
from typing import Any, ClassVar

from umbel import shown
from umbel.errors import ImproperlyConfigured
from umbel.settings import source as sources
from umbel.settings.kinds import fits
from umbel.settings.source import NAMES, OLD_NAMES, Layer

MODULE = "CELERY_CONFIG_MODULE"
"""Names the module with settings, where the program names none."""


class Settings(MutableMapping[str, Any]):
    """All settings by name, as attributes or items; what is set goes to the `app.conf` layer.

    Nothing is read from modules or the environment before the first value is asked for; what was set by then stays stronger.
    What is set in the program is looked at where it is set: ImproperlyConfigured says what its kind is.
    Any thread may read; those that come while another loads wait for it.
    `version` counts changes, for those who keep something derived from the values.
    """

    different: ClassVar[Mapping[str, Any]] = {}
    """Defaults that are others in a subclass than in the table."""

    def __init__(self, changes: Mapping[str, Any] | None = None, *, loaded: Callable[[], None] | None = None):
        set_ = object.__setattr__  # our own __setattr__ means settings
        set_(self, "version", 0)
        set_(self, "namespace", None)
        set_(self, "_loaded", loaded)
        set_(self, "_opened", None)
        set_(self, "_pending", [])
        set_(self, "_late_defaults", [])
        set_(self, "_lock", RLock())
        set_(self, "_is_loaded", False)
        set_(self, "_is_ready", False)
        set_(self, "_values", None)
        set_(self, "_looked_at", -1)
        set_(self, "_command_line", Layer("command line"))
        set_(self, "_overrides", Layer("environment"))
        set_(self, "_changes", Layer("app.conf"))
        set_(self, "_sources", [])
        set_(self, "_environment", Layer("environment"))
        set_(self, "_added", Layer("add_defaults"))
        set_(self, "_defaults", Layer("default"))
        for setting in NAMES.values():
            # Copied, since `conf.beat_schedule[name] = entry` is usual, and must not reach another app.
            default = setting.default.copy() if isinstance(setting.default, dict) else setting.default
            self._defaults.values[setting.name] = default
        self._defaults.values.update(self.different)
        self._put(changes or {})

    version: int
    namespace: str | None
    _loaded: Callable[[], None] | None
    _opened: Callable[[Any, bool], Any] | None
    _pending: list[tuple[Any, str | None, bool]]
    _late_defaults: list[Mapping[str, Any] | Callable[[], Mapping[str, Any]]]
    _lock: RLock
    _is_loaded: bool
    _is_ready: bool
    """True once loading is over; until then only the thread that loads sees values, and none of them is kept."""
    _values: dict[str, Any] | None
    _looked_at: int
    """The version that was found to be in order."""
    _command_line: Layer
    _overrides: Layer
    _changes: Layer
    _sources: list[Layer]
    _environment: Layer
    _added: Layer
    _defaults: Layer

    # Where values come from

    def read(self, source: Any, *, namespace: str | None = None, silent: bool = False, force: bool = False) -> None:
        """Take a module path, module, object or dict as config source, read when the first value is asked for (or by `force`).

        It replaces an earlier source.
        """
        object.__setattr__(self, "_pending", [(source, namespace, silent)])
        object.__setattr__(self, "namespace", namespace)
        if self._is_loaded or force:
            self._read_pending()

    def opened_by(self, opened: Callable[[Any, bool], Any]) -> None:
        """Let this have its word about each source when it is read: it gets the source, and whether it may be missing.

        What it gives is read instead. It also gets None if there is no source, and then gives one, or None.
        """
        object.__setattr__(self, "_opened", opened)

    def add_defaults(self, values: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Take values that anything else overrules; a callable is called when the first value is asked for."""
        self._late_defaults.append(values)
        if self._is_loaded:
            self._read_pending()

    def from_command_line(self, values: Mapping[str, Any]) -> None:
        """Take values that overrule all others."""
        for key, value in values.items():
            self._command_line.put(key, value)
        self._changed()

    def forget_command_line(self, names: Iterable[str]) -> None:
        """Forget what `from_command_line` has said of these."""
        for name in names:
            setting = NAMES.get(name) or OLD_NAMES.get(name)
            self._command_line.values.pop(setting.name if setting else name, None)
        self._changed()

    def load(self) -> None:
        """Read every source now; done by itself when the first value is asked for."""
        if self._is_ready:
            return
        with self._lock:
            if self._is_loaded:  # by another thread meanwhile; or by this one, whose receivers ask for values
                return
            object.__setattr__(self, "_is_loaded", True)
            try:
                self._load()
            except BaseException:
                object.__setattr__(self, "_is_loaded", False)
                raise
            object.__setattr__(self, "_is_ready", True)

    def _load(self) -> None:
        object.__setattr__(self, "_environment", sources.from_environment())
        object.__setattr__(self, "_overrides", sources.overrides())
        if not self._pending and not self._sources:
            module = os.environ.get(MODULE) if self._opened is None else self._opened(None, False)
            if module:
                object.__setattr__(self, "_sources", [sources.from_object(module, None)])
        self._read_pending()
        if self._loaded is not None:
            self._loaded()

    def _read_pending(self) -> None:
        for source, namespace, silent in self._pending:
            found = source if self._opened is None else self._opened(source, silent)
            object.__setattr__(self, "_sources", [sources.from_object(found, namespace, silent=silent)])
        self._pending.clear()
        for values in self._late_defaults:
            for key, value in (values() if callable(values) else values).items():
                self._added.put(key, value)
        self._late_defaults.clear()
        self._changed()

    def _layers(self) -> list[Layer]:
        """The strongest first."""
        return [
            *(self._command_line, self._overrides, self._changes),
            *self._sources,
            *(self._environment, self._added, self._defaults),
        ]

    def _changed(self) -> None:
        object.__setattr__(self, "_values", None)
        object.__setattr__(self, "version", self.version + 1)

    def _all(self) -> dict[str, Any]:
        self.load()
        values = self._values
        if values is None:
            values = {}
            for layer in reversed(self._layers()):
                values.update(layer.values)
            if self._is_ready:
                object.__setattr__(self, "_values", values)
        return values

    # Reading and writing

    def __getattr__(self, name: str) -> Any:
        """Values are of many types, so they are `Any`; the table tells which."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            from umbel.settings.problems import nearest  # loaded where something is wrong

            near = nearest(name)
            raise AttributeError(f"no setting {name!r}" + (f"; did you mean {near!r}?" if near else "")) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __getitem__(self, name: str) -> Any:
        values = self._values or self._all()
        if name in values:
            return values[name]
        if name in OLD_NAMES:
            return values[OLD_NAMES[name].name]
        return self._own(name)

    def _own(self, name: str) -> Any:
        """A value of the user's own, which his module holds beside settings."""
        for layer in self._sources:
            if name in layer.own:
                return layer.own[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        try:
            self[name]  # type: ignore[index]  # KeyError for what is no name
        except KeyError:
            return False
        return True

    def __setitem__(self, name: str, value: Any) -> None:
        self._put({name: value})
        self._changed()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value; before the settings are read, of one that the program has not set: this one, which is set."""
        if self._is_loaded:
            return super().setdefault(key, default)
        setting = OLD_NAMES.get(key)
        name = setting.name if setting else key
        if name not in self._changes.values:
            self[key] = default
        return self._changes.values[name]

    def update(self, *values: Any, **more: Any) -> None:
        """Set several; what is wrong with them is told together, and none of them is set."""
        self._put(dict(*values, **more))
        self._changed()

    def _put(self, given: Mapping[str, Any]) -> None:
        """Take what the program sets; ImproperlyConfigured for what is not of its setting's kind."""
        trial = Layer("app.conf")
        for key, value in given.items():
            trial.put(key, value)
        wrong = {name for name, value in trial.values.items() if name in NAMES and not fits(NAMES[name].kind, value)}
        if wrong:
            from umbel.settings.problems import misfits  # loaded where something is wrong

            raise ImproperlyConfigured("\n".join(misfits(trial, wrong)))
        for key, value in given.items():
            self._changes.put(key, value)

    def __delitem__(self, name: str) -> None:
        """Forget what `app.conf` says of it, so that the next source counts."""
        setting = OLD_NAMES.get(name)
        self._changes.values.pop(setting.name if setting else name, None)
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<Settings: {len(self.changes)} changed in app.conf>"

    @property
    def changes(self) -> dict[str, Any]:
        """What was set in the program itself: by `Umbel(...)` and on `app.conf`."""
        return self._changes.values

    def without_defaults(self) -> dict[str, Any]:
        """All that was set anywhere."""
        self.load()
        return {name: self[name] for layer in self._layers()[:-1] for name in layer.values}

    def value_set_for(self, name: str) -> bool:
        """True if anything but the default says what it is."""
        return name in self.without_defaults()

    def idle(self) -> list[str]:
        """What was set and changes nothing, a line for each that says why that does no harm."""
        self.load()
        from umbel.settings.problems import idle  # loaded where somebody wants to know

        return idle(self._layers()[:-1], self.namespace)

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """The settings as a dict: those that were set, or all; what is secret is masked."""
        values = dict(self) if with_defaults else self.without_defaults()
        return {name: shown.opened(name, value) if censored else value for name, value in values.items() if name[:1] != "_"}

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """The same as lines."""
        return "\n".join(f"{name}: {value!r}" for name, value in self.table(with_defaults, censored).items())

    def without_effect(self) -> list[str]:
        """The names of settings that were set and that umbel accepts, but does not use."""
        return sorted(name for name in self.without_defaults() if name in NAMES and not NAMES[name].effect)

    def source(self, name: str) -> str:
        """Where the value of a setting comes from, as `default`, `app.conf`, or `environment UMBEL_BROKER_URL`."""
        self.load()
        setting = NAMES.get(name) or OLD_NAMES.get(name)
        name = setting.name if setting else name
        for layer in self._layers():
            if name in layer.values:
                return f"{layer.name} {layer.keys.get(name, '')}".rstrip() if layer.name == "environment" else layer.name
        raise KeyError(name)

    def shown(self, name: str) -> str:
        """The value for people: its repr, with what is secret masked."""
        return shown.value(name, self[name])

    def problems(self) -> list[str]:
        """Everything that is wrong with what was set, a line for each: wrong types, unknown names, clashing values."""
        self.load()
        from umbel.settings.problems import problems_of  # as above

        return problems_of(self._layers()[:-1], self._all(), self.namespace)

    def refuse(self) -> None:
        """Raise ImproperlyConfigured for what was set and cannot be meant, or would be taken without effect; for all who send."""
        self.load()
        version = self.version
        if self._looked_at == version:
            return
        from umbel.settings.problems import refusals  # as above

        lines = refusals(self._layers()[:-1])
        if lines:
            raise ImproperlyConfigured("\n".join(lines))
        object.__setattr__(self, "_looked_at", version)
