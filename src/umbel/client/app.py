"""The app: settings, tasks, and the stores they use."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, Self, TypeVar, cast, overload

from umbel import guise, signals
from umbel.client import builtin, current, define, shared, storage
from umbel.client.canvas.signature import signature
from umbel.client.outbox import Batch, Outbox
from umbel.client.plain import plain
from umbel.client.registry import Registry
from umbel.client.results.result import AsyncResult as ResultOf  # the class has a method of that name
from umbel.client.slots import SLOTS, Slots
from umbel.client.task import Task as TaskOf  # and a property of this one
from umbel.client.typing import Bound, Periodic, Plain
from umbel.errors import AlwaysEagerIgnored, DuplicateTaskNameWarning, ImproperlyConfigured
from umbel.settings import Settings, find
from umbel.settings.settings import MODULE
from umbel.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime, tzinfo

    from umbel.client.modules import Packages
    from umbel.client.periodic.timetable import Timetable
    from umbel.client.relay import Relay
    from umbel.messages.routing import Router
    from umbel.messages.write import Writer
    from umbel.stores.backend import ResultBackend
    from umbel.stores.broker import Broker
    from umbel.stores.channel import Channel
    from umbel.stores.schedule import ScheduleStore

P = ParamSpec("P")
R = TypeVar("R")


class Stores(NamedTuple):
    """What an app has opened."""

    broker: Broker | None = None
    backend: ResultBackend | None = None
    has_backend: bool = False
    """True if `backend` is what it is, be it None."""
    schedule: ScheduleStore | None = None
    channel: Channel | None = None


class Umbel(Slots):
    """One application: its settings, its tasks, and where their messages and results are.

    Settings may be given by keyword: `Umbel("proj", broker="sqlite:///proj.db", task_serializer="msgpack")`. Nothing is opened,
    imported or read before it is needed. `loader`, `log`, `control`, `events` and `amqp` are classes that take the place of
    those parts of it, `fixups` what is called with it before anybody else sees it; each may be given by its path.
    """

    task_cls: Any = TaskOf
    """The class of its tasks, or its path."""
    registry_cls: Any = Registry
    """The class of what holds its tasks, or its path."""
    settings_cls: type[Settings] = Settings
    """The class of its settings."""

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | None = None,
        backend: str | None = None,
        include: Sequence[str] | None = None,
        config_source: Any = None,
        namespace: str | None = None,
        changes: Mapping[str, Any] | None = None,
        set_as_current: bool = True,
        autofinalize: bool = True,
        task_cls: Any = None,
        tasks: Mapping[str, TaskOf[..., Any]] | None = None,
        strict_typing: bool = True,
        config_source_silent: bool = False,
        loader: Any = None,
        log: Any = None,
        control: Any = None,
        events: Any = None,
        amqp: Any = None,
        fixups: Iterable[Any] | None = None,
        **settings: Any,
    ):
        given = {"broker_url": broker, "result_backend": backend, "include": include}
        self._fill_slots(dict(zip(SLOTS, (loader, log, control, events, amqp), strict=True)))
        changes = {**(changes or {}), **{k: v for k, v in given.items() if v is not None}}
        self.main = main
        self.namespace = namespace
        self.strict_typing = strict_typing
        self.on_configure = Signal("on_configure")
        self.on_after_configure = Signal("on_after_configure", ("source",))
        self.on_after_finalize = Signal("on_after_finalize")
        self.on_after_fork = Signal("on_after_fork")
        self._conf = self.settings_cls({**changes, **settings}, loaded=self._configured)
        if self.has_own_loader:
            self._conf.opened_by(self._opened)
        registry = find(self.registry_cls) if isinstance(self.registry_cls, str) else self.registry_cls
        self._tasks: Registry = registry(tasks or {})
        self._task_type: Any = None
        self._autofinalize = autofinalize
        self._discover: list[tuple[Packages, str | None]] = []
        self._replaced: list[str] = []
        """Modules that are being imported anew."""
        self._imported: tuple[object, ...] | None = None
        """What `import_task_modules` was to import when it was last called."""
        self._lock = RLock()
        self._broker: Broker | None = None
        self._backend: ResultBackend | None = None
        self._has_backend = False
        self._schedule_store: ScheduleStore | None = None
        self._channel: Channel | None = None
        self._periodic: dict[str, dict[str, Any]] = {}
        """Entries of the schedule that were added before the settings were read."""
        self._is_configured = False
        self._reading: tuple[int, storage.Reading] | None = None
        """What `reading` gives, and the version of the settings that it comes from."""
        self._writer: tuple[int, Writer] | None = None
        self._outbox = Outbox(lambda: self.broker, self._conf)
        self._is_finalizing = self._has_annotated = False
        self.finalized = False
        """True once every task is known."""
        if task_cls is not None:
            self.task_cls = task_cls
        if config_source is not None:
            self.config_from_object(config_source, namespace=namespace, silent=config_source_silent)
        self._fix_up(fixups)
        if set_as_current:
            self.set_current()
        self.on_init()

    def on_init(self) -> None:
        """Called at the end of the constructor, for subclasses."""

    # Settings

    def _set_conf(self, values: Mapping[str, Any]) -> None:
        self._conf.update(values)

    conf: Settings = property(attrgetter("_conf"), _set_conf)  # type: ignore[assignment]  # in C: tasks ask for it all the time
    """The settings, as attributes and items; assign a mapping to change some."""

    def config_from_object(self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None) -> None:
        """Take settings from a module, its path, an object or a dict, when the first of them is asked for.

        With `namespace="CELERY"` those named `CELERY_…`. With `silent` a module that cannot be imported counts as empty.
        """
        self.namespace = namespace or self.namespace
        self._conf.read(source, namespace=namespace, silent=silent, force=force)

    def config_from_envvar(self, name: str, silent: bool = False, force: bool = False) -> bool:
        """Take settings from the module that an environment variable names; False if it is not set (and `silent`)."""
        path = os.environ.get(name)
        if not path:
            if silent:
                return False
            raise ImproperlyConfigured(f"the environment variable {name} is not set; it should name the module with settings")
        self.config_from_object(path, silent=silent, force=force)
        return True

    def add_defaults(self, values: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Take settings that anything else overrules."""
        self._conf.add_defaults(values)

    def _configured(self) -> None:
        self.on_configure.send(self)
        self._is_configured = True
        for name, words in self._periodic.items():
            self._add_entry(name, words)
        self.on_after_configure.send(self, source=self._conf)

    def _opened(self, source: Any, silent: bool) -> Any:
        """What a loader of somebody else's makes of a source of settings; None stands for that of a program that names none."""
        from umbel.client.loader import OF_SETTINGS, overrides  # as loaders are for workers, mostly

        loader = self.loader
        if not overrides(loader, *OF_SETTINGS):
            return os.environ.get(MODULE) if source is None else source
        if source is None:
            return loader.read_configuration() or None
        return loader.conf if loader.config_from_object(source, silent=silent) else loader.read_configuration()

    @property
    def timezone(self) -> tzinfo:
        """The time zone of schedules and of times without one."""
        from zoneinfo import ZoneInfo

        zone = self._conf.timezone
        if zone is None and not self._conf.enable_utc:
            from umbel.schedules import local_zone  # most programs have no schedule

            return local_zone()
        return ZoneInfo(zone or "UTC") if zone is None or isinstance(zone, str) else zone

    @timezone.setter
    def timezone(self, zone: tzinfo | str | None) -> None:
        self._conf.timezone = zone

    def now(self) -> datetime:
        """The time, in its zone."""
        from umbel import clock

        return clock.utc().astimezone(self.timezone)

    def uses_utc_timezone(self) -> bool:
        """True if its zone is UTC."""
        return str(self.timezone) in ("UTC", "Etc/UTC")

    # Tasks

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskOf[P, R]: ...

    @overload
    def task(self, function: Callable[P, R], /) -> TaskOf[P, R]: ...

    @overload
    def task(self, *, bind: Literal[True], **options: Any) -> Bound: ...

    @overload
    def task(self, *, bind: Literal[False] = ..., **options: Any) -> Plain: ...

    def task(self, *args: Any, **options: Any) -> Any:
        """Make a function a task: `@app.task`, or `@app.task(bind=True, max_retries=5, …)`.

        Options are the attributes of `Task`; also `name`, `base` (another class), `bind` (the task is the first argument),
        `shared` (a task of every app) and `filter` (a function around the function). Any other becomes an attribute.
        """
        if len(args) == 1 and callable(args[0]):
            return self.make_task(args[0], **options)
        if args:
            raise TypeError("@app.task takes options by name: @app.task(name='…', bind=True)")
        if options.pop("shared", False):
            return shared.shared_task(**options)
        return lambda function: self.make_task(function, **options)

    def make_task(
        self, function: Callable[..., Any], name: str | None = None, base: Any = None, **options: Any
    ) -> TaskOf[..., Any]:
        """The task of a function, new or known; what `task` does, without the decorator."""
        options.pop("lazy", None)
        around = options.pop("filter", None)
        name = name or self.gen_task_name(function.__name__, function.__module__)
        known = self._tasks.get(name)
        if known is not None and function.__module__ not in self._replaced:
            if not define.is_same(known, function):
                text = f"there is a task {name!r} already; this one is ignored: give it another name"
                warnings.warn(text, DuplicateTaskNameWarning, stacklevel=3)
            return known
        options.setdefault("typing", self.strict_typing)
        run = around(function) if around is not None else function
        task: TaskOf[..., Any] = define.make(run, name=name, base=base or self.Task, app=self, options=options)
        self._add(task)
        return task

    @contextmanager
    def replacing(self, module: str) -> Iterator[None]:
        """While it lasts, functions of this module replace tasks of their name, as it is imported anew."""
        self._replaced.append(module)
        try:
            yield
        finally:
            self._replaced.remove(module)

    def task_modules(self) -> list[str]:
        """The modules that `import_task_modules` imports, and others that were imported for their tasks."""
        from umbel.client.modules import related  # as programs that only send import no tasks of others

        found = [module for names, related_name in self._discovered() for module in related(names, related_name)]
        return list(dict.fromkeys([*self._conf.imports, *self._conf.include, *found, *sorted(self.loader.task_modules)]))

    def register_task(self, task: Any, **options: Any) -> Any:
        """Add a task that is defined as a class (the class or an instance); gives the instance. It replaces one of its name."""
        if isinstance(task, type):
            task = task()
        kind = type(task)
        if not task.name:
            kind.name = self.gen_task_name(kind.__name__, kind.__module__)
        for key, value in options.items():
            setattr(task, key, value)
        define.check(task)
        task.app = self
        self._tasks.pop(task.name, None)
        self._add(task)
        return task

    def _add(self, task: TaskOf[..., Any]) -> None:
        self._tasks[task.name] = task
        type(task).on_bound(self)
        if self._has_annotated:
            self._annotate(task)

    def _annotate(self, task: TaskOf[..., Any]) -> None:
        if self._conf.task_annotations:
            define.annotate(task, self._conf.task_annotations)

    def gen_task_name(self, name: str, module: str | None) -> str:
        """The name of a task that is not given one: where its function is defined."""
        return define.name_of(name, module, self.main)

    @property
    def Task(self) -> type[TaskOf[..., Any]]:  # noqa: N802 - Celery's name
        """The class of its tasks: what is set on it concerns no other app. Assign another before tasks are made."""
        if self._task_type is None:
            base = find(self.task_cls) if isinstance(self.task_cls, str) else self.task_cls
            attributes = {"_app": self, "abstract": True, "__module__": base.__module__, "__doc__": base.__doc__}
            self._task_type = type("Task", (base,), attributes)
        return self._task_type  # type: ignore[no-any-return]  # a class that is made here

    @Task.setter
    def Task(self, base: Any) -> None:  # noqa: N802 - Celery's name
        self._task_type = base

    @property
    def tasks(self) -> Registry:
        """All tasks by name; the first access finalizes the app."""
        if not self.finalized:
            if not self._autofinalize:
                raise RuntimeError("the app is not finalized, and autofinalize is off: call app.finalize() first")
            self.finalize(auto=True)
        return self._tasks

    def finalize(self, auto: bool = False) -> None:
        """Complete the tasks: shared ones join, annotations apply, and who waits for it is told. Twice is the same as once.

        Raises ImproperlyConfigured for serializers that nobody knows; if it comes about by itself (`auto`), they may still be
        registered until they are used.
        """
        self._conf.load()  # before the lock is taken: who is told of that may want the app, too
        with self._lock:
            if not self._is_finalizing:
                self._is_finalizing = True
                try:
                    self._complete()
                except BaseException:
                    self._is_finalizing = False
                    raise
                self.finalized = True
        if not auto and (lines := self._strangers()):
            raise ImproperlyConfigured("\n".join(lines))

    def problems(self) -> list[str]:
        """Everything that is wrong with the settings, and what they and the tasks name and nobody knows, a line for each."""
        return [*self._conf.problems(), *self._strangers()]

    def _strangers(self) -> list[str]:
        from umbel.client import formats  # here, as what reads messages is loaded late

        return [*formats.strange_in(self._conf), *formats.strange_tasks(self._tasks.values())]

    def _complete(self) -> None:
        shared.join(self)
        builtin.join(self)
        for task in list(self._tasks.values()):
            self._annotate(task)
        self._has_annotated = True
        if self.has_own_loader:
            self.tell_loader_of_runs()
        self.on_after_finalize.send(self)

    def autodiscover_tasks(self, packages: Packages = None, related_name: str | None = "tasks", force: bool = False) -> None:
        """Import the modules called `tasks` of some packages, when a worker starts; without packages those of Django's apps.

        A package without one is passed over. `packages` may be a function. With `related_name=None` the packages themselves are
        imported. With `force` all that is done now.
        """
        if not force:
            self._discover.append((packages, related_name))
            return
        found = packages() if callable(packages) else _installed_apps() if packages is None else packages
        self.loader.autodiscover_tasks([found] if isinstance(found, str) else list(found or ()), related_name)

    def import_task_modules(self) -> None:
        """Import all modules that hold tasks: `imports`, `include`, and those found by `autodiscover_tasks`.

        Twice is the same as once: `import_modules` is sent again only if there is more to import than the last time.
        """
        self.loader.import_default_modules()
        self.finalize(auto=True)

    @property
    def has_more_to_import(self) -> bool:
        """True if it names modules with tasks that were not imported yet."""
        return self._imported != self._to_import()

    def _to_import(self) -> tuple[object, ...]:
        return *self._conf.imports, *self._conf.include, len(self._discover)

    def import_discovered(self, django_apps: list[str] | None = None) -> None:
        """Import what `autodiscover_tasks` finds; for loaders."""
        for names, related_name in self._discovered(django_apps):
            self.loader.autodiscover_tasks(names, related_name)

    def tell_of_imports(self) -> None:
        """Send `import_modules`, if there is more to import than the last time; for loaders."""
        if self.has_more_to_import:
            self._imported = self._to_import()
            signals.import_modules.send(self)

    def _discovered(self, django_apps: list[str] | None = None) -> Iterator[tuple[list[str], str | None]]:
        """Packages, and what their modules with tasks are called."""
        for packages, name in self._discover:
            if packages is None:
                names: Iterable[str] = _installed_apps() if django_apps is None else django_apps
            else:
                names = packages() if callable(packages) else packages
            yield [names] if isinstance(names, str) else list(names or ()), name

    @property
    def current_task(self) -> Any:
        """The task that runs here and now; None if none does."""
        return current.running()

    # Periodic work

    def add_periodic_task(
        self,
        schedule: Any,
        sig: Any,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | Iterable[Any] = (),
        name: str | None = None,
        **options: Any,
    ) -> str:
        """Send a signature again and again: add it to `beat_schedule`; gives the entry's name.

        `schedule` is a crontab or other schedule, seconds, a timedelta or a crontab's line. `options` are those of `apply_async`,
        and `relative`, `timezone`, `catch_up` and `enabled` of the entry.
        """
        from umbel.client.periodic.timetable import periodic  # all that schedules need is loaded where there is one

        name, words = periodic(schedule, sig, args, kwargs, name, options)
        known = self._conf.beat_schedule if self._is_configured else self._periodic
        if known and known.get(name, words) != words:
            warnings.warn(f"there is an entry {name!r} already, and this one takes its place: give each a name", stacklevel=2)
        if self._is_configured:
            self._add_entry(name, words)
        else:
            self._periodic[name] = words
        return name

    def _add_entry(self, name: str, words: dict[str, Any]) -> None:
        if not self._conf.beat_schedule:
            self._conf.beat_schedule = {}
        self._conf.beat_schedule[name] = words

    def periodic(
        self,
        schedule: Any,
        *,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Periodic:
        """Send a task again and again: `@app.periodic(crontab(hour=4, minute=0))` above `@app.task`, or alone in its place.

        Takes what `add_periodic_task` takes. The entry is called like the task, unless `name` says otherwise.
        """

        def decorate(found: Any) -> Any:
            task = found if isinstance(found, TaskOf) else self.make_task(found)
            self.add_periodic_task(schedule, task.s(), args, kwargs or {}, name or task.name, **options)
            return task

        return cast("Periodic", decorate)

    @cached_property
    def schedule(self) -> Timetable:
        """The schedule: to be looked at, and changed while beats are running."""
        from umbel.client.periodic.timetable import Timetable as TimetableOf  # as above

        return TimetableOf(self)

    # Sending

    @plain
    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        task_id: str | None = None,
        task_type: Any = None,
        **options: Any,
    ) -> ResultOf[Any]:
        """Send a task by its name; it need not be known here. Takes the options of `Task.apply_async`.

        All that is sent comes by here, except that nobody need notice where it is not overridden. `task_type` is the task, if it
        has looked at its arguments and wants to be sent even if tasks are to run eagerly.
        """
        from umbel.client.sending import send  # all that writes messages is loaded with the first call
        from umbel.messages import given

        task = task_type
        if args:
            args = given.listed(name, args)
        if kwargs:
            kwargs = given.named(name, kwargs)
        if task is None:
            task = self.tasks.get(name)
            if task is not None and self._conf.task_always_eager:
                text = f"send_task({name!r}) is sent to a worker, although task_always_eager is set"
                warnings.warn(text, AlwaysEagerIgnored, stacklevel=2)
        options |= {"countdown": countdown, "eta": eta, "task_id": task_id}
        return send(self, name, args or (), kwargs or {}, options, task)

    def signature(self, task: Any, *args: Any, **kwargs: Any) -> Any:
        """A call that is not made yet, of a task, a task's name, or a dict that describes it."""
        return signature(task, *args, app=self, **kwargs)

    def batch(self) -> Batch:
        """Collect what is sent inside `with app.batch():` and send it in one step at its end; nothing if the block raises."""
        return self.outbox.batch()

    def AsyncResult(self, id: str, **options: Any) -> ResultOf[Any]:  # noqa: N802 - Celery's name
        """The result of a task by its id. Raises ValueError without one."""
        if id is None:
            raise ValueError("a result has the id of a task, and None is none")
        options.pop("backend", None)
        return ResultOf(id, app=self, **options)

    @cached_property
    def GroupResult(self) -> Any:  # noqa: N802 - Celery's name
        """The class of results of groups, with this app: `app.GroupResult.restore(id)`."""
        from umbel.client.results.group_result import GroupResult

        return type("GroupResult", (GroupResult,), {"bound_app": self, "__module__": GroupResult.__module__})

    @cached_property
    def ResultSet(self) -> Any:  # noqa: N802 - Celery's name
        """The class of sets of results, with this app."""
        from umbel.client.results.result_set import ResultSet

        return type("ResultSet", (ResultSet,), {"bound_app": self, "__module__": ResultSet.__module__})

    @property
    def result_type(self) -> type[ResultOf[Any]]:
        """The class of what sending gives; a subclass may have another, which is made by id and `app`."""
        return ResultOf

    def bugreport(self) -> str:
        """What to tell in a report of a fault: versions and settings, secrets masked."""
        from umbel.client.report import text  # as above

        return text(self)

    def start(self, argv: Sequence[str] | None = None) -> int:
        """Run a command line for this app, as `umbel -A proj …` does: `app.start(["worker", "-c", "2"])`; gives its exit code.

        None: what stands behind the program's name.
        """
        code: int = import_module(guise.worn().commands).start(self, argv)
        return code

    def worker_main(self, argv: Sequence[str] | None = None) -> int:
        """The same for `worker`, the word for which has to be in `argv`."""
        argv = sys.argv[1:] if argv is None else argv
        if "worker" not in argv:
            raise ValueError(
                "worker_main() runs `umbel worker`: put the word worker into argv, or use start() for other commands"
            )
        return self.start(argv)

    def step_parent(self, worker: Any, kind: str) -> Any:
        """What such steps get as the worker; for classes that show another face of it."""
        return worker

    @cached_property
    def clock(self) -> Any:
        """A logical clock (`value`, `forward`, `adjust`), by which events of many machines stand in an order."""
        from umbel.wire.lamport import Lamport

        return Lamport()

    # Where things are

    @property
    def writer(self) -> Writer:
        """Makes messages by its settings."""
        from umbel.client.sending import writer  # as above

        conf = self._conf
        if self._writer is None or self._writer[0] != conf.version:
            made = writer(conf)  # reads the settings, if nobody has
            self._writer = conf.version, made
        return self._writer[1]

    @property
    def router(self) -> Router:
        """Knows queues and routes."""
        return self.writer.rules.router

    @cached_property
    def relay(self) -> Relay:
        """Makes messages of what follows from its runs."""
        from umbel.client.relay import Relay as RelayOf

        return RelayOf(self)

    def queues(self) -> list[str]:
        """The queues that the settings name: those a worker serves if it is told nothing else."""
        return list(self.router.queues)

    def hides(self, queue: str) -> bool:
        """True of the queue by which workers tell each other of chords: shown to who asks for it by its name."""
        from umbel.client.sending import ORDERS  # as above

        return queue == f"{self._conf.task_default_queue}{ORDERS}" and queue not in self.queues()

    def to_serve(self, queues: list[str]) -> list[str]:
        """Those that a worker serves once it is set up, of what it was told; for classes that know of more."""
        return queues

    outbox: Outbox = property(attrgetter("_outbox"))  # type: ignore[assignment]  # in C: who waits for a result asks for it
    """Where messages leave."""

    @property
    def broker_url(self) -> str:
        """Where messages are; a file in the current directory if nothing is set."""
        return storage.broker_url(self._conf)

    @property
    def result_url(self) -> str | None:
        """Where results are: `result_backend`, else with the messages if their store keeps results; None: nowhere."""
        return storage.result_url(self._conf)

    @property
    def broker(self) -> Broker:
        """The store of messages; opened when it is first used."""
        broker = self._broker
        if broker is None:
            self._conf.load()  # outside the lock, as in finalize
            with self._lock:
                broker = self._broker = self._broker or storage.open_broker(self._conf)
        return broker

    @property
    def result_store(self) -> ResultBackend | None:
        """The store of results, opened when it is first used; None if none are kept."""
        if not self._has_backend:
            self._conf.load()
            with self._lock:
                if not self._has_backend:
                    self._backend = self.open_result_store()
                    self._has_backend = True
        return self._backend

    def open_result_store(self) -> ResultBackend | None:
        """Opens what `result_store` is to be; for subclasses that have another. None: results are not kept."""
        return storage.open_backend(self._conf)

    @property
    def backend(self) -> Any:
        """The store of results. umbel itself asks for `result_store`, so that a subclass may show another face here."""
        return self.result_store

    @property
    def schedule_store(self) -> ScheduleStore:
        """The store of what is sent when, which is the app's own by its name; opened when it is first used."""
        store = self._schedule_store
        if store is None:
            self._conf.load()
            with self._lock:
                store = self._schedule_store = self._schedule_store or storage.open_schedule_store(
                    self._conf, define.program(self.main)
                )
        return store

    @property
    def channel(self) -> Channel:
        """What carries notes to all who listen; opened when it is first used."""
        channel = self._channel
        if channel is None:
            self._conf.load()
            with self._lock:
                channel = self._channel = self._channel or storage.open_channel(self._conf)
        return channel

    def reading(self) -> storage.Reading:
        """The result store, the content types to accept from it, and the serializer of its documents."""
        known = self._reading
        if known is None or known[0] != self._conf.version:
            self._conf.load()
            with self._lock:  # so that a store that is closed meanwhile is not kept
                known = self._reading = self._conf.version, storage.reading(self._conf, self.result_store)
        return known[1]

    def after_fork(self) -> None:
        """Called in each child process of its worker; tells those who connected to `on_after_fork`, and its loader."""
        self.on_after_fork.send(self)
        self.loader.init_worker()  # nothing, as that was before the fork; but a subclass may want it
        self.loader.init_worker_process()

    # Being the current one

    def set_current(self) -> None:
        """Make it the app that `current_app` and shared tasks mean."""
        current.set_current(self)

    def set_default(self) -> None:
        """Make it that of all threads that have no other."""
        current.set_default(self)

    def exchange_stores(self, stores: Stores) -> Stores:
        """Use these from now on, those that are None opened when they are needed; gives those it had, which stay open."""
        with self._lock:
            before = Stores(self._broker, self._backend, self._has_backend, self._schedule_store, self._channel)
            self._broker, self._backend, self._has_backend, self._schedule_store, self._channel = stores
            self._reading = None
            self._outbox.leave()
        return before

    def close(self) -> None:
        """Leave the stores; the app may be used again, and opens them anew."""
        if (events := self.__dict__.get("events")) is not None:
            events.close()  # or its thread would open again what is closed here
        with self._lock:
            stores = (self._broker, self._backend, self._schedule_store, self._channel)
            self._broker, self._backend, self._has_backend, self._reading = None, None, False, None
            self._schedule_store = self._channel = None
            self._outbox.leave()
        for store in stores:
            if store is not None:
                store.close()
        self.leave_loader()
        shared.leave(self)
        current.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> Any:
        """By its name and what the program has set; its tasks are defined where it comes to."""
        return _made_again, (type(self), self.main, dict(self._conf.changes))

    def __repr__(self) -> str:
        return f"<Umbel {self.main or '(no name)'} at {hex(id(self))}>"


def _installed_apps() -> list[str]:
    from umbel.client.modules import installed_apps  # as above

    return installed_apps()


def _made_again(kind: type[Umbel], main: str | None, changes: dict[str, Any]) -> Umbel:
    return kind(main, changes=changes, set_as_current=False)


current.made_by(lambda: Umbel("default", set_as_current=False))
