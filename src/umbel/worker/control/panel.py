"""The commands that workers know, by name. Importing this loads nothing of a worker.

@inspect_command()
def free_space(state):
    return shutil.disk_usage("/").free

A plain function runs in a thread of its worker's main process, a coroutine function on its event loop, which it must not hold up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Command(NamedTuple):
    """A command, and what the command line says of it."""

    name: str
    run: Callable[..., Any]
    """Called with the `State` of the worker and the arguments as keywords; what it gives is the answer."""
    kind: str
    """`inspect` if it asks for something, `control` if it changes something."""
    alias: str | None = None
    visible: bool = True
    default_timeout: float = 1.0
    help: str = ""
    signature: str | None = None
    """Its arguments, for people."""
    args: Sequence[tuple[str, Callable[[str], Any]]] = ()
    """Its arguments on the command line: the name of each, and what makes a value of its text."""
    variadic: str | None = None
    """The name of the argument that takes all that follows."""


commands: dict[str, Command] = {}
"""By name, and by alias."""


def register(
    name: str | None = None,
    alias: str | None = None,
    kind: str = "control",
    visible: bool = True,
    default_timeout: float = 1.0,
    help: str | None = None,
    signature: str | None = None,
    args: Sequence[tuple[str, Callable[[str], Any]]] | None = None,
    variadic: str | None = None,
) -> Callable[[F], F]:
    """Decorates a function that is to be a command from now on; the later of one name counts."""

    def decorate(run: F) -> F:
        told = (help or run.__doc__ or "").strip().split("\n")[0]
        own = name or run.__name__
        made = Command(own, run, kind, alias, visible, default_timeout, told, signature, tuple(args or ()), variadic)
        commands[own] = made
        if alias:
            commands[alias] = made
        return run

    return decorate


def control_command(**how: Any) -> Callable[[F], F]:
    """Decorates a command that changes something: `@control_command(args=[("n", int)], signature="[N=1]")`."""
    return register(kind="control", **how)


def inspect_command(**how: Any) -> Callable[[F], F]:
    """Decorates a command that asks for something."""
    return register(kind="inspect", **how)


def ok(value: Any) -> dict[str, Any]:
    """The answer that something was done."""
    return {"ok": value}


def refused(why: str) -> dict[str, Any]:
    """The answer that something cannot be done."""
    return {"error": why}
