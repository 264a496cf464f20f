"""The names under which umbel's own exceptions travel: Celery's."""

from __future__ import annotations

from functools import cache
from typing import Final

from umbel import errors

CELERY: Final = "celery.exceptions"
_BILLIARD = "billiard.exceptions"
_BILLIARD_NAMES = frozenset({"SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated"})
_SHARED = (errors.TaskError, errors.TaskPredicate, errors.ImproperlyConfigured)


@cache
def ours() -> dict[tuple[str, str], type[BaseException]]:
    """Module and name on the wire → class here. Made when it is wanted, since some classes may be others', too (`guise`)."""
    return {
        (_BILLIARD if name in _BILLIARD_NAMES else CELERY, name): kind
        for name in dir(errors)
        for kind in [getattr(errors, name)]
        if isinstance(kind, type) and issubclass(kind, _SHARED) and kind is not errors.TaskError
    }


@cache
def wire_names() -> dict[type[BaseException], tuple[str, str]]:
    """Class here → module and name on the wire."""
    return {kind: names for names, kind in ours().items()}
