"""Imports the modules of an app's tasks, and has the places where a program is told of workers and runs: `app.loader`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from umbel import guise, signals
from umbel.client.modules import installed_apps, related
from umbel.execution import call
from umbel.execution.request import Request
from umbel.settings.settings import MODULE

if TYPE_CHECKING:
    from types import ModuleType

log = guise.logger("umbel.worker")

OF_SETTINGS = ("read_configuration", "config_from_object", "import_from_cwd", "import_module")
"""What a subclass overrides that has a word in how settings are read."""


class Loader:
    """One app's. Derive from it, and give the class as `Umbel(loader=…)` or as the attribute `loader_cls`, also by its path.

    Hooks, in their order: `on_worker_init` (in each worker and beat, once the modules are imported, before `celeryd_init`),
    `on_worker_process_init` (in each child process, before `worker_process_init`), `on_task_init` (before each run, behind the
    receivers of `task_prerun`; what it raises, the run has raised), `on_process_cleanup` (after each, behind those of
    `task_postrun`), `on_worker_shutdown` (before the pool stops). Those that nobody overrides cost nothing.
    """

    worker_initialized = False
    """True in a worker or beat, once `init_worker` was called."""
    conf: Any = None
    """What `config_from_object` was given last."""

    def __init__(self, app: Any, **kwargs: Any):
        self.app = app
        self.task_modules: set[str] = set()
        """The names of what was imported for its tasks."""

    # For subclasses

    def on_worker_init(self) -> None:
        """A worker begins, or a beat."""

    def on_worker_process_init(self) -> None:
        """A child process of a worker begins."""

    def on_task_init(self, task_id: str, task: Any) -> None:
        """A task is about to run here."""

    def on_process_cleanup(self) -> None:
        """A task has run here."""

    def on_worker_shutdown(self) -> None:
        """The worker ends."""

    # What workers call

    def init_worker(self) -> None:
        """Import all modules with tasks, then tell `on_worker_init`; a second time nothing happens."""
        if not self.worker_initialized:
            self.worker_initialized = True
            self.import_default_modules()
            self.on_worker_init()

    def init_worker_process(self) -> None:
        """Tell `on_worker_process_init`."""
        self.on_worker_process_init()

    def shutdown_worker(self) -> None:
        """Tell `on_worker_shutdown`."""
        self.on_worker_shutdown()

    # Modules

    @property
    def default_modules(self) -> tuple[str, ...]:
        """The names of the modules that the settings name: `imports` and `include`."""
        conf = self.app.conf
        return tuple(dict.fromkeys((*(conf.imports or ()), *(conf.include or ()))))

    def import_default_modules(self) -> list[Any]:
        """Import all modules with tasks, and give those that settings name.

        Those that `autodiscover_tasks` finds come first, then `import_modules` is sent, then come these.
        """
        django_first = installed_apps()  # whose settings must be loaded before anything of the project's is imported
        self.app.import_discovered(django_first)
        self.app.tell_of_imports()
        return [self.import_task_module(module) for module in self.default_modules]

    def import_task_module(self, module: str) -> Any:
        """Import a module with tasks."""
        self.task_modules.add(module)
        return self.import_module(module)

    def import_module(self, module: str, package: str | None = None) -> ModuleType:
        """Import a module."""
        return importlib.import_module(module, package)

    def autodiscover_tasks(self, packages: Iterable[str], related_name: str | None = "tasks") -> None:
        """Import the modules of that name in packages that have one."""
        for module in related(packages, related_name):
            self.task_modules.add(module)
            self.import_module(module)

    # Settings

    def read_configuration(self) -> Any:
        """The settings of a program that names none: those of the module that CELERY_CONFIG_MODULE names, if it does."""
        module = os.environ.get(MODULE)
        return importlib.import_module(module) if module else {}

    def config_from_object(self, obj: Any, silent: bool = False) -> bool:
        """Take settings from a module, its path, an object or a dict; they are `conf` then. False: there are none."""
        self.conf = obj
        return True


def overrides(loader: Any, *names: str) -> bool:
    """True if it has a method of its own for one of these: its class, or itself."""
    return any(not _is_ours(getattr(loader, name, None)) for name in names)


def _is_ours(method: Any) -> bool:
    module = getattr(getattr(method, "__func__", method), "__module__", None) or ""
    return method is None or module.startswith(("umbel.client.", "celery.loaders."))


_told: list[Any] = []
"""Loaders that are told of runs."""


def tell_of_runs(loader: Any) -> None:
    """From now on tell a loader that wants it of each run of its app's tasks, behind all receivers that there are now."""
    if not overrides(loader, "on_task_init", "on_process_cleanup"):
        return
    if loader not in _told:
        _told.append(loader)
    if _begin not in call.beginnings:
        call.beginnings.append(_begin)
    signals.task_postrun.connect(_ended, weak=False)  # anew, and so behind all others


def forget(loader: Any) -> None:
    """Tell this loader no more."""
    _told[:] = [each for each in _told if each is not loader]
    if not _told and _begin in call.beginnings:
        call.beginnings.remove(_begin)
        signals.task_postrun.disconnect(_ended)


_running: set[tuple[int, str]] = set()
"""Process and id of what has begun here: what has ended without, was lost elsewhere, and is told here."""


def _begin(task: Any, request: Request) -> None:
    for loader in _told:
        if loader.app is task.app:
            _running.add((os.getpid(), str(request.id)))
            loader.on_task_init(request.id, task)


def _ended(sender: Any = None, task_id: Any = None, **_: Any) -> None:
    mark = (os.getpid(), str(task_id))
    if mark not in _running:
        return
    _running.discard(mark)
    for loader in _told:
        if loader.app is sender.app and not sender.request.is_eager:
            try:
                loader.on_process_cleanup()
            except Exception as problem:  # its repr is what people look for
                log.error("Process cleanup failed: %r", problem, exc_info=problem)
