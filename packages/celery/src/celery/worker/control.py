"""Remote commands of your own: later. They are registered, and no worker answers them yet."""

from __future__ import annotations

import warnings
from collections import UserDict
from typing import Any, NamedTuple

from celery.exceptions import CeleryWarning


class controller_info_t(NamedTuple):  # noqa: N801 - Celery's name
    """What is known of a command."""

    alias: Any
    type: str
    visible: bool
    default_timeout: float
    help: Any
    signature: Any
    args: Any
    variadic: Any


class Panel(UserDict[str, Any]):
    """All commands by name."""

    data: dict[str, Any] = {}  # noqa: RUF012 - one for all, as Celery's
    meta: dict[str, controller_info_t] = {}  # noqa: RUF012 - as above

    @classmethod
    def register(cls, *args: Any, **kwargs: Any) -> Any:
        """Add a command."""
        if args:
            return cls._register(**kwargs)(*args)
        return cls._register(**kwargs)

    @classmethod
    def _register(
        cls,
        name: str | None = None,
        alias: str | None = None,
        type: str = "control",
        visible: bool = True,
        default_timeout: float = 1.0,
        help: str | None = None,
        signature: Any = None,
        args: Any = None,
        variadic: Any = None,
    ) -> Any:
        def decorate(fun: Any) -> Any:
            command = name or fun.__name__
            text = f"the remote command {command!r} is not answered yet: remote control comes with a later version of umbel"
            warnings.warn(text, CeleryWarning, stacklevel=3)
            told = (help or fun.__doc__ or "").strip().split("\n")[0]
            cls.data[command] = fun
            cls.meta[command] = controller_info_t(alias, type, visible, default_timeout, told, signature, args, variadic)
            if alias:
                cls.data[alias] = fun
            return fun

        return decorate


def control_command(**kwargs: Any) -> Any:
    """Decorates a command that changes something."""
    return Panel.register(type="control", **kwargs)


def inspect_command(**kwargs: Any) -> Any:
    """Decorates a command that asks for something."""
    return Panel.register(type="inspect", **kwargs)


def ok(value: Any) -> dict[str, Any]:
    """An answer."""
    return {"ok": value}


def nok(value: Any) -> dict[str, Any]:
    """A refusal."""
    return {"error": value}


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
