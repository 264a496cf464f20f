"""Asking workers what they do: `app.control.inspect()`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from umbel.client.remote.broadcast import Reply

if TYPE_CHECKING:
    from umbel.client.current import App

Answers = dict[str, Any]
"""By the name of the worker that has given it."""


class Inspect:
    """Asks all workers, or some. Each method gives the answers by worker, or None if there was none.

    Answers are there as soon as all who listen have given theirs; `timeout` is how long to wait for those who do not.
    Only the settings of the app are needed, not its tasks.
    """

    app: Any = None

    def __init__(
        self,
        destination: str | Sequence[str] | None = None,
        timeout: float | None = 1.0,
        callback: Callable[[Reply], object] | None = None,
        connection: Any = None,
        app: App | None = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ):
        """`destination`: names of workers; `pattern`: one that their names fit (`matcher`: `glob` or `pcre`)."""
        self.app = app or self.app
        self.destination = destination
        self.timeout = timeout or 1.0
        self.callback = callback
        self.connection = connection
        self.limit = limit
        self.pattern = pattern
        self.matcher = matcher

    def _request(self, command: str, **kwargs: Any) -> Answers | None:
        assert self.app is not None, "an app makes it"
        replies = self.app.control.broadcast(
            command,
            arguments=kwargs,
            destination=self.destination,
            callback=self.callback,
            connection=self.connection,
            limit=self.limit,
            timeout=self.timeout,
            reply=True,
            pattern=self.pattern,
            matcher=self.matcher,
        )
        return self._merged(replies or ()) or None

    def _merged(self, replies: Sequence[Reply]) -> Answers:
        return {name: answer for reply in replies for name, answer in reply.items()}

    def ask(self, command: str, **arguments: Any) -> Answers | None:
        """The answers to any command, one of your own, for example."""
        return self._request(command, **arguments)

    def report(self) -> Answers | None:
        """What each is made of, for a bug report: `{"ok": text}`."""
        return self._request("report")

    def clock(self) -> Answers | None:
        """Its logical clock: `{"clock": number}`."""
        return self._request("clock")

    def active(self, safe: bool | None = None) -> Answers | None:
        """The tasks that run, each with `id`, `name`, `args`, `kwargs`, `time_start`, `worker_pid`; `safe`: arguments as text."""
        return self._request("active", safe=safe)

    def scheduled(self, safe: bool | None = None) -> Answers | None:
        """Those that wait for their time in the queues that it serves (in the store, the next 100), or for their rate limit."""
        return self._request("scheduled")

    def reserved(self, safe: bool | None = None) -> Answers | None:
        """Those that a worker has taken and not begun."""
        return self._request("reserved")

    def stats(self) -> Answers | None:
        """Its figures: how many of each task have run, since when it runs, its pool, its broker."""
        return self._request("stats")

    def revoked(self) -> Answers | None:
        """The ids of tasks that are not to run."""
        return self._request("revoked")

    def registered(self, *taskinfoitems: str) -> Answers | None:
        """The names of the tasks that it can run, with these of their attributes."""
        return self._request("registered", taskinfoitems=taskinfoitems)

    registered_tasks = registered

    def ping(self, destination: str | Sequence[str] | None = None) -> Answers | None:
        """`{"ok": "pong"}` of each that is alive."""
        if destination:
            self.destination = destination
        return self._request("ping")

    def active_queues(self) -> Answers | None:
        """The queues that it serves."""
        return self._request("active_queues")

    def query_task(self, *ids: Any) -> Answers | None:
        """Where these tasks are, by id: `[state, task]`; only those that a worker has in hand."""
        wanted = ids[0] if len(ids) == 1 and isinstance(ids[0], list | tuple) else ids
        return self._request("query_task", ids=wanted)

    def conf(self, with_defaults: bool = False) -> Answers | None:
        """Its settings, secrets masked."""
        return self._request("conf", with_defaults=with_defaults)

    def hello(self, from_node: str, revoked: Any = None) -> Answers | None:
        """What neighbours tell each other."""
        return self._request("hello", from_node=from_node, revoked=revoked)

    def memsample(self) -> Answers | None:
        """Its memory now."""
        return self._request("memsample")

    def memdump(self, samples: int = 10) -> Answers | None:
        """Its memory at earlier such requests."""
        return self._request("memdump", samples=samples)

    def objgraph(self, type: str = "Request", n: int = 200, max_depth: int = 10) -> Answers | None:
        """A picture of its objects of that type; needs the package objgraph there."""
        return self._request("objgraph", num=n, max_depth=max_depth, type=type)
