"""The lines of the log that say how runs have ended, which people and scripts look for: alike from workers and from `apply`."""

from __future__ import annotations

from umbel import guise
from umbel.execution.outcome import Kind

log = guise.logger("umbel.trace")


def say(kind: Kind, who: object, text: str, runtime: float = 0.0, *, expected: bool = False, traceback: str = "") -> None:
    """Log the end of a run of `who`, a task's name and its id in brackets; `text` is what it gave, or what ended it."""
    if kind is Kind.SUCCESS:
        log.info("Task %s succeeded in %ss: %s", who, runtime, text)
    elif kind is Kind.RETRY:
        log.info("Task %s retry: %s", who, text)
    elif kind is Kind.IGNORED:
        log.info("Task %s ignored", who)
    elif kind is Kind.REJECTED:
        log.info("Task %s rejected: %s", who, text)
    elif expected:
        log.info("Task %s raised expected: %s", who, text)
    else:
        log.error("Task %s raised unexpected: %s\n%s", who, text, traceback)
