"""Whether it is worth while to wait on for a task of which nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from umbel import clock, guise
from umbel.errors import BrokerDown, TimeoutError

FIRST_DOUBT = 5.0
"""Seconds after which who waits without a timeout asks for the first time."""
NEXT_DOUBT = 30.0
"""Seconds between the later questions."""

log = guise.logger("umbel")


class Hope:
    """Doubts of one who waits without a timeout."""

    def __init__(self) -> None:
        self._since = clock.monotonic()
        self._next = self._since + FIRST_DOUBT
        self._told = False

    @property
    def pause(self) -> float:
        """Seconds until the next question."""
        return max(0.0, self._next - clock.monotonic())

    def raise_if_lost(self, results: Sequence[Any]) -> None:
        """Raise TimeoutError if nothing will ever be heard of these; at most now and then, else it asks nobody.

        Nothing is known of them, and either no queue has anything and no worker holds anything, or so much time has passed as
        results are kept.
        """
        now = clock.monotonic()
        if now < self._next or not results:
            return
        self._next = now + NEXT_DOUBT
        unknown = _unknown(results)
        if not unknown:
            self._since = now
            return
        waited, kept = now - self._since, unknown[0].app.conf.result_expires
        if kept and waited > float(kept):
            raise TimeoutError(f"{_name(unknown)} for {waited:.0f} s, as long as results are kept (result_expires)")
        if _is_idle(unknown[0].app) and (unknown := _unknown(unknown)):
            raise TimeoutError(
                f"{_name(unknown)}, no queue has it, and no worker holds it: there never was such a task, or it was purged, "
                "or its result was ignored, forgotten, or has expired"
            )
        if not self._told:
            self._told = True
            log.info("%s so far; a timeout would end this wait", _name(unknown))


def _unknown(results: Sequence[Any]) -> list[Any]:
    ids = [each.id for each in results]
    known = results[0]._backend().fetch(ids)
    return [each for each in results if each.id not in known]


def _name(unknown: Sequence[Any]) -> str:
    others = f" (and {len(unknown) - 1} others)" if len(unknown) > 1 else ""
    return f"nothing is known of task {unknown[0].id}{others}"


def _is_idle(app: Any) -> bool:
    """True if it is certain that no task waits or runs."""
    if app.conf.result_backend and not app.conf.broker_url:
        return False  # it only reads results: where the messages are, it does not know
    broker = app.broker
    if not broker.sees_all:
        return False
    try:
        depths = broker.depth(broker.queues())
    except BrokerDown:
        return False
    return not any(each.ready or each.held or each.later for each in depths.values())
