"""The names under which umbel's own exceptions travel: Celery's."""

from __future__ import annotations

from typing import Final

from umbel import errors

CELERY: Final = "celery.exceptions"
_BILLIARD = "billiard.exceptions"
_BILLIARD_NAMES = frozenset({"SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated"})
_SHARED = (errors.TaskError, errors.TaskPredicate, errors.ImproperlyConfigured)

OURS: Final[dict[tuple[str, str], type[BaseException]]] = {
    (_BILLIARD if name in _BILLIARD_NAMES else CELERY, name): kind
    for name in dir(errors)
    for kind in [getattr(errors, name)]
    if isinstance(kind, type) and issubclass(kind, _SHARED) and kind is not errors.TaskError
}
"""Module and name on the wire → class here."""
WIRE_NAMES: Final = {kind: names for names, kind in OURS.items()}
