"""Small things; most are elsewhere and have their old place here, where each is loaded when it is first used."""

from __future__ import annotations

from umbel.wire.ids import new_id

TYPE_CHECKING = False  # as in celery/__init__.py
if TYPE_CHECKING:
    from typing import Any

    from celery.utils.functional import chunks as chunks
    from celery.utils.functional import memoize as memoize
    from celery.utils.functional import noop as noop
    from celery.utils.imports import gen_task_name as gen_task_name
    from celery.utils.imports import import_from_cwd as import_from_cwd
    from celery.utils.imports import instantiate as instantiate
    from celery.utils.imports import qualname as get_full_cls_name
    from celery.utils.imports import qualname as qualname
    from celery.utils.imports import symbol_by_name as get_cls_by_name
    from celery.utils.imports import symbol_by_name as symbol_by_name
    from celery.utils.log import LOG_LEVELS as LOG_LEVELS
    from celery.utils.nodenames import nodename as nodename
    from celery.utils.nodenames import nodesplit as nodesplit
    from celery.utils.nodenames import worker_direct as worker_direct

_HOMES = {
    **dict.fromkeys(("chunks", "memoize", "noop"), "celery.utils.functional"),
    **dict.fromkeys(
        ("gen_task_name", "import_from_cwd", "instantiate", "qualname", "symbol_by_name"),
        "celery.utils.imports",
    ),
    "LOG_LEVELS": "celery.utils.log",
    **dict.fromkeys(("nodename", "nodesplit", "worker_direct"), "celery.utils.nodenames"),
    "cached_property": "kombu.utils.objects",
    "get_full_cls_name": "celery.utils.imports:qualname",
    "get_cls_by_name": "celery.utils.imports:symbol_by_name",
}
_MODULES = frozenset({"functional", "imports", "log", "nodenames"})
"""Modules that are there as attributes without having been imported, as in Celery."""

__all__ = [
    "LOG_LEVELS",
    "chunks",
    "gen_task_name",
    "gen_unique_id",
    "get_cls_by_name",
    "get_full_cls_name",
    "import_from_cwd",
    "instantiate",
    "memoize",
    "nodename",
    "nodesplit",
    "noop",
    "qualname",
    "symbol_by_name",
    "uuid",
    "worker_direct",
]


def uuid(_uuid: Any = new_id) -> str:
    """A new id."""
    return str(_uuid())


gen_unique_id = uuid


def __getattr__(name: str) -> Any:
    from celery._names import found

    return found(globals(), name, _HOMES, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
