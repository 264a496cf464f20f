"""Whether it is worth while to wait on for a task of which nothing is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from umbel import clock, guise
from umbel.errors import BrokerDown, TimeoutError

FIRST_DOUBT = 5.0
"""Seconds after which who waits without a timeout asks for the first time."""
NEXT_DOUBT = 15.0
"""Seconds between the later questions."""
AWAY_DOUBT = 1.0
"""The same while the store is away."""
LONGEST_OUTAGE = 30.0
"""Seconds for which a store may be away."""
AGAIN = 0.05
"""Seconds between attempts to reach one that is."""

log = guise.logger("umbel")


class Outage:
    """A store that is away while somebody waits for it: borne for half a minute, or until the time of who waits is up."""

    def __init__(self, end: float | None):
        """`end`: when the time is up (monotonic)."""
        self._end = end
        self._since: float | None = None
        self._answers = 0

    def bear(self, error: BrokerDown) -> None:
        """Wait a moment before the next attempt; raises `error` when it is enough."""
        now = clock.monotonic()
        self._since = self._since or now
        if now - self._since >= LONGEST_OUTAGE or (self._end is not None and now >= self._end):
            raise error
        time.sleep(AGAIN)

    def over(self, answers: int) -> None:
        """Note that it is back, if it has answered since the last time; a wait without news need not have heard of an outage."""
        if answers != self._answers:
            self._answers, self._since = answers, None


class Hope:
    """Doubts of one who waits without a timeout."""

    def __init__(self) -> None:
        self._since = clock.monotonic()
        self._next = self._since + FIRST_DOUBT
        self._told = False
        self.answers = 0
        """How often the store has answered."""

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
        self._next = now + AWAY_DOUBT  # if the store is away, of which a wait need not have told
        unknown = _unknown(results)
        self._next = now + NEXT_DOUBT
        self.answers += 1
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
    try:
        if broker.may_be_elsewhere():
            return False
        depths = broker.depth(broker.queues())
    except BrokerDown:
        return False
    return not any(each.ready or each.held or each.later for each in depths.values())
