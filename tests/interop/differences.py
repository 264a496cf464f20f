"""What differs from Celery by intention, each with the reason. Writes docs/reference/differences.md when it is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "differences.md"


class Difference(NamedTuple):
    """One, which covers the facts whose names the pattern matches."""

    pattern: str
    reason: str
    systems: tuple[str, ...] = ("face", "umbel")

    def covers(self, name: str, system: str) -> bool:
        """True if this is why it may differ."""
        return system in self.systems and re.fullmatch(self.pattern, name) is not None


DIFFERENT: tuple[Difference, ...] = (
    Difference(
        r"crontab \w+: same",
        "Crontabs of the same fields are equal, whatever clock they are asked by (`nowfun`); Celery's are not.",
    ),
    Difference(
        r"exceptions: (Retry|NotRegistered)|noted again: task_postrun, facts",
        "An exception's `repr` is its class and its arguments: Celery's `Retry` has itself in it, `NotRegistered` is a sentence.",
    ),
    Difference(
        r"noted \w+: after_return, einfo",
        "`after_return` gets the `einfo` of a failure, as it is documented; Celery gives None.",
    ),
    Difference(
        r"noted \w+: einfo, exception",
        "`einfo.exception` is the exception itself; Celery's is a wrapper for pickle.",
    ),
    Difference(
        r"noted \w+: (einfo, traceback|on_failure, einfo)",
        "Tracebacks name umbel's own classes (`umbel.errors.…`); the classes of the face are the same ones.",
    ),
    Difference(
        r"noted life: on_after_\w+, \w+",
        "Settings are read and the app is finalized as late as can be, not by `app.conf.update` and `app.register_task`: "
        "who connects behind them is told, too.",
    ),
    Difference(
        r"noted life: worker_ready, sender", "The sender of `worker_ready` is the worker: it has `app` and `hostname`, too."
    ),
    Difference(
        r"noted request of .*: reply_to, value", "Results are not sent to a queue of each client, so there is none to reply to."
    ),
    Difference(
        r"options: soft beyond hard",
        "A soft limit beyond the hard one would never pass, and is refused when the task is sent.",
    ),
    Difference(r"setting: result_expires", "Times are seconds; a `timedelta` may be set, and is read back as seconds."),
    Difference(r"task attribute: abstract", "A task is not abstract; its base class is."),
    Difference(
        r"task attribute: (autoretry_for|dont_autoretry_for|retry_\w+|pydantic|compression)",
        "Every option has an attribute, with its default, on every task; Celery has some only where they were given.",
    ),
    Difference(r"noted life: import_modules, sender", "The app's class is called `Umbel`.", ("umbel",)),
    Difference(r"task: repr begins", "A task's `repr` is shorter.", ("umbel",)),
    Difference(
        r"(setting: task_|task attribute: )acks_late",
        "umbel acknowledges late by default, so that nothing is lost with a process; the face has Celery's default.",
        ("umbel",),
    ),
    Difference(
        r"setting: worker_prefetch_multiplier",
        "umbel holds a moment's work, whatever its number; the face has Celery's default.",
        ("umbel",),
    ),
    Difference(r"states: (precedence|ALL_STATES)", "`umbel.states` has REJECTED among the states, and no `state`.", ("umbel",)),
)


def reason(name: str, system: str) -> str | None:
    """Why this fact may differ from Celery's; None if it may not."""
    return next((each.reason for each in DIFFERENT if each.covers(name, system)), None)


def page() -> str:
    """The page of the documentation."""
    rows = [f"| {each.reason} | {' and '.join(each.systems)} | `{each.pattern}` |" for each in DIFFERENT]
    return "\n".join(
        [
            "# Differences from Celery",
            "",
            "The same modules are run by Celery 5.7 and by umbel, and some 880 facts are compared: attributes, messages, what",
            "each hook and receiver sees and in which order, results. They are equal, but for these, by intention.",
            "",
            "| What differs, and why | where | facts |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
