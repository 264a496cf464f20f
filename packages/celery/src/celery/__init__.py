"""Celery's names over umbel: each is loaded when it is first used."""

from __future__ import annotations

import os

from celery._guise import put_on
from celery._version import SERIES as SERIES
from celery._version import VERSION as VERSION
from celery._version import VERSION_BANNER as VERSION_BANNER
from celery._version import __version__ as __version__
from celery._version import version_info as version_info
from celery._version import version_info_t as version_info_t

put_on()
del put_on

__author__ = "the contributors of umbel"
__contact__ = ""
__homepage__ = ""
__docformat__ = "restructuredtext"

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself would cost more than all else here

if TYPE_CHECKING:
    from typing import Any

    from celery.app import bugreport as bugreport
    from celery.app import shared_task as shared_task
    from celery.app.base import Celery as Celery
    from celery.app.task import Task as Task
    from celery.canvas import Signature as Signature
    from celery.canvas import chain as chain
    from celery.canvas import chord as chord
    from celery.canvas import chunks as chunks
    from celery.canvas import group as group
    from celery.canvas import maybe_signature as maybe_signature
    from celery.canvas import signature as signature
    from celery.canvas import subtask as subtask
    from celery.canvas import xmap as xmap
    from celery.canvas import xstarmap as xstarmap
    from celery.utils import uuid as uuid

    current_app: Celery
    current_task: Any

_HOMES = {
    "Celery": "celery.app.base",
    "shared_task": "celery.app",
    "Task": "celery.app.task",
    "bugreport": "celery.app",
    **dict.fromkeys(("current_app", "current_task"), "celery._state"),
    **dict.fromkeys(
        ("Signature", "chain", "chord", "chunks", "group", "maybe_signature", "signature", "subtask", "xmap", "xstarmap"),
        "celery.canvas",
    ),
    "uuid": "celery.utils",
}
_MODULES = frozenset(
    {
        *("_state", "app", "beat", "bootsteps", "canvas", "exceptions", "loaders", "local", "platforms", "registry", "result"),
        *("schedules", "signals", "states", "utils", "worker", "backends", "events", "concurrency", "security", "contrib"),
    }
)
"""Modules that are there as attributes without having been imported, as in Celery."""

__all__ = [
    "SERIES",
    "VERSION",
    "VERSION_BANNER",
    "Celery",
    "Signature",
    "Task",
    "__author__",
    "__contact__",
    "__docformat__",
    "__homepage__",
    "__version__",
    "bugreport",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "group",
    "maybe_patch_concurrency",
    "maybe_signature",
    "shared_task",
    "signature",
    "subtask",
    "uuid",
    "version_info",
    "version_info_t",
    "xmap",
    "xstarmap",
]


def __getattr__(name: str) -> object:
    from celery._names import found

    return found(globals(), name, _HOMES, _MODULES)


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, *(key for key in globals() if key.startswith("__"))})


def maybe_patch_concurrency(
    argv: list[str] | None = None,
    short_opts: list[str] | None = None,
    long_opts: list[str] | None = None,
    patches: dict[str, object] | None = None,
) -> None:
    """Nothing: there are no pools of green threads, and so nothing to patch before them. `-P gevent` starts one of threads."""


def _find_option_with_arg(argv: list[str], short_opts: list[str] | None = None, long_opts: list[str] | None = None) -> str:
    """The value of an option on a command line; KeyError if it is not there."""
    for number, each in enumerate(argv):
        if each.startswith("-"):
            if long_opts and each.startswith("--"):
                name, mark, value = each.partition("=")
                if name in long_opts:
                    return value if mark else argv[number + 1]
            if short_opts and each in short_opts:
                return argv[number + 1]
    raise KeyError("|".join([*(short_opts or []), *(long_opts or [])]))


_original_os_write = os.write
