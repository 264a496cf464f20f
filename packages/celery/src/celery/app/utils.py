"""Settings, reports, and finding an app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from celery.app.defaults import DIFFERENT
from umbel import shown
from umbel.settings import Settings as SettingsOf

BUGREPORT_INFO = """
software -> celery:{celery_v} kombu:{kombu_v} py:{py_v}
            umbel:{umbel_v} billiard:{billiard_v}
platform -> system:{system} arch:{arch}
            kernel version:{kernel_version} imp:{py_i}
loader   -> {loader}
settings -> transport:{broker} results:{results}

{human_settings}
"""
_HIDDEN = ("API", "TOKEN", "KEY", "SECRET", "PASS", "SIGNATURE", "DATABASE")
"""What the names of settings that nobody is shown have in them."""


class Settings(SettingsOf):
    """The settings, with Celery's defaults and questions."""

    different = DIFFERENT

    def __init__(self, *args: Any, deprecated_settings: Any = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "deprecated_settings", deprecated_settings)

    deprecated_settings: Any

    @property
    def broker_url(self) -> Any:
        """Where messages are."""
        return self["broker_url"]

    @broker_url.setter
    def broker_url(self, url: Any) -> None:
        self["broker_url"] = url

    @property
    def broker_read_url(self) -> Any:
        """Where they are read from."""
        return self["broker_read_url"] or self["broker_url"]

    @property
    def broker_write_url(self) -> Any:
        """Where they are written to."""
        return self["broker_write_url"] or self["broker_url"]

    @property
    def result_backend(self) -> Any:
        """Where results are."""
        return self["result_backend"]

    @property
    def task_default_exchange(self) -> Any:
        """That of queues which name none."""
        return self["task_default_exchange"] or self["task_default_queue"]

    @property
    def task_default_routing_key(self) -> Any:
        """That of queues which name none."""
        return self["task_default_routing_key"] or self["task_default_queue"]

    @property
    def timezone(self) -> Any:
        """The zone of schedules."""
        return self["timezone"]

    # An attribute is a setting, also those above: `conf.timezone = "UTC"`, `monkeypatch.delattr(conf, …)`.

    def finalize(self) -> None:
        """Read all sources now."""
        self.load()

    def find_option(self, name: str, namespace: str = "") -> Any:
        """Where a setting is described."""
        from celery.app.defaults import find

        return find(name, namespace)

    def find_value_for_key(self, name: str, namespace: str = "celery") -> Any:
        """The value of the setting of that name in a section."""
        return self.get_by_parts(*self.find_option(name, namespace=namespace)[:-1])

    def get_by_parts(self, *parts: str) -> Any:
        """The value of a setting whose name is in parts."""
        return self["_".join(part for part in parts if part)]

    def first(self, *keys: str) -> Any:
        """The value of the first of these that is set."""
        return next((value for key in keys if (value := self.get(key)) is not None), None)

    @property
    def defaults(self) -> list[dict[str, Any]]:
        """The defaults, in layers."""
        return [self._added.values, self._defaults.values]

    @property
    def maps(self) -> list[dict[str, Any]]:
        """All layers, the strongest first."""
        self.load()
        return [layer.values for layer in self._layers()]

    def copy(self) -> dict[str, Any]:
        """A dict of all settings."""
        return dict(self)

    def clear(self) -> None:
        """Forget what was set in the program."""
        self._changes.values.clear()
        self._changed()

    def without_defaults(self) -> Any:
        """All that was set anywhere."""
        return super().without_defaults()

    def value_set_for(self, key: str) -> bool:
        """True if anything but the default says what it is."""
        return super().value_set_for(key)

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """The settings as a dict, secrets masked."""
        found = super().table(with_defaults, censored)
        return filter_hidden_settings(found) if censored else found

    def maybe_warn_deprecated_settings(self) -> bool:
        """False: old names are as good as new ones."""
        return False

    def swap_with(self, other: Any) -> None:
        """Take over what another has."""
        for name, value in vars(other).items():
            object.__setattr__(self, name, value)
        self._changed()

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        """All of them."""
        return iter(self.items())


def filter_hidden_settings(conf: Mapping[Any, Any]) -> dict[Any, Any]:
    """The settings, with what is secret masked."""

    def seen(key: Any, value: Any) -> Any:
        if isinstance(value, Mapping):
            return filter_hidden_settings(value)
        hidden = isinstance(key, str) and any(word in key.upper() for word in _HIDDEN)
        found = "********" if hidden else shown.opened(str(key), value)
        return found.replace(f":{shown.MASK}@", ":********@") if isinstance(found, str) else found

    return {key: seen(key, value) for key, value in conf.items()}


def sanitize_url(url: str, mask: str = "********") -> str:
    """A URL without its password."""
    return shown.url(url).replace(f":{shown.MASK}@", f":{mask}@")


def appstr(app: Any) -> str:
    """What an app is called: its name and where it is."""
    return f"{app.main or '__main__'}:{hex(id(app))}"


def bugreport(app: Any) -> str:
    """What to tell in a report of a fault."""
    import platform

    import billiard
    import kombu

    import celery
    from celery.platforms import pyimplementation
    from celery.utils.imports import qualname
    from umbel.version import __version__ as umbel_version

    return BUGREPORT_INFO.format(
        system=platform.system(),
        arch=", ".join(each for each in platform.architecture() if each),
        kernel_version=platform.release(),
        loader=qualname(type(app.loader)),
        py_i=pyimplementation(),
        celery_v=celery.VERSION_BANNER,
        kombu_v=kombu.__version__,
        billiard_v=billiard.__version__,
        umbel_v=umbel_version,
        py_v=platform.python_version(),
        broker=app.broker_url.partition(":")[0],
        results=sanitize_url(app.result_url or "disabled"),
        human_settings=app.conf.humanize(),
    )


def find_app(app: Any, symbol_by_name: Any = None, imp: Any = None) -> Any:
    """The app that a module, its path, or `module:attribute` names."""
    from celery.app.base import Celery
    from celery.utils.imports import import_from_cwd
    from celery.utils.imports import symbol_by_name as by_name

    if isinstance(app, Celery) or not isinstance(app, (str, ModuleType)):
        return app
    if imp is None and symbol_by_name is None and isinstance(app, str):
        from umbel.client.discover import find_app as find

        return find(app)
    found = app
    if isinstance(app, str):
        try:
            found = (symbol_by_name or by_name)(app, imp=imp or import_from_cwd)
        except AttributeError:  # a module
            found = (imp or import_from_cwd)(app)
    if isinstance(found, ModuleType):
        for name in ("app", "celery"):
            inner = getattr(found, name, None)
            if inner is not None and not isinstance(inner, ModuleType):
                return inner
        if getattr(found, "__path__", None) and ":" not in str(app):
            return find_app(f"{found.__name__}.celery:app")
        for inner in vars(found).values():
            if isinstance(inner, Celery):
                return inner
        raise AttributeError(f"module {found.__name__!r} has no Celery app")
    return found


class AppPickler:
    """Makes an app again from what was kept of it."""

    def __call__(self, cls: Any, *args: Any) -> Any:
        kwargs = self.build_kwargs(*args)
        app = self.construct(cls, **kwargs)
        self.prepare(app, **kwargs)
        return app

    def prepare(self, app: Any, **kwargs: Any) -> None:
        """Set what was changed."""
        app.conf.update(kwargs["changes"])

    def build_kwargs(self, *args: Any) -> dict[str, Any]:
        """The arguments of the constructor."""
        return self.build_standard_kwargs(*args)

    def build_standard_kwargs(
        self,
        main: Any,
        changes: Any,
        loader: Any,
        backend: Any,
        amqp: Any,
        events: Any,
        log: Any,
        control: Any,
        accept_magic_kwargs: Any,
        config_source: Any = None,
    ) -> dict[str, Any]:
        """The same."""
        names = {"main": main, "loader": loader, "backend": backend, "amqp": amqp, "changes": changes, "events": events}
        return {**names, "log": log, "control": control, "set_as_current": False, "config_source": config_source}

    def construct(self, cls: Any, **kwargs: Any) -> Any:
        """The app."""
        return cls(**kwargs)


def unpickle_app(cls: Any, kwargs: dict[str, Any]) -> Any:
    """An app made again."""
    return cls(**kwargs)


_unpickle_app = unpickle_app
