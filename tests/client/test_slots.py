"""Classes of a program's own in the place of an app's parts."""

from __future__ import annotations

import logging
import pickle
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from tests.worker.serving import serving

from umbel import Umbel, signals
from umbel.beat.beat import Beat
from umbel.client.amqp import Amqp
from umbel.client.current import app as current_app
from umbel.client.loader import Loader
from umbel.client.logbook import Log
from umbel.client.registry import Registry
from umbel.client.remote.control import Control
from umbel.client.remote.events import Events
from umbel.errors import ImproperlyConfigured, InvalidTaskError, QueueNotFound
from umbel.testing.waiting import patience
from umbel.worker.worker import Worker

MakeApp = Callable[..., Umbel]


class OwnLoader(Loader):
    """Notes what it is told."""

    notes: list[Any]

    def __init__(self, app: Any, **kwargs: Any):
        super().__init__(app, **kwargs)
        self.notes = []

    def on_worker_init(self) -> None:
        self.notes.append("worker init")

    def on_worker_process_init(self) -> None:
        self.notes.append("process init")

    def on_task_init(self, task_id: str, task: Any) -> None:
        self.notes.append(("init", task.name, task_id == task.request.id))

    def on_process_cleanup(self) -> None:
        self.notes.append("cleanup")

    def on_worker_shutdown(self) -> None:
        self.notes.append("shutdown")


class OwnLog(Log):
    """Keeps what it was told."""


class OwnControl(Control):
    """Keeps what is told to workers."""

    def __init__(self, app: Any):
        super().__init__(app)
        self.told: list[str] = []

    def broadcast(self, command: str, *args: Any, **kwargs: Any) -> Any:
        self.told.append(command)
        return super().broadcast(command, *args, **kwargs)


class OwnEvents(Events):
    """Another class."""


class OwnAmqp(Amqp):
    """Another class."""


SLOTS = {"loader": OwnLoader, "log": OwnLog, "control": OwnControl, "events": OwnEvents, "amqp": OwnAmqp}


@pytest.mark.parametrize("name", SLOTS)
def test_a_part_is_made_once_of_the_class_that_was_given(make_app: MakeApp, name: str) -> None:
    kind = SLOTS[name]
    app = make_app(**{name: kind})
    assert type(getattr(app, name)) is kind
    assert getattr(app, name) is getattr(app, name)
    assert getattr(app, name).app is app
    assert type(getattr(make_app(), name)) is kind.__mro__[1]


@pytest.mark.parametrize("name", SLOTS)
def test_a_class_may_be_named_by_its_path_and_by_a_subclass(make_app: MakeApp, name: str) -> None:
    kind = SLOTS[name]
    path = f"{__name__}:{kind.__name__}"
    assert type(getattr(make_app(**{name: path}), name)) is kind
    apps = type("Apps", (Umbel,), {f"{name}_cls": path})
    assert type(getattr(apps("x", broker="memory://x", set_as_current=False), name)) is kind


def test_nothing_is_made_before_it_is_asked_for(make_app: MakeApp) -> None:
    app = make_app(
        log="no.such:Class", control="no.such:Class", events="no.such:Class", amqp="no.such:Class", loader="no.such:Class"
    )

    with pytest.raises(ImproperlyConfigured, match=r"the log of the app, 'no\.such:Class', cannot be imported"):
        app.log  # noqa: B018 - it raises


def test_fixups_get_the_app_before_it_is_the_current_one() -> None:
    seen = []

    class Apps(Umbel):
        def on_init(self) -> None:
            seen.append(("on_init", current_app().main))

    def fixup(app: Umbel) -> None:
        seen.append((app.main, current_app() is app))

    with Apps("fixed", broker="memory://fixed", fixups=[fixup, f"{__name__}:note_of"]) as app:
        assert seen == [("fixed", False), ("on_init", "fixed")]
        assert app.conf.task_default_queue == "fixed-up"


def note_of(app: Umbel) -> None:
    """Changes a setting."""
    app.conf.task_default_queue = "fixed-up"


def test_a_loader_is_told_of_a_worker_and_of_each_run(make_app: MakeApp) -> None:
    app = make_app(loader=OwnLoader)

    @app.task(name="double")
    def double(x: int) -> int:
        return 2 * x

    notes: list[Any] = app.loader.notes  # type: ignore[attr-defined]  # it is of the class above
    with serving(app, pool="solo"):
        assert double.delay(2).get(timeout=patience()) == 4
    assert notes == ["worker init", ("init", "double", True), "cleanup", "shutdown"]


def test_what_on_task_init_raises_the_run_has_raised(make_app: MakeApp) -> None:
    class Refusing(Loader):
        def on_task_init(self, task_id: str, task: Any) -> None:
            raise PermissionError("not here")

    app = make_app(loader=Refusing)

    @app.task
    def never() -> None:
        raise AssertionError

    with serving(app, pool="solo"), pytest.raises(PermissionError, match="not here"):
        never.delay().get(timeout=patience())


def test_what_on_process_cleanup_raises_is_logged(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Loader):
        def on_process_cleanup(self) -> None:
            raise OSError("no room")

    app = make_app(loader=Failing)

    @app.task
    def one() -> int:
        return 1

    with serving(app, pool="threads"):
        assert one.delay().get(timeout=patience()) == 1
    assert "Process cleanup failed: OSError('no room')" in caplog.text


def test_an_eager_run_is_told_at_its_beginning_only(make_app: MakeApp) -> None:
    app = make_app(loader=OwnLoader)
    task = app.task(lambda: 1, name="one")
    app.finalize()
    assert task.apply().get() == 1
    assert app.loader.notes == [("init", "one", True)]  # type: ignore[attr-defined]


def test_the_loader_of_another_app_is_not_told(make_app: MakeApp) -> None:
    app, other = make_app(loader=OwnLoader), make_app()
    app.finalize()
    assert other.task(lambda: 1, name="one").apply().get() == 1
    assert app.loader.notes == []  # type: ignore[attr-defined]


def test_a_loader_imports_modules_its_own_way(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = []

    class Importing(Loader):
        def import_task_module(self, module: str) -> Any:
            imported.append(module)
            return super().import_task_module(module)

    monkeypatch.setitem(sys.modules, "found_here", ModuleType("found_here"))
    app = make_app(loader=Importing, include=["found_here"])
    app.import_task_modules()
    assert imported == ["found_here"]
    assert app.loader.task_modules == {"found_here"}


def test_a_loader_may_bring_settings(make_app: MakeApp) -> None:
    class Bringing(Loader):
        def read_configuration(self) -> Any:
            return {"task_default_queue": "brought"}

    app = make_app(loader=Bringing)
    assert app.conf.task_default_queue == "brought"
    app = make_app(loader=Bringing)
    app.config_from_object({"task_serializer": "yaml"})
    assert (app.conf.task_serializer, app.conf.task_default_queue) == ("yaml", "celery")


def test_revoking_and_asking_go_through_the_control_of_the_program(make_app: MakeApp) -> None:
    app = make_app(control=OwnControl)
    app.control.revoke("some-id")
    app.AsyncResult("other-id").revoke(terminate=True)
    app.control.inspect(timeout=0.01).ping()
    app.control.rate_limit("x", "1/m")
    assert app.control.told == ["revoke", "revoke", "ping", "rate_limit"]  # type: ignore[attr-defined]


def test_queues_and_routes_are_shown(make_app: MakeApp) -> None:
    app = make_app(
        task_queues=["mail", "sums"], task_default_queue="sums", task_routes={"mail.*": {"queue": "mail"}, "x": {"queue": "x"}}
    )
    assert list(app.amqp.queues) == ["mail", "sums"]
    assert app.amqp.default_queue.name == "sums"
    assert app.amqp.route("mail.send").queue == "mail"
    assert app.amqp.route("other").queue == "sums"
    assert app.amqp.route("mail.send", queue="sums").queue == "sums"
    assert app.amqp.routes == app.conf.task_routes
    assert app.amqp.router is app.router
    app.conf.task_default_queue = "none"
    with pytest.raises(QueueNotFound, match="'none', the default, is not in task_queues"):
        app.amqp.default_queue  # noqa: B018 - it raises


def test_a_worker_of_the_app_runs_in_this_process(make_app: MakeApp) -> None:
    app = make_app()
    task = app.task(lambda: 7, name="seven")
    ready = threading.Event()
    worker = app.Worker(hostname="mine@%n", pool_cls="solo", without_heartbeat=True, ready=lambda _: ready.set())
    assert isinstance(worker, Worker)
    assert worker.app is app
    assert worker.hostname.startswith("mine@")
    thread = threading.Thread(target=worker.start)
    thread.start()
    assert ready.wait(patience())
    assert task.delay().get(timeout=patience()) == 7
    worker.stop()
    thread.join(patience())
    assert worker.exitcode == 0
    assert app.Worker is app.Worker
    assert app.Worker.app is app


def test_a_worker_of_the_app_sets_up_the_log_only_if_it_is_told_to(make_app: MakeApp) -> None:
    told: list[Any] = []

    class Noting(Log):
        def setup(self, *args: Any, **kwargs: Any) -> bool:
            told.append((args, kwargs["hostname"]))
            return True

    app = make_app(log=Noting)
    app.Worker(hostname="w@h", pool="solo")
    assert told == []
    app.Worker(hostname="w@h", pool="solo", loglevel="INFO", logfile="x.log")
    assert told == [(("INFO", "x.log"), "w@h")]


def test_a_worker_of_the_app_takes_celerys_words(make_app: MakeApp) -> None:
    app = make_app()
    words = {"pool_cls": "solo", "without_gossip": True, "without_mingle": True, "optimization": "fair", "quiet": True}
    worker = app.Worker(queues="a, b,c", exclude_queues="c", include="sys", **words)
    assert (worker.queues, worker.pool_name, worker.app.conf.include) == (["a", "b"], "solo", ("sys",))
    with pytest.raises(TypeError, match="no_such_word"):
        app.Worker(no_such_word=1)


def test_a_beat_of_the_app_runs_in_this_process(make_app: MakeApp, tmp_path: Any) -> None:
    app = make_app(broker=f"sqlite:///{tmp_path}/q.db", loader=OwnLoader)
    sent = threading.Event()
    app.task(lambda: None, name="tick")
    app.conf.beat_schedule = {"tick": {"task": "tick", "schedule": 0.1}}

    def note(sender: Any = None, **_: Any) -> None:
        sent.set()

    signals.after_task_publish.connect(note)
    beat = app.Beat()
    assert isinstance(beat, Beat)
    thread = threading.Thread(target=beat.run)
    thread.start()
    assert sent.wait(patience())
    beat.stop()
    thread.join(patience())
    assert app.loader.notes == ["worker init"]  # type: ignore[attr-defined]


class OwnRegistry(Registry):
    """Another class."""


def test_the_registry_may_be_named_by_its_path_and_refuses_tasks_without_a_name() -> None:
    apps = type("Apps", (Umbel,), {"registry_cls": f"{__name__}:OwnRegistry"})
    with apps("x", broker="memory://x", set_as_current=False) as app:
        assert type(app.tasks) is OwnRegistry
        with pytest.raises(InvalidTaskError, match="Nameless has no name"):
            app.tasks.register(type("Nameless", (app.Task,), {"name": None}))
        app.tasks.register(type("Named", (app.Task,), {"name": "named"}))
        assert app.tasks["named"].name == "named"


def test_an_app_travels_by_its_name_and_settings(make_app: MakeApp) -> None:
    app = make_app("travelling", task_time_limit=7)
    copy = pickle.loads(pickle.dumps(app))
    assert (copy.main, copy.conf.task_time_limit, copy.conf.broker_url) == ("travelling", 7, app.conf.broker_url)
    assert current_app() is not copy


def test_a_result_without_an_id_is_refused(make_app: MakeApp) -> None:
    with pytest.raises(ValueError, match="the id of a task"):
        make_app().AsyncResult(None)  # type: ignore[arg-type]


def test_a_report_says_what_it_is_made_of_and_no_secret(make_app: MakeApp) -> None:
    app = make_app(broker="redis://:geheim@nowhere/0", task_time_limit=30)
    text = app.bugreport()
    assert text.startswith("software -> umbel:")
    assert "task_time_limit: 30" in text
    assert "loader   -> umbel.client.loader.Loader" in text
    assert "geheim" not in text


@pytest.fixture
def root() -> Any:
    """The root logger, as it was at the end."""
    root, tasks = logging.getLogger(), logging.getLogger("umbel.task")
    before = root.handlers[:], root.level, tasks.handlers[:], tasks.propagate
    yield root
    root.handlers[:], tasks.handlers[:] = before[0], before[2]
    root.setLevel(before[1])
    tasks.propagate = before[3]


def test_the_steps_of_setting_up_the_log_can_be_replaced(make_app: MakeApp, root: logging.Logger, tmp_path: Any) -> None:
    class Noting(Log):
        def _configure_logger(self, logger: logging.Logger, logfile: str | None, *args: Any, **kwargs: Any) -> None:
            super()._configure_logger(logger, f"{logfile}.root", *args, **kwargs)

    app = make_app(log=Noting)
    assert app.log.setup("INFO", str(tmp_path / "log")) is False
    logging.getLogger("somebody").info("said")
    assert "said" in (tmp_path / "log.root").read_text()
    assert (tmp_path / "log").exists()
    for logger in (root, logging.getLogger("umbel.task")):
        for handler in logger.handlers:
            handler.close()


def test_a_receiver_of_setup_logging_does_it_all(make_app: MakeApp, root: logging.Logger) -> None:
    def mine(**_: Any) -> None:
        pass

    signals.setup_logging.connect(mine)
    before = root.handlers[:]
    assert make_app().log.setup("INFO", redirect_stdouts=True) is True
    assert root.handlers == before
    assert not hasattr(sys.stdout, "say")
