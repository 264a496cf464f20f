"""What becomes of a name of Celery's that is not here: the table says so, and nothing is silently ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TABLE = "names.tsv"
"""Every public name of Celery 5.7: module, name, kind, signature, who reaches for it, what it is here, and what else to use."""


def rows() -> list[dict[str, str]]:
    """The table."""
    from importlib.resources import files

    head, *lines = files("celery").joinpath(TABLE).read_text("utf-8").splitlines()
    keys = head.split("\t")
    return [dict(zip(keys, line.split("\t"), strict=True)) for line in lines]


def absent(module: str, name: str) -> Exception:
    """What a module's `__getattr__` raises for a name that it has not.

    An ImportError for a name of Celery's, as `from … import` passes over the text of an AttributeError.
    """
    if not name.startswith("__"):
        for row in rows():
            if (row["module"], row["name"]) == (module, name) and row["status"] != "ours":  # those are modules, to be imported
                return ImportError(f"{module}.{name} {_fate(row['status'], row['instead'])}", name=module)
    return AttributeError(f"module {module!r} has no attribute {name!r}")


def found(module: dict[str, Any], name: str, homes: Mapping[str, str], modules: Collection[str] = ()) -> Any:
    """What the `__getattr__` of a module gives that loads late: a name from its home, or a module beside it; kept in `module`.

    A home is `module` or, where the name is another one there, `module:name`.
    """
    from importlib import import_module

    if name in homes:
        home, _, there = homes[name].partition(":")
        value: Any = getattr(import_module(home), there or name)
    elif name in modules:
        value = import_module(f"{module['__name__']}.{name}")
    else:
        raise absent(module["__name__"], name)
    module[name] = value
    return value


def refuse(module: str, instead: str) -> NoReturn:
    """Say that a whole module of Celery's is not offered."""
    raise ImportError(f"{module} {_fate('not offered', instead)}", name=module)


def later(what: str) -> NotImplementedError:
    """What is raised by names that have their place, and will do their work in a version to come."""
    return NotImplementedError(f"{what} {_fate('later', '')}")


def lacks(what: str, instead: str) -> NotImplementedError:
    """What is raised by a method, option or value of Celery's that is not offered."""
    return NotImplementedError(f"{what} {_fate('not offered', instead)}")


def _fate(status: str, instead: str) -> str:
    if status == "later":
        return "is not there yet: it comes with a later version of umbel" + (f"; until then: {instead}" if instead else "")
    return "is not offered by umbel, which runs in Celery's place here" + (f"; instead: {instead}" if instead else "")
