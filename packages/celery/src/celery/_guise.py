"""How umbel is seen where it runs as Celery: names for operators, and classes of Celery's neighbours."""

from __future__ import annotations

from celery._version import __version__
from umbel.guise import Guise, wear

_BILLIARD = ("SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated")

CELERY = Guise(
    program="celery",
    version=__version__,
    node="celery",
    beat="celerybeat",
    child="ForkPoolWorker-{}",
    loggers={
        "umbel": "celery",
        "umbel.task": "celery.task",
        "umbel.trace": "celery.app.trace",
        "umbel.redirected": "celery.redirected",
        "umbel.beat": "celery.beat",
        "umbel.worker": "celery.worker",
        "umbel.worker.fetch": "celery.worker.strategy",
        "umbel.worker.reap": "celery.worker.request",
        "umbel.signals": "celery.utils.dispatch.signal",
    },
    formats="celery._formats",
    classes={
        **{f"umbel.errors.{name}": [f"billiard.exceptions.{name}"] for name in _BILLIARD},
        "umbel.execution.einfo.ExceptionInfo": ["billiard.einfo.ExceptionInfo"],
        "umbel.errors.DuplicateTaskNameWarning": ["celery._warnings.CeleryWarning"],
        "umbel.errors.AlwaysEagerIgnored": ["celery._warnings.CeleryWarning"],
    },
)
"""kombu's classes are not here: it takes as long to load as all else together, and they are put on where errors leave."""


def put_on() -> None:
    """Let umbel be seen so, unless this program uses it under its own name already: then it keeps that."""
    try:
        wear(CELERY)
    except RuntimeError:  # the names of loggers and processes stay umbel's; everything else works as well
        import warnings

        warnings.warn(
            "umbel was loaded before celery in this program, so its log and its workers keep umbel's names", stacklevel=3
        )
