"""Results in an SQL database: later. What airflow and its like import has its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery._names import later
from celery.backends.base import BaseBackend
from celery.backends.database import session as session
from celery.backends.database.models import Task as Task
from celery.backends.database.models import TaskExtended as TaskExtended
from celery.backends.database.models import TaskSet as TaskSet

_INSTEAD = "celery.backends.database (results in an SQL database)"


class DatabaseBackend(BaseBackend):
    """Keeps results in an SQL database."""

    def __init__(self, dburi: Any = None, engine_options: Any = None, url: Any = None, **kwargs: Any):
        raise later(_INSTEAD)


def retry(fun: Any) -> Any:
    """Decorates a function that is to be tried again."""
    return fun


@contextmanager
def session_cleanup(session: Any) -> Iterator[None]:
    """Close a session behind `with`."""
    try:
        yield
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
