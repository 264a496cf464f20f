"""Small things; most are elsewhere and have their old place here."""

from __future__ import annotations

from typing import Any

from celery.utils.functional import chunks as chunks
from celery.utils.functional import memoize as memoize
from celery.utils.functional import noop as noop
from celery.utils.imports import gen_task_name as gen_task_name
from celery.utils.imports import import_from_cwd as import_from_cwd
from celery.utils.imports import instantiate as instantiate
from celery.utils.imports import qualname, symbol_by_name
from celery.utils.log import LOG_LEVELS as LOG_LEVELS
from celery.utils.nodenames import nodename as nodename
from celery.utils.nodenames import nodesplit as nodesplit
from celery.utils.nodenames import worker_direct as worker_direct
from umbel.wire.ids import new_id


def uuid(_uuid: Any = new_id) -> str:
    """A new id."""
    return str(_uuid())


gen_unique_id = uuid
get_full_cls_name = qualname
get_cls_by_name = symbol_by_name


def __getattr__(name: str) -> Any:
    if name == "cached_property":
        from kombu.utils.objects import cached_property

        globals()[name] = cached_property
        return cached_property
    from celery._names import absent

    raise absent(__name__, name)
