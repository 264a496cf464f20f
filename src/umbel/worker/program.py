"""A worker of one app in any program: `app.Worker(concurrency=4, loglevel="INFO").start()`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from umbel.wire.node import node_name
from umbel.worker.worker import HEARTBEAT, Worker

WITHOUT_EFFECT = frozenset({"quiet", "without_gossip", "without_mingle", "optimization", "statedb", "no_color"})
"""What Celery's takes, too, and nothing here depends on."""


class AppWorker(Worker):
    """What `app.Worker` is, where it has its app from. `start` works until `stop` is called, or a signal asks for it.

    Takes what `umbel.worker.worker.Worker` takes, and: `loglevel` or `logfile`, which let it set up the log as `umbel worker`
    does (without them it leaves the program's alone), `include` (modules to import, too), and `without_heartbeat`.
    `hostname` may have the places `%h`, `%n` and `%d`; names of queues may be one text with commas. `pool_cls` and
    `exclude_queues` are Celery's names for `pool` and `exclude`; what gossip and mingling are told is taken, and has no effect.
    """

    app: Any = None

    def __init__(
        self,
        app: Any = None,
        *,
        hostname: str | None = None,
        pool: str | None = None,
        pool_cls: str | None = None,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        include: str | Sequence[str] = (),
        heartbeat: float | None = HEARTBEAT,
        without_heartbeat: bool = False,
        queues: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] = (),
        exclude_queues: str | Sequence[str] = (),
        **options: Any,
    ):
        app = self.app if app is None else app
        node = node_name(hostname)
        if include:
            app.conf.include = (*app.conf.include, *_names(include))
        if loglevel is not None or logfile is not None:
            options.setdefault("set_up", partial(self.setup_logging, app, loglevel, logfile, node))
        super().__init__(
            app,
            hostname=node,
            queues=None if queues is None else _names(queues),
            exclude=[*_names(exclude), *_names(exclude_queues)],
            pool=pool or pool_cls or app.conf.worker_pool,
            heartbeat=None if without_heartbeat else heartbeat,
            **{name: value for name, value in options.items() if name not in WITHOUT_EFFECT},
        )

    @staticmethod
    def setup_logging(app: Any, loglevel: str | int | None, logfile: str | None, hostname: str) -> bool:
        """Set up the log; True if receivers of `setup_logging` have done it all."""
        conf = app.conf
        prints, level = conf.worker_redirect_stdouts, conf.worker_redirect_stdouts_level
        handled: bool = app.log.setup(loglevel, logfile, redirect_stdouts=prints, redirect_level=level, hostname=hostname)
        return handled

    def start(self) -> int:
        """Work until told to stop; gives the exit code, which is kept as `exitcode`."""
        return self.run()

    def terminate(self) -> None:
        """Give back what runs, and stop; from any thread."""
        self.stop("cold")


def _names(given: str | Sequence[str]) -> list[str]:
    """Names, also from one text with commas."""
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else list(given)
