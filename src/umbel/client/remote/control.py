"""What can be done to tasks that were sent, and seen of those that will be, from anywhere: `app.control`."""

from __future__ import annotations

import json
import signal as signals
import uuid
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from umbel.wire.brief import brief

if TYPE_CHECKING:
    from umbel.client.periodic.declared import Home
    from umbel.stores.broker import Revocation


_kept: ContextVar[bool] = ContextVar("umbel_kept", default=False)
"""True while workers are told of what the store remembers already."""


class Control:
    """Acts by way of the stores, which reach every worker and beat: those that run now, and those that are started later.

    What is told to workers reaches those that run now. With `reply=True` it waits for their answers, at most `timeout` seconds,
    and gives a list of `{worker: answer}`. `destination` is a list of the names of workers, `pattern` one that their names fit
    (`matcher`: `glob` or `pcre`), `limit` so many answers. `callback` is called with each answer as it comes.
    All that workers are told or asked goes through `broadcast`, whatever that is in a subclass (`Umbel(control=…)`).
    """

    def __init__(self, app: Home):
        self.app = self._app = app

    def inspect(self, destination: Any = None, timeout: float = 1.0, callback: Any = None, **options: Any) -> Any:
        """Asks workers what they do: `inspect().active()`."""
        from umbel.client.remote.inspect import Inspect  # here, as most programs never ask

        return Inspect(destination, timeout, callback, app=self._app, **options)

    def broadcast(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        destination: Any = None,
        connection: Any = None,
        reply: bool = False,
        timeout: float | None = 1.0,
        limit: int | None = None,
        callback: Any = None,
        channel: Any = None,
        pattern: str | None = None,
        matcher: str | None = None,
        **extra_kwargs: Any,
    ) -> Any:
        """Tell all workers; what else is given here goes to the command. Raises BrokerDown if the store is away.

        `connection` and `channel` are taken for Celery's sake: it goes where the app's messages are.
        """
        from umbel.client.remote.broadcast import Broadcast, told_if_possible

        kept = _kept.get()
        told = {**(arguments or {}), **extra_kwargs}
        note = Broadcast(self._app, command, told, destination=destination, pattern=pattern, matcher=matcher, kept=kept)
        if reply:
            return note.ask(timeout, limit, callback)
        if kept:
            told_if_possible(note)
        else:
            note.send()
        return None

    def ping(self, destination: Any = None, timeout: float = 1.0, **kwargs: Any) -> Any:
        """`[{worker: {"ok": "pong"}}]` of all that are alive."""
        return self.broadcast("ping", arguments={}, destination=destination, timeout=timeout, **{"reply": True, **kwargs})

    def revoke(
        self,
        task_id: Any,
        destination: Any = None,
        terminate: bool = False,
        signal: str | int | None = "SIGTERM",
        **kwargs: Any,
    ) -> Any:
        """Let the task with this id, or with several, not run: once this has returned no worker begins it, not even a later one.

        One that runs goes on, unless `terminate` is true: then it is ended, whatever the signal, save that SIGUSR1 raises
        SoftTimeLimitExceeded in it. The store remembers it for `task_revoke_ttl` seconds, or until the task is met.
        Workers that run now, Celery's too, hear of it at once; `destination` and the like say which of them, and whose answers
        to wait for. Raises ValueError if there is no such signal.
        """
        name = signal_name(signal) if terminate else None
        ids = ids_of(task_id)
        self._app.broker.revoke(revocations(ids, name), self._app.conf.task_revoke_ttl)
        told = {"task_id": task_id if isinstance(task_id, str) else ids, "terminate": terminate, "signal": signal}
        return self._tell_kept("revoke", told, destination, kwargs)

    def terminate(
        self, task_id: str | Iterable[str], destination: Any = None, signal: str | int = "SIGTERM", **kwargs: Any
    ) -> Any:
        """The same with `terminate=True`."""
        return self.revoke(task_id, destination=destination, terminate=True, signal=signal, **kwargs)

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any] | Iterable[str],
        destination: Any = None,
        terminate: bool = False,
        signal: str | int | None = "SIGTERM",
        **kwargs: Any,
    ) -> Any:
        """Let tasks with any of these stamps not run: `{"order": ["17"]}`, or `["order=17"]`. It lasts as `revoke` does."""
        wanted = stamps_in(headers)
        name = signal_name(signal) if terminate else None
        self._app.broker.revoke(stamp_revocations(wanted, name), self._app.conf.task_revoke_ttl)
        told = {"headers": wanted, "terminate": terminate, "signal": signal}
        return self._tell_kept("revoke_by_stamped_headers", told, destination, kwargs)

    def _tell_kept(self, command: str, told: dict[str, Any], destination: Any, how: dict[str, Any]) -> Any:
        """Tell workers of what the store remembers already: without answers, nobody minds if that cannot be."""
        token = _kept.set(True)
        try:
            return self.broadcast(command, destination=destination, arguments=told, **how)
        finally:
            _kept.reset(token)

    def purge(self, connection: Any = None) -> int:
        """Remove all messages that wait in the app's queues; gives how many."""
        return sum(self._app.broker.purge(queue) for queue in self._app.queues())

    discard_all = purge

    def rate_limit(self, task_name: str, rate_limit: Any, destination: Any = None, **kwargs: Any) -> Any:
        """Change a task's rate limit in each worker: `"10/m"`; 0 takes it away."""
        return self._order("rate_limit", destination, kwargs, task_name=task_name, rate_limit=rate_limit)

    def time_limit(
        self, task_name: str, soft: float | None = None, hard: float | None = None, destination: Any = None, **kwargs: Any
    ) -> Any:
        """Change a task's time limits; they count for what begins from now on."""
        return self._order("time_limit", destination, kwargs, task_name=task_name, hard=hard, soft=soft)

    def add_consumer(
        self,
        queue: str,
        exchange: str | None = None,
        exchange_type: str = "direct",
        routing_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        destination: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Let workers serve another queue."""
        told = {"queue": queue, "exchange": exchange, "exchange_type": exchange_type, "routing_key": routing_key}
        return self._order("add_consumer", destination, kwargs, **told, **(options or {}))

    def cancel_consumer(self, queue: str, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers serve a queue no longer: what waits there goes on to wait."""
        return self._order("cancel_consumer", destination, kwargs, queue=queue)

    def enable_events(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers tell of their tasks."""
        return self._order("enable_events", destination, kwargs)

    def disable_events(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers tell of their tasks no longer."""
        return self._order("disable_events", destination, kwargs)

    def pool_grow(self, n: int = 1, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers run so many more tasks at once."""
        return self._order("pool_grow", destination, kwargs, n=n)

    def pool_shrink(self, n: int = 1, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers run so many fewer at once; what runs goes on to its end."""
        return self._order("pool_shrink", destination, kwargs, n=n)

    def pool_restart(
        self, modules: Any = None, reload: bool = False, reloader: Any = None, destination: Any = None, **kwargs: Any
    ) -> Any:
        """Let workers renew their child processes, each when it is free; `worker_pool_restarts` must allow it.

        The new ones have imported `modules`; with `reload` anew (none named: all with tasks). What cannot be loaded is refused.
        """
        return self._order("pool_restart", destination, kwargs, modules=modules, reload=reload, reloader=reloader)

    def autoscale(self, max: int, min: int, destination: Any = None, **kwargs: Any) -> Any:
        """Change the bounds of workers that were started with `--autoscale`."""
        return self._order("autoscale", destination, kwargs, max=max, min=min)

    def shutdown(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers finish what runs, and stop."""
        return self._order("shutdown", destination, kwargs)

    def heartbeat(self, destination: Any = None, **kwargs: Any) -> Any:
        """Let workers tell now that they are there."""
        return self._order("heartbeat", destination, kwargs)

    def election(self, id: str, topic: str, action: Any = None, connection: Any = None) -> Any:
        """Let Celery's workers choose one of them; umbel's stand for none."""
        return self.broadcast("election", connection=connection, arguments={"id": id, "topic": topic, "action": action})

    def _order(self, command: str, destination: Any, how: dict[str, Any], **told: Any) -> Any:
        return self.broadcast(command, arguments=told, destination=destination, **how)

    def schedule(self) -> dict[str, Any]:
        """What is sent when, and by which beat; as `umbel schedule --json` prints it.

        Keys: `leader` (None if no beat runs), `timezone`, `entries` (each with `name`, `task`, `when`, `last`, `next`, `sent`,
        `enabled` and more; times in ISO 8601), and `wrong`: what the code names and cannot be sent, with the reason.
        Raises BrokerDown if the store of the schedule is away.
        """
        from umbel.client.periodic.timetable import Timetable  # here, as above

        return Timetable(self._app).as_dict()


def stamps_in(headers: Mapping[str, Any] | Iterable[str]) -> dict[str, list[str]]:
    """Stamps and the values of each, from a dict or from `key=value` texts. Raises ValueError at what is neither."""
    if isinstance(headers, str):
        headers = [headers]
    if isinstance(headers, Mapping):
        return {str(key): [str(each) for each in _several(value)] for key, value in headers.items()}
    found: dict[str, list[str]] = {}
    for each in headers:
        key, mark, value = str(each).partition("=")
        if not mark:
            raise ValueError(f"{each!r} is no stamp: write name=value")
        found.setdefault(key, []).append(value)
    return found


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple | set | frozenset) else [value]


STAMP = "\0stamp:"
"""Begins what the store remembers of a stamp, in the place of a task's id."""


def stamp_revocations(stamps: Mapping[str, Iterable[str]], signal: str | None) -> list[Revocation]:
    """What the store is to remember of these."""
    ids = [f"{STAMP}{json.dumps([name, value])}" for name, values in stamps.items() for value in values]
    return revocations(ids, signal)


def ids_of(given: Any) -> list[str]:
    """The ids of tasks: of one or several, given as text, as UUID or as results; none of None. TypeError at what is no id."""
    if given is None:
        return []
    if not isinstance(given, str | bytes | bytearray | Mapping | uuid.UUID) and isinstance(given, Iterable):
        return [_id_of(each) for each in given]
    return [_id_of(given)]


def _id_of(given: Any) -> str:
    if isinstance(given, str):
        return str.__str__(given)
    found = str(given) if isinstance(given, uuid.UUID) else getattr(given, "id", None)
    if not isinstance(found, str):
        raise TypeError(f"the id of a task is text, and not {brief(given, 100)}")
    return found


def revocations(ids: Iterable[str], signal: str | None) -> list[Revocation]:
    """What the store is to remember of tasks with these ids."""
    from umbel.stores.broker import Revocation as Revoked  # here, as all that messages need is loaded late

    return [Revoked(id_, signal) for id_ in ids]


def signal_name(signal: str | int | None) -> str:
    """`SIGTERM`, of that name, of `term`, of the number 15, or of None. Raises ValueError if there is no such signal."""
    if signal is None:
        return "SIGTERM"
    try:
        if isinstance(signal, str) and not signal.isdecimal():
            name = signal.upper()
            return signals.Signals[name if name.startswith("SIG") else f"SIG{name}"].name
        return signals.Signals(int(signal)).name
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"there is no signal {signal!r}; the usual one is SIGTERM") from None
