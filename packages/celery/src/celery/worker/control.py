"""Remote commands, those of a program's own among them."""

from __future__ import annotations

from collections import UserDict
from typing import Any, NamedTuple

from umbel.worker.control import answers, panel
from umbel.worker.control.panel import ok as ok


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
            panel.register(name, alias, type, visible, default_timeout, help, signature, args, variadic)(fun)
            cls._take(panel.commands[name or fun.__name__])
            return fun

        return decorate

    @classmethod
    def _take(cls, each: panel.Command) -> None:
        cls.data[each.name] = each.run
        cls.meta[each.name] = controller_info_t(
            each.alias, each.kind, each.visible, each.default_timeout, each.help, each.signature, list(each.args), each.variadic
        )
        if each.alias:
            cls.data[each.alias] = each.run


answers.load()
for _command in {each.name: each for each in panel.commands.values()}.values():
    Panel._take(_command)


def control_command(**kwargs: Any) -> Any:
    """Decorates a command that changes something."""
    return Panel.register(type="control", **kwargs)


def inspect_command(**kwargs: Any) -> Any:
    """Decorates a command that asks for something."""
    return Panel.register(type="inspect", **kwargs)


def nok(value: Any) -> dict[str, Any]:
    """A refusal."""
    return {"error": value}


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
