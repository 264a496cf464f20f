"""As what umbel is seen: the names that operators read, and the classes of others that its own are to be, too.

A package that offers umbel under names of its own says so once, with `wear`, before any other module of umbel is imported:
loggers and classes are made when the modules that hold them are.
"""

from __future__ import annotations

from umbel.version import __version__

TYPE_CHECKING = False  # type checkers take it for true; `typing` and `logging` would cost most of what it takes to load this

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol, TypeVar

    Kind = TypeVar("Kind", bound=type)

    class Formats(Protocol):
        """What a module of serializers and JSON types has."""

        def serializer(self, name: str) -> tuple[str, str, str, Callable[[Any], bytes | str], Callable[[bytes], Any]] | None:
            """Name, content type, content encoding, and the two functions, of the serializer of this name or content type."""

        def json_out(self, value: Any) -> Any:
            """What stands for a value in JSON; TypeError if nothing does."""

        def json_in(self, found: dict[str, Any]) -> Any:
            """The value that `{"__type__": …, "__value__": …}` stands for; LookupError if nobody knows the type."""


class Guise:
    """All names that can be others than umbel's."""

    def __init__(
        self,
        *,
        program: str = "umbel",
        version: str = __version__,
        node: str = "umbel",
        beat: str = "beat",
        child: str = "Child-{}",
        loggers: Mapping[str, str] | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
        formats: str = "",
        commands: str = "umbel.cli.main",
    ):
        self.program = program
        """What people type; what a command tells begins with it, and in capitals variables that stand for options do."""
        self.version = version
        self.node = node
        """A worker's name before the @, if it is given none."""
        self.beat = beat
        """A beat's."""
        self.child = child
        """The name of a child process, made from its number, which begins at 1."""
        self.loggers = loggers or {}
        """Other names for loggers. One that is not here goes by its nearest ancestor that is: `umbel.stores` by `umbel`."""
        self.classes = classes or {}
        """Classes by their paths, and the paths of those that they are to be as well:
        `{"umbel.errors.BrokerDown": ["kombu.exceptions.OperationalError"]}`."""
        self.formats = formats
        """The path of a module with serializers and JSON types of others, which are asked last: see `Formats`."""
        self.commands = commands
        """The path of the module whose `start(app, arguments)` runs a command line for an app."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guise) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # as of all that can be changed


_worn = Guise()
_is_shown = False


def wear(guise: Guise) -> None:
    """Be seen like that from now on. RuntimeError if umbel has been seen otherwise: then it comes too late."""
    global _worn
    if _is_shown and guise != _worn:
        raise RuntimeError(
            f"umbel is in use as {_worn.program!r} and cannot become {guise.program!r} any more: "
            f"import what calls it that before other modules of umbel"
        )
    _worn = guise


def worn() -> Guise:
    """As what umbel is seen; it stays so."""
    global _is_shown
    _is_shown = True
    return _worn


def logger(name: str) -> logging.Logger:
    """The logger that is called `name` unless the guise has another name for it."""
    known = worn().loggers
    prefix, rest = name, ""
    while prefix not in known and prefix:
        prefix, dot, last = prefix.rpartition(".")
        rest = f"{dot}{last}{rest}"
    from logging import getLogger

    return getLogger(f"{known[prefix]}{rest}" if prefix else name)


def formats() -> Formats | None:
    """Those of others, if there are any."""
    if not (path := worn().formats):
        return None
    from importlib import import_module

    found: Any = import_module(path)
    return found  # type: ignore[no-any-return]  # what a module has is not known before


def also(kind: Kind) -> Kind:
    """Decorates a class that may be one of somebody else's, too; without such a wish it stays what it is."""
    path = f"{kind.__module__}.{kind.__qualname__}"
    others = [_class_at(other) for other in worn().classes.get(path, ())]
    if not others:
        return kind
    words = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    made: Kind = type(kind)(kind.__name__, (kind, *others), words)
    return made


def late(module: dict[str, Any]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A module's `__getattr__` and `__dir__`: those of its classes that are to be somebody else's, too, are made when wanted.

    What those come from may take longer to load than all of umbel, and most programs that only send never want them.
    """
    wanted = {path.rpartition(".")[2] for path in worn().classes if path.rpartition(".")[0] == module["__name__"]}
    plain = {name: module.pop(name) for name in wanted & module.keys()}

    def find(name: str) -> Any:
        if name not in plain:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        return module.setdefault(name, also(plain[name]))  # of two threads that come at once, both get the first one's

    return find, lambda: sorted(module.keys() | plain.keys())


def _class_at(path: str) -> type:
    from importlib import import_module

    module, _, name = path.rpartition(".")
    found: type = getattr(import_module(module), name)
    return found
