"""The app, with Celery's names and signatures."""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakSet, ref

from celery.app.registry import TaskRegistry
from celery.app.utils import Settings
from umbel.client import current, shared
from umbel.client.app import Umbel
from umbel.client.plain import plain
from umbel.errors import BrokerDown, EncodeError

BUILTIN_FIXUPS = {"celery.fixups.django:fixup"}
USING_EXECV = os.environ.get("FORKED_BY_MULTIPROCESSING")

apps: WeakSet[Any] = WeakSet()
"""All apps that are in use."""

_UNSET: Any = object()


class Celery(Umbel):
    """An app: umbel's, with Celery's defaults (see `celery.app.defaults.DIFFERENT`), parts and signatures."""

    IS_macOS = sys.platform == "darwin"
    IS_WINDOWS = sys.platform == "win32"
    SYSTEM = {"darwin": "Darwin", "win32": "Windows"}.get(sys.platform) or sys.platform.capitalize()

    amqp_cls: Any = "celery.app.amqp:AMQP"
    backend_cls: Any = None
    events_cls = "celery.app.events:Events"
    loader_cls = None
    log_cls = "celery.app.log:Logging"
    control_cls = "celery.app.control:Control"
    task_cls: Any = "celery.app.task:Task"
    registry_cls: Any = TaskRegistry
    result_cls: Any = "celery.result:AsyncResult"
    settings_cls = Settings
    builtin_fixups = BUILTIN_FIXUPS

    main: str | None = None
    steps: Any = None
    user_options: Any = None
    worker_cls: Any = "celery.apps.worker:Worker"
    beat_cls: Any = "celery.apps.beat:Beat"
    on_configure: Any = None
    on_after_configure: Any = None
    on_after_finalize: Any = None
    on_after_fork: Any = None

    def __init__(
        self,
        main: str | None = None,
        loader: Any = None,
        backend: Any = None,
        amqp: Any = None,
        events: Any = None,
        log: Any = None,
        control: Any = None,
        set_as_current: bool = True,
        tasks: Any = None,
        broker: Any = None,
        include: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        config_source: Any = None,
        fixups: Any = None,
        task_cls: Any = None,
        autofinalize: bool = True,
        namespace: str | None = None,
        strict_typing: bool = True,
        config_source_silent: bool = False,
        **kwargs: Any,
    ):
        self._parts: dict[str, Any] = {}
        """Made when they are first asked for, and the same ever after."""
        self.steps = defaultdict(set)
        self.user_options = defaultdict(set)
        self.set_as_current = set_as_current
        if fixups is None:
            fixups = self.builtin_fixups if _is_django() else ()
        self.fixups = fixups
        self._task_type: Any = None
        if task_cls is None and type(self).task_cls == Celery.task_cls and _is_django():
            task_cls = "celery.contrib.django.task:DjangoTask"
        if loader == "default" and config_source is None:
            config_source, config_source_silent = os.environ.get("CELERY_CONFIG_MODULE") or "celeryconfig", True
        if backend is not None and not isinstance(backend, str):
            self.backend_cls, backend = backend, None
        super().__init__(
            main,
            broker=";".join(broker) if isinstance(broker, (list, tuple)) else broker,
            backend=backend,
            include=include,
            config_source=config_source,
            namespace=namespace,
            changes=changes,
            set_as_current=set_as_current,
            autofinalize=autofinalize,
            task_cls=task_cls,
            tasks=tasks,
            strict_typing=strict_typing,
            config_source_silent=config_source_silent,
            loader=loader or os.environ.get("CELERY_LOADER"),
            log=log,
            control=control,
            events=events,
            amqp=amqp,
            fixups=fixups,
            **kwargs,
        )
        if self.amqp_cls != Celery.amqp_cls:
            vars(self)["send_task"] = self._send_by_amqp
        apps.add(self)

    def on_init(self) -> None:
        """Called at the end of the constructor, for subclasses."""

    # Settings

    def config_from_object(self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None) -> None:
        """Take settings from a module, its path, an object or a dict, when the first of them is asked for."""
        self._source = (obj, silent, namespace)
        super().config_from_object(obj, silent, force, namespace)

    _source: tuple[Any, bool, str | None] | None = None

    def _configured(self) -> None:
        super()._configured()
        signals = sys.modules.get("django.core.signals")
        if signals is not None and self._source is not None and _is_of_django(self._source[0]):
            signals.setting_changed.connect(self._read_again)

    def _read_again(self, **_: Any) -> None:
        """A test has changed Django's settings for a while: `override_settings(CELERY_TASK_ALWAYS_EAGER=True)`."""
        assert self._source is not None, "it was read from there"
        obj, silent, namespace = self._source
        self._conf.read(obj, silent=silent, force=True, namespace=namespace)

    def config_from_envvar(self, variable_name: str, silent: bool = False, force: bool = False) -> bool:
        """Take settings from the module that an environment variable names."""
        return super().config_from_envvar(variable_name, silent, force)

    def config_from_cmdline(self, argv: Iterable[str], namespace: str = "celery") -> None:
        """Take settings written as `name=value`."""
        self.conf.update(self.loader.cmdline_config_parser(argv, namespace))

    def add_defaults(self, fun: Any) -> None:
        """Take settings that anything else overrules."""
        super().add_defaults(fun)

    @property
    def configured(self) -> bool:
        """True once settings were read."""
        return self._is_configured

    def either(self, default_key: str, *defaults: Any) -> Any:
        """The first that is given, else the setting."""
        return next((each for each in defaults if each is not None), None) or self.conf.first(default_key)

    def uses_utc_timezone(self) -> bool:
        """True if its zone is UTC."""
        return super().uses_utc_timezone()

    @property
    def annotations(self) -> Any:
        """What `task_annotations` says, as objects with `annotate`."""
        from celery.app.annotations import prepare

        return prepare(self.conf.task_annotations)

    # Tasks

    def task(self, *args: Any, **opts: Any) -> Any:
        """Make a function a task: of this app, and, unless `shared` is false, of all that are finalized later, too."""
        is_shared = opts.pop("shared", True)
        if len(args) == 1 and callable(args[0]):
            return self._made(args[0], opts, is_shared)
        if args:
            return super().task(*args, **opts)
        return lambda function: self._made(function, opts, is_shared)

    def _made(self, function: Callable[..., Any], options: dict[str, Any], is_shared: bool) -> Any:
        made = self.make_task(function, **options)
        if is_shared:
            mine = ref(self)
            words = {key: value for key, value in options.items() if key != "filter"}

            def join(app: Any) -> None:
                if app is not mine() and isinstance(app, Celery):
                    app.make_task(function, **words)

            shared.later_apps(join)
        return made

    def _task_from_fun(self, fun: Callable[..., Any], name: str | None = None, base: Any = None, **options: Any) -> Any:
        return self.make_task(fun, name, base, **options)

    def register_task(self, task: Any, **options: Any) -> Any:
        """Add a task that is defined as a class."""
        return super().register_task(task, **options)

    def gen_task_name(self, name: str, module: str | None) -> str:
        """The name of a task that is not given one."""
        return super().gen_task_name(name, module)

    def create_task_cls(self) -> Any:
        """A class of tasks that belong to this app."""
        return self.subclass_with_self(self.task_cls, name="Task", attribute="_app", keep_reduce=True, abstract=True)

    @property
    def Task(self) -> Any:  # noqa: N802 - Celery's name
        """The class of its tasks; assign another before tasks are made."""
        if self._task_type is None:
            self._task_type = self.create_task_cls()
        return self._task_type

    @Task.setter
    def Task(self, base: Any) -> None:  # noqa: N802 - Celery's name
        self._task_type = base

    def subclass_with_self(
        self,
        Class: Any,  # noqa: N803 - Celery's name
        name: str | None = None,
        attribute: str = "app",
        reverse: str | None = None,
        keep_reduce: bool = False,
        **kw: Any,
    ) -> Any:
        """A subclass whose attribute is this app."""
        found = _symbol(Class)
        attributes = {attribute: self, "__module__": found.__module__, "__doc__": found.__doc__, **kw}
        return type(name or found.__name__, (found,), attributes)

    def type_checker(self, fun: Callable[..., Any], bound: bool = False) -> Any:
        """A function that raises TypeError for arguments that do not fit."""
        from umbel.client.arguments import Arguments

        def check(*args: Any, **kwargs: Any) -> None:
            Arguments(getattr(fun, "__name__", "task"), fun, skip=int(bound)).check(args, kwargs)

        return check

    def finalize(self, auto: bool = False) -> None:
        """Complete the tasks."""
        super().finalize(auto)

    def _complete(self) -> None:
        from celery.app._patched import publish_through_producers
        from celery.app.builtins import add_all

        publish_through_producers()
        add_all(self)
        super()._complete()

    @property
    def current_worker_task(self) -> Any:
        """The task that a worker runs here and now."""
        from celery._state import get_current_worker_task

        return get_current_worker_task()

    # Sending

    @plain
    def send_task(
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: float | None = None,
        eta: Any = None,
        task_id: str | None = None,
        producer: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        expires: Any = _UNSET,
        publisher: Any = None,
        link: Any = None,
        link_error: Any = None,
        add_to_parent: bool = True,
        group_id: str | None = None,
        group_index: int | None = None,
        retries: int = 0,
        chord: Any = None,
        reply_to: str | None = None,
        time_limit: Any = _UNSET,
        soft_time_limit: Any = _UNSET,
        root_id: str | None = None,
        parent_id: str | None = None,
        route_name: str | None = None,
        shadow: str | None = None,
        chain: Any = None,
        task_type: Any = None,
        replaced_task_nesting: int = 0,
        **options: Any,
    ) -> Any:
        """Send a task by its name; it need not be known here."""
        given = {"expires": expires, "time_limit": time_limit, "soft_time_limit": soft_time_limit}
        options |= {key: value for key, value in given.items() if value is not _UNSET}
        options |= {
            "link": link,
            "link_error": link_error,
            "add_to_parent": add_to_parent,
            "group_id": group_id,
            "group_index": group_index,
            "retries": retries or None,
            "chord": chord,
            "reply_to": reply_to,
            "root_id": root_id,
            "parent_id": parent_id,
            "shadow": shadow,
            "chain": chain,
            "replaced_task_nesting": replaced_task_nesting or None,
        }
        try:
            result = super().send_task(name, args, kwargs, countdown, eta, task_id, task_type, **options)
        except (BrokerDown, EncodeError) as problem:
            from celery.app._sending import fail

            fail(problem)
        return result if result_cls is None else _symbol(result_cls)(result.id)

    def _send_by_amqp(
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: Any = None,
        eta: Any = None,
        task_id: str | None = None,
        producer: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        **options: Any,
    ) -> Any:
        """`send_task` of an app whose `amqp` is of somebody else's class: what that overrides is entered, as Celery enters it."""
        from celery.app._sending import send_by_amqp

        if not self.amqp.sends_itself():
            return type(self).send_task(
                self, name, args, kwargs, countdown, eta, task_id, producer, connection, router, result_cls, **options
            )
        found = send_by_amqp(self, name, args, kwargs, {"countdown": countdown, "eta": eta, **options}, task_id, producer, router)
        return (_symbol(result_cls) if result_cls else self.AsyncResult)(found)

    def signature(self, *args: Any, **kwargs: Any) -> Any:
        """A call that is not made yet."""
        from celery.canvas import signature

        kwargs["app"] = self
        return signature(*args, **kwargs)

    def add_periodic_task(
        self, schedule: Any, sig: Any, args: Any = (), kwargs: Any = (), name: str | None = None, **opts: Any
    ) -> str:
        """Send a signature again and again."""
        return super().add_periodic_task(schedule, sig, args, kwargs, name, **opts)

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> None:
        """Import the modules called `tasks` of some packages, when a worker starts."""
        super().autodiscover_tasks(packages, related_name, force)

    # Results

    @property
    def AsyncResult(self) -> Any:  # noqa: N802 - Celery's name
        """The class of results, with this app."""
        return self._part("AsyncResult", lambda: self.subclass_with_self(self.result_cls, attribute="bound_app"))

    @property
    def result_type(self) -> Any:
        """The class of what sending gives."""
        return self.AsyncResult

    @property
    def ResultSet(self) -> Any:  # noqa: N802 - Celery's name
        """The class of sets of results, with this app."""
        return self._part("ResultSet", lambda: self.subclass_with_self("celery.result:ResultSet", attribute="bound_app"))

    @property
    def GroupResult(self) -> Any:  # noqa: N802 - Celery's name
        """The class of results of groups, with this app."""
        return self._part("GroupResult", lambda: self.subclass_with_self("celery.result:GroupResult", attribute="bound_app"))

    @property
    def backend(self) -> Any:
        """Results, in Celery's words; umbel's worker and results use `result_store`."""
        return self._part("backend", self._get_backend)

    def _get_backend(self) -> Any:
        """What `backend` is: by the setting `result_backend`."""
        from celery.app.backends import by_url

        kind, url = self.backend_cls or self.result_url, None
        if isinstance(kind, str) and kind.partition(":")[0] in ("sqlite", "memory", "cache+memory"):
            kind, url = "celery.backends.umbel:UmbelBackend", kind
        elif isinstance(kind, str) and kind.partition(":")[0] in ("valkey", "valkeys", "redis+socket", "valkey+socket"):
            kind, url = "celery.backends.redis:RedisBackend", kind
        if url is None and (kind is None or isinstance(kind, str)):
            kind, url = by_url(kind, self.loader)
        return _symbol(kind)(app=self, url=url)

    def open_result_store(self) -> Any:
        """umbel's own store; for a class of somebody else's, one that keeps results there."""
        known = (
            "sqlite",
            "memory",
            "cache+memory",
            "redis",
            "rediss",
            "redis+socket",
            "sentinel",
            "disabled",
            "valkey",
            "valkeys",
        )
        place = self.result_url
        is_own = self.backend_cls is None and type(self)._get_backend is Celery._get_backend
        if is_own and (place is None or place.partition("://")[0] in known):
            return super().open_result_store()
        from celery.backends.base import DisabledBackend

        backend = self.backend
        if isinstance(backend, DisabledBackend):
            return None
        if type(backend).__module__ in ("celery.backends.redis", "celery.backends.umbel"):
            return super().open_result_store()
        from celery.fixups.django import renew_connections
        from umbel.client.storage import open_joins
        from umbel.stores.by_value import ByValue

        return ByValue(
            backend,
            backend.as_uri() or place or type(backend).__name__,
            serializer=self.conf.result_serializer,
            joins=lambda: open_joins(self._conf),
            renew=renew_connections,
        )

    # Parts

    def _part(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._parts:
            self._parts[name] = make()
        return self._parts[name]

    def find_part(self, name: str, kind: Any) -> Any:
        """The class that a slot's value stands for."""
        return _loader(kind) if name == "loader" else _symbol(kind)

    @property
    def has_own_loader(self) -> bool:
        """True if its loader is none of Celery's, or one of these was changed or asked for by somebody."""
        return "loader" in self.__dict__ or self.loader_cls not in _LOADERS or "celery.loaders.base" in sys.modules

    def _opened(self, source: Any, silent: bool) -> Any:
        """A module or an object as it is, since its attributes are not all settings."""
        found = super()._opened(source, silent)
        return getattr(found, "obj", found) if type(found).__name__ == "DictAttribute" else found

    def consumer_view(self, worker: Any) -> Any:
        """A worker as remote commands for Celery know it."""
        from celery.worker._steered import Steered

        return Steered(worker)

    def step_parent(self, worker: Any, kind: str) -> Any:
        """A worker as steps of `app.steps` know it."""
        from celery.worker._parents import of_kind

        return of_kind(worker, kind)

    @property
    def oid(self) -> str:
        """An id of this app in this process."""
        from umbel.wire.ids import new_id

        return self._part("oid", new_id)  # type: ignore[no-any-return]  # a text

    @property
    def thread_oid(self) -> str:
        """An id of this app in this thread."""
        from umbel.wire.ids import new_id

        local = self._part("thread_oid", threading.local)
        if not hasattr(local, "oid"):
            local.oid = new_id()
        return local.oid  # type: ignore[no-any-return]  # a text

    @property
    def WorkController(self) -> Any:  # noqa: N802 - Celery's name
        """The class of workers, with this app."""
        return self._part("WorkController", lambda: self.subclass_with_self("celery.worker:WorkController"))

    def bugreport(self) -> str:
        """What to tell in a report of a fault."""
        from celery.app.utils import bugreport

        return bugreport(self)

    def queues(self) -> list[str]:
        """Those of the settings, or what `select_queues` has chosen."""
        if self.amqp_cls != Celery.amqp_cls:
            return list(self.amqp.queues.consume_from)
        chosen = self.amqp.queues._consume_from if "amqp" in self.__dict__ else None
        return super().queues() if chosen is None else list(chosen)

    def to_serve(self, queues: list[str]) -> list[str]:
        """Those of `amqp.queues.select_add`, too."""
        return list(dict.fromkeys([*queues, *self.amqp.queues.selected_too])) if "amqp" in self.__dict__ else queues

    def select_queues(self, queues: Any = None) -> Any:
        """Let only these queues be consumed from."""
        return self.amqp.queues.select(queues)

    def setup_security(
        self,
        allowed_serializers: Any = None,
        key: Any = None,
        key_password: Any = None,
        cert: Any = None,
        store: Any = None,
        digest: str = "sha256",
        serializer: str = "json",
    ) -> Any:
        """Sign messages."""
        from celery._names import lacks

        raise lacks("app.setup_security (signed messages)", "TLS to the store, and accounts that may only do what they have to")

    # kombu's side

    def connection_for_read(self, url: str | None = None, **kwargs: Any) -> Any:
        """A kombu connection."""
        return self._connection(url or self.conf.broker_read_url or self.conf.broker_url, **kwargs)

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Any:
        """A kombu connection."""
        return self._connection(url or self.conf.broker_write_url or self.conf.broker_url, **kwargs)

    def connection(
        self,
        hostname: str | None = None,
        userid: str | None = None,
        password: str | None = None,
        virtual_host: str | None = None,
        port: int | None = None,
        ssl: Any = None,
        connect_timeout: float | None = None,
        transport: str | None = None,
        transport_options: Mapping[str, Any] | None = None,
        heartbeat: float | None = None,
        login_method: str | None = None,
        failover_strategy: Any = None,
        **kwargs: Any,
    ) -> Any:
        """A kombu connection to where messages are."""
        return self.connection_for_write(
            hostname,
            userid=userid,
            password=password,
            virtual_host=virtual_host,
            port=port,
            ssl=ssl,
            connect_timeout=connect_timeout,
            transport=transport,
            transport_options=transport_options,
            heartbeat=heartbeat,
            login_method=login_method,
            failover_strategy=failover_strategy,
            **kwargs,
        )

    broker_connection = connection

    def _connection(self, url: str | None, **kwargs: Any) -> Any:
        """umbel's own stores, which kombu does not know, are a connection in memory to it: so code that looks at one works."""
        from kombu import Connection

        conf = self.conf
        if not url or url.partition(":")[0].partition("+")[0] in ("sqlite", "memory", "valkey", "valkeys"):
            url = "memory://"
        given = {
            "ssl": conf.broker_use_ssl or None,
            "connect_timeout": conf.broker_connection_timeout,
            "transport_options": dict(conf.broker_transport_options or {}),
            "heartbeat": conf.broker_heartbeat,
            "login_method": conf.broker_login_method,
            "failover_strategy": conf.broker_failover_strategy,
        }
        chosen = {**given, **{key: value for key, value in kwargs.items() if value is not None}}
        return Connection(url, **{key: value for key, value in chosen.items() if value is not None})

    def connection_or_acquire(self, connection: Any = None, pool: bool = True, *_: Any, **__: Any) -> Any:
        """The connection, else one of the pool, for a `with` block."""
        from celery.utils.objects import FallbackContext

        if pool:
            return FallbackContext(connection, self.pool.acquire, block=True)
        return FallbackContext(connection, self.connection_for_write)

    default_connection = connection_or_acquire

    def producer_or_acquire(self, producer: Any = None) -> Any:
        """The producer, else one of the pool, for a `with` block."""
        from celery.utils.objects import FallbackContext

        return FallbackContext(producer, self.producer_pool.acquire, block=True)

    default_producer = producer_or_acquire

    @property
    def pool(self) -> Any:
        """A pool of kombu connections."""
        from kombu import pools

        return self._part("pool", lambda: pools.connections[self.connection_for_write()])

    @property
    def producer_pool(self) -> Any:
        """A pool of kombu producers."""
        return self.amqp.producer_pool

    # Programs

    def start(self, argv: Sequence[str] | None = None) -> Any:
        """Run the command line."""
        from celery.bin.celery import celery

        celery.params[0].default = self
        try:
            celery.main(args=argv, standalone_mode=False)
        except Exception as problem:  # click's own errors end the program as its own main does
            return getattr(problem, "exit_code", None) or _raise(problem)
        finally:
            celery.params[0].default = None
        return 0

    def worker_main(self, argv: Sequence[str] | None = None) -> Any:
        """Run `celery worker`; the word has to be in `argv`."""
        argv = sys.argv if argv is None else argv
        if "worker" not in argv:
            raise ValueError(
                "worker_main() runs `celery worker`: put the word worker into argv, or use start() for other commands"
            )
        return self.start(argv=argv)

    def after_fork(self) -> None:
        """Called in each child process of its worker."""
        super().after_fork()
        tell = getattr(self.log, "tell_child", None)
        if tell is not None:
            tell()

    # Being the current one

    def set_current(self) -> None:
        """Make it the app that `current_app` and shared tasks mean."""
        super().set_current()

    def set_default(self) -> None:
        """Make it that of all threads that have no other."""
        from celery._state import set_default_app

        set_default_app(self)

    def exchange_stores(self, stores: Any) -> Any:
        """Use these from now on; gives those it had."""
        self._parts.pop("backend", None)
        return super().exchange_stores(stores)

    def close(self) -> None:
        """Leave the stores; the app may be used again."""
        self._parts.pop("backend", None)
        pool = self._parts.pop("pool", None)
        if pool is not None:
            pool.force_close_all()
        super().close()
        apps.discard(self)

    def __reduce__(self) -> Any:
        from celery.app.utils import unpickle_app

        return unpickle_app, (type(self), {"main": self.main, "changes": dict(self._conf.changes), "set_as_current": False})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.main or '__main__'} at {hex(id(self))}>"


App = Celery
"""Celery's other name for it."""


_LOADERS = (None, "app", "default", "celery.loaders.app:AppLoader", "celery.loaders.default:Loader")
"""Those that do what umbel itself does."""


def _raise(problem: Exception) -> Any:
    raise problem


def _symbol(name: Any) -> Any:
    """What a path names; anything else as it is."""
    if not isinstance(name, str):
        return name
    from celery.utils.imports import symbol_by_name

    return symbol_by_name(name)


def _loader(kind: Any) -> Any:
    from celery.loaders import get_loader_cls

    return get_loader_cls(kind or "app")


def _is_of_django(source: Any) -> bool:
    return str(source).startswith("django.conf") or type(source).__module__ == "django.conf"


def _is_django() -> bool:
    from importlib.util import find_spec

    return "DJANGO_SETTINGS_MODULE" in os.environ and find_spec("django") is not None


def _default_app() -> Celery:
    """The app of a program that makes none; its settings are in `celeryconfig.py`, if there is one."""
    return Celery("default", loader="default", fixups=[], set_as_current=False)


current.made_by(_default_app)
