"""What can be done to tasks that were sent, and seen of those that will be, from anywhere: `app.control`."""

from __future__ import annotations

import signal as signals
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from umbel.client.declared import Home


class Control:
    """Acts by way of the stores, which reach every worker and beat: those that run now, and those that are started later."""

    def __init__(self, app: Home):
        self._app = app

    def revoke(
        self,
        task_id: str | Iterable[str],
        destination: object = None,
        terminate: bool = False,
        signal: str | int = "SIGTERM",
        **kwargs: Any,
    ) -> None:
        """Let a task, or several, not run: once this has returned no worker begins it, not even one that is started later.

        One that runs goes on, unless `terminate` is true: then it is ended, whatever the signal, save that SIGUSR1 raises
        SoftTimeLimitExceeded in it. The store remembers it for `task_revoke_ttl` seconds, or until the task is met.
        `destination`, and whatever else Celery takes here (`reply`, `timeout`, …), is accepted and changes nothing.
        Raises ValueError if there is no such signal.
        """
        from umbel.stores.broker import Revocation  # here, as all that messages need is loaded late

        name = signal_name(signal) if terminate else None
        ids = [task_id] if isinstance(task_id, str) else task_id
        self._app.broker.revoke([Revocation(str(id_), name) for id_ in ids], self._app.conf.task_revoke_ttl)

    def terminate(
        self, task_id: str | Iterable[str], destination: object = None, signal: str | int = "SIGTERM", **kwargs: Any
    ) -> None:
        """The same with `terminate=True`."""
        self.revoke(task_id, destination, terminate=True, signal=signal, **kwargs)

    def schedule(self) -> dict[str, Any]:
        """What is sent when, and by which beat; as `umbel schedule --json` prints it.

        Keys: `leader` (None if no beat runs), `timezone`, `entries` (each with `name`, `task`, `when`, `last`, `next`, `sent`,
        `enabled` and more; times in ISO 8601), and `wrong`: what the code names and cannot be sent, with the reason.
        Raises BrokerDown if the store of the schedule is away.
        """
        from umbel.client.timetable import Timetable  # here, as above

        return Timetable(self._app).as_dict()


def signal_name(signal: str | int) -> str:
    """`SIGTERM`, of that name, of `term`, or of the number 15. Raises ValueError if there is no such signal."""
    try:
        if isinstance(signal, str) and not signal.isdecimal():
            name = signal.upper()
            return signals.Signals[name if name.startswith("SIG") else f"SIG{name}"].name
        return signals.Signals(int(signal)).name
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"there is no signal {signal!r}; the usual one is SIGTERM") from None
