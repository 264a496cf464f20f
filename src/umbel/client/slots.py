"""The parts of an app in whose place a program may put classes of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from umbel.errors import ImproperlyConfigured
from umbel.settings import find

if TYPE_CHECKING:
    from umbel.client.amqp import Amqp
    from umbel.client.loader import Loader
    from umbel.client.logbook import Log
    from umbel.client.remote.control import Control
    from umbel.client.remote.events import Events

SLOTS = ("loader", "log", "control", "events", "amqp")


class Slots:
    """Names the class of each part, and makes the part when it is first asked for: once, and called with `app`.

    A class may be given by its path, `"proj.parts:Loader"`: as an attribute of a subclass, or to the constructor
    (`Umbel(loader=Loader)`).
    """

    loader_cls: Any = "umbel.client.loader:Loader"
    """The class of what imports the modules of tasks, and is told of workers and runs."""
    log_cls: Any = "umbel.client.logbook:Log"
    """The class of what sets up the logs of workers and beats."""
    control_cls: Any = "umbel.client.remote.control:Control"
    """The class of what tells workers what to do."""
    events_cls: Any = "umbel.client.remote.events:Events"
    """The class of what tells of events."""
    amqp_cls: Any = "umbel.client.amqp:Amqp"
    """The class of what shows queues and routes."""
    worker_cls: Any = "umbel.worker.program:AppWorker"
    """The class that `Worker` derives from."""
    beat_cls: Any = "umbel.beat.program:AppBeat"
    """The class that `Beat` derives from."""
    builtin_fixups: Iterable[Any] = ()
    """What is called with each new app that is given no `fixups`."""

    def _fill_slots(self, given: Mapping[str, Any]) -> None:
        for name, kind in given.items():
            if kind is not None:
                setattr(self, f"{name}_cls", kind)

    def _fix_up(self, fixups: Iterable[Any] | None) -> None:
        """Call each with this app, and keep what it gives."""
        self._fixups = [_found(each)(self) for each in (self.builtin_fixups if fixups is None else fixups)]

    @property
    def has_own_loader(self) -> bool:
        """True if its loader is of another class than that of apps which name none."""
        return bool(self.loader_cls != Slots.loader_cls)

    def tell_loader_of_runs(self) -> None:
        """Tell its loader of the runs of its tasks from now on, behind all others, if the loader has hooks for that."""
        from umbel.client.loader import tell_of_runs

        tell_of_runs(self.loader)

    def leave_loader(self) -> None:
        """Tell it no more."""
        if (loader := self.__dict__.get("loader")) is not None:
            from umbel.client.loader import forget

            forget(loader)

    def make_part(self, name: str) -> Any:
        """A new one of what the slot `name` says. Raises ImproperlyConfigured for a path that leads nowhere."""
        kind = getattr(self, f"{name}_cls")
        try:
            found = self.find_part(name, kind)
        except ImportError as problem:
            raise ImproperlyConfigured(f"the {name} of the app, {kind!r}, cannot be imported: {problem}") from problem
        return found(app=self)

    def find_part(self, name: str, kind: Any) -> Any:
        """The class that a slot's value stands for."""
        return _found(kind)

    @cached_property
    def loader(self) -> Loader:
        """Imports the modules of its tasks."""
        made: Loader = self.make_part("loader")
        return made

    @cached_property
    def log(self) -> Log:
        """Sets up the logs of its workers and beats."""
        made: Log = self.make_part("log")
        return made

    @cached_property
    def control(self) -> Control:
        """Tells workers what to do, and asks them what they do."""
        made: Control = self.make_part("control")
        return made

    @cached_property
    def events(self) -> Events:
        """What happens to tasks and workers, told while it happens."""
        made: Events = self.make_part("events")
        return made

    @cached_property
    def amqp(self) -> Amqp:
        """Its queues and routes, to be looked at."""
        made: Amqp = self.make_part("amqp")
        return made

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """The class of its workers, to run one in this process: `app.Worker(concurrency=4, loglevel="INFO").start()`."""
        return self._bound("Worker", _found(self.worker_cls))

    @cached_property
    def Beat(self) -> Any:  # noqa: N802 - Celery's name
        """The class of its beats, to run one in this process: `app.Beat(loglevel="INFO").run()`."""
        return self._bound("Beat", _found(self.beat_cls))

    def _bound(self, name: str, base: type[Any]) -> type[Any]:
        return type(name, (base,), {"app": self, "__module__": base.__module__, "__doc__": base.__doc__})

    @cached_property
    def steps(self) -> Any:
        """Classes of steps that its workers make, start and stop beside their own: `app.steps["worker"].add(Watchdog)`.

        Those of `"consumer"` run as long as messages come. See `umbel.worker.steps`.
        """
        return defaultdict(set)

    @cached_property
    def user_options(self) -> Any:
        """Options of the program's own for commands, as click has them: `app.user_options["worker"].add(Option(["--site"]))`.

        Those of `"preload"` belong to all that start something. Steps get their values, and so do the receivers of
        `user_preload_options`.
        """
        return defaultdict(set)


def _found(kind: Any) -> Any:
    return find(kind) if isinstance(kind, str) else kind
