from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import weakref
from types import ModuleType, SimpleNamespace
from unittest import mock
from zoneinfo import ZoneInfo

import pytest

from umbel import ImproperlyConfigured, NotRegistered, Task, Umbel, current_app, current_task, shared_task, signals
from umbel.client import current
from umbel.testing.waiting import patience


def test_settings_are_given_to_the_constructor(make_app):
    app = make_app(broker="memory://x", backend="memory://y", include=["a"], task_serializer="yaml", changes={"task_protocol": 1})
    conf = app.conf
    assert (conf.broker_url, conf.result_backend, conf.include) == ("memory://x", "memory://y", ["a"])
    assert (conf.task_serializer, conf.task_protocol) == ("yaml", 1)


def test_the_constructor_opens_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = Umbel("x", config_source="no_such_module", broker="nonsense://", set_as_current=False)
    assert app.main == "x"
    assert os.listdir(tmp_path) == []


def test_config_from_object_takes_a_namespace(app):
    app.config_from_object(SimpleNamespace(CELERY_TASK_SERIALIZER="yaml"), namespace="CELERY")
    assert app.conf.task_serializer == "yaml"


def test_config_from_envvar_names_the_module(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "proj_conf", SimpleNamespace(task_serializer="yaml"))
    monkeypatch.setenv("PROJ_CONF", "proj_conf")
    assert app.config_from_envvar("PROJ_CONF")
    assert app.conf.task_serializer == "yaml"
    assert not app.config_from_envvar("NO_SUCH_VARIABLE", silent=True)
    with pytest.raises(ImproperlyConfigured, match="NO_SUCH_VARIABLE is not set"):
        app.config_from_envvar("NO_SUCH_VARIABLE")


def test_conf_may_be_assigned(app):
    app.conf = {"task_serializer": "yaml"}
    assert app.conf.task_serializer == "yaml"


def test_defaults_may_be_added(app):
    app.add_defaults({"task_serializer": "yaml"})
    assert app.conf.task_serializer == "yaml"
    app.add_defaults(lambda: {"task_compression": "gzip"})
    assert app.conf.task_compression == "gzip"


def test_who_waits_for_the_configuration_is_told_once(app):
    told = []

    @app.on_configure.connect
    def before(sender, **kwargs):
        told.append("configure")

    @app.on_after_configure.connect
    def after(sender, source, **kwargs):
        told.append((sender, source.task_serializer))

    assert app.conf.task_serializer == "json"
    assert app.conf.task_protocol == 2
    assert told == ["configure", (app, "json")]


def test_who_waits_for_all_tasks_is_told_once(app):
    told = []
    app.on_after_finalize.connect(lambda sender, **kwargs: told.append(sender), weak=False)
    assert not app.finalized
    assert app.tasks is app.tasks
    app.finalize()
    assert told == [app]


def test_threads_that_come_while_another_finalizes_wait_for_it(app):
    begun, go_on = threading.Event(), threading.Event()

    @app.on_after_finalize.connect
    def slow(sender, **kwargs):
        assert sender.tasks == {}  # the thread that finalizes does not wait for itself
        begun.set()
        assert go_on.wait(patience())
        sender.task(lambda: None, name="late")

    seen = []
    threads = [threading.Thread(target=lambda: seen.append(list(app.tasks))) for _ in range(2)]
    threads[0].start()
    assert begun.wait(patience())
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(patience())
    assert seen == [["late"], ["late"]]


def test_annotations_that_fail_fail_each_time(app):
    app.task(lambda: None, name="job")
    app.conf.task_annotations = {"job": {"name_that_works": 1, "@no_such_method": print}}
    for _ in range(2):
        with pytest.raises(AttributeError, match="no_such_method"):
            _ = app.tasks


@pytest.mark.parametrize("annotations", [5, ["x"], {"job": 5}, {"*": "x"}])
def test_annotations_that_are_none_are_told(app, annotations):
    app.task(lambda: None, name="job")
    app.conf.task_annotations = annotations
    with pytest.raises(ImproperlyConfigured, match=r"task_annotations holds .*; expected a dict such as {'job': "):
        app.finalize()


def test_a_first_call_finalizes_the_app(app):
    @app.task
    def job(): ...

    assert not app.finalized
    job.delay()
    assert app.finalized


def test_without_autofinalize_using_tasks_too_early_is_told(make_app):
    app = make_app(autofinalize=False)
    with pytest.raises(RuntimeError, match=r"call app.finalize\(\) first"):
        _ = app.tasks
    app.finalize()
    assert app.tasks == {}


def test_an_unknown_task_is_named_with_the_nearest(app):
    app.task(lambda: None, name="proj.add")
    with pytest.raises(NotRegistered, match=r"no task 'proj.ad' is known; did you mean 'proj.add'\?"):
        app.tasks["proj.ad"]
    with pytest.raises(app.tasks.NotRegistered):
        app.tasks.unregister("zzz")
    assert app.tasks.get("zzz") is None
    assert list(app.tasks.regular()) == ["proj.add"]
    task = app.tasks["proj.add"]
    app.tasks.unregister(task)
    app.tasks.register(task)
    assert "proj.add" in app.tasks


def test_the_decorator_takes_options_by_name_only(app):
    with pytest.raises(TypeError, match="takes options by name"):
        app.task("name")
    with pytest.raises(TypeError, match="takes options by name"):
        shared_task("name")


def test_a_filter_goes_around_the_function(app):
    @app.task(filter=lambda function: lambda x: function(x) * 2, name="twice", lazy=False)
    def job(x):
        return x + 1

    assert job(1) == 4


def test_a_task_of_a_program_is_named_as_a_worker_will_import_it(app, make_app, monkeypatch):
    main = ModuleType("__main__")
    main.__file__ = "/somewhere/tasks.py"
    main.__spec__ = None
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert make_app(None).gen_task_name("add", "__main__") == "tasks.add"
    assert make_app("proj").gen_task_name("add", "__main__") == "proj.add"
    main.__spec__ = SimpleNamespace(name="package.__main__")
    assert make_app(None).gen_task_name("add", "__main__") == "package.add"
    del main.__file__
    main.__spec__ = None
    assert make_app(None).gen_task_name("add", "__main__") == "__main__.add"
    assert app.gen_task_name("add", None) == "add"


def test_a_task_class_may_be_named_by_its_path(make_app):
    app = make_app(task_cls="umbel.client.task:Task")
    assert issubclass(app.Task, Task)
    assert app.Task is app.Task
    app.Task.max_retries = 7
    assert make_app().Task.max_retries == 3  # what is set on it concerns no other app


# -- sending


def test_a_task_is_sent_by_its_name(app, sent, work):
    @app.task(name="known", queue="mine", ignore_result=True)
    def known(x): ...

    app.send_task("unknown.task", (1,), {"a": 2}, countdown=0, queue="other", task_id="id")
    app.send_task("known", [1, 2, 3])
    (first, message), (second, known_message) = sent()
    assert (first.id, first.queue, message.headers.task, message.headers.ignore_result) == ("id", "other", "unknown.task", None)
    assert (second.queue, known_message.headers.ignore_result) == ("mine", True)


def test_a_task_sent_by_name_is_sent_even_if_tasks_run_eagerly(app, sent):
    app.conf.task_always_eager = True
    app.task(lambda: None, name="known")
    with pytest.warns(UserWarning, match="task_always_eager"):
        app.send_task("known")
    app.send_task("unknown")
    assert len(sent()) == 2


def test_follow_ups_go_where_calls_would(app, work):
    app.conf.task_routes = {"proj.*": "routed"}

    @app.task
    def first(): ...

    def queue(task, **options):
        first.apply_async(link={"task": task, "options": options})
        return work("celery")[0].envelopes[0].queue

    assert queue("proj.x") == "routed"
    assert queue("proj.x", queue="asked") == "asked"
    assert queue("other") == "celery"
    assert app.queues() == ["celery"]


# -- stores


def test_with_nothing_set_there_is_one_file_in_the_current_directory(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "umbel.db"
    with Umbel("x", set_as_current=False) as app:
        assert app.broker_url == app.result_url == f"sqlite:///{path}"
        with caplog.at_level(logging.INFO, "umbel"):
            job = app.task(lambda: None, name="job")
            job.delay()
            job.delay()
        assert app.backend is not None
    assert path.exists()
    ours = [record for record in caplog.records if record.name == "umbel"]
    assert [(record.levelname, record.getMessage()) for record in ours] == [
        ("WARNING", f"no broker_url is set: messages and results are in the file {path}")
    ]
    caplog.clear()
    with Umbel("x", set_as_current=False) as again, caplog.at_level(logging.INFO, "umbel"):
        assert again.broker is again.broker
    assert [record.levelname for record in caplog.records if record.name == "umbel"] == ["INFO"]


@pytest.mark.parametrize(
    ("broker", "backend", "results"),
    [
        ("memory://a", None, "memory://a"),
        ("sqlite:////tmp/a.db", None, "sqlite:////tmp/a.db"),
        ("redis://host", None, None),
        ("redis://host", "memory://b", "memory://b"),
        ("memory://a", "disabled://", None),
    ],
)
def test_results_are_with_the_messages_if_their_store_keeps_results(make_app, broker, backend, results):
    assert make_app(broker=broker, backend=backend).result_url == results


def test_the_result_store_is_none_where_results_are_not_kept(make_app):
    app = make_app(backend="disabled://")
    assert app.backend is None
    assert app.backend is None


def test_a_wrong_url_is_told(make_app):
    with pytest.raises(ImproperlyConfigured, match="memroy"):
        _ = make_app(broker="memroy://").broker


def test_a_closed_app_opens_its_stores_anew(app):
    first = app.broker
    app.close()
    assert app.broker is not first


# -- current


def test_the_latest_app_is_the_current_one(make_app):
    first = make_app()
    assert current.app() is first
    second = make_app()
    assert current.app() is second
    make_app(set_as_current=False)
    assert current.app() is second
    first.set_current()
    assert current.app() is first
    assert current_app.main == "proj"
    assert current_app == first
    assert isinstance(current_app, Umbel)


def test_other_threads_have_the_default_app_or_the_latest(make_app):
    def seen():
        found = []
        thread = threading.Thread(target=lambda: found.append(current.app()))
        thread.start()
        thread.join()
        return found[0]

    first, second = make_app(), make_app()
    assert seen() is second
    first.set_default()
    assert seen() is first
    assert current.app() is second


def test_without_any_app_one_is_made():
    import contextvars

    def look():
        current._here.set(None)
        process, latest = current._process, current._latest
        current._process = current._latest = None
        try:
            return current.app()
        finally:
            current._process, current._latest = process, latest

    assert contextvars.copy_context().run(look).main == "default"


def test_there_is_no_current_task_outside_a_run(app, work):
    assert not current_task
    assert app.current_task is None

    @app.task
    def job():
        return current_task.name, app.current_task.name, bool(current_task)

    result = job.delay()
    work()
    assert result.get() == [job.name, job.name, True]


def test_a_proxy_passes_everything_on():
    class Thing:
        x = 1

        def __call__(self, y):
            return y

    thing = Thing()
    proxy = current.Proxy(lambda: thing)
    proxy.z = 5
    assert (proxy.x, proxy(3), thing.z, proxy == thing, proxy == current.Proxy(lambda: thing)) == (1, 3, 5, True, True)
    assert (hash(proxy), repr(proxy), "x" in dir(proxy), proxy._get_current_object()) == (hash(thing), repr(thing), True, thing)
    del proxy.z
    assert not hasattr(thing, "z")


def test_a_closed_app_is_forgotten(make_app):
    app = Umbel("gone", broker="memory://gone")
    app.close()
    reference = weakref.ref(app)
    del app
    gc.collect()
    assert reference() is None


# -- shared tasks


def test_a_shared_task_belongs_to_every_app(make_app):
    first = make_app()

    @shared_task(name="shared.add", bind=True)
    def add(self, x):
        return self.app, x

    second = make_app()
    assert first.tasks["shared.add"] is not second.tasks["shared.add"]
    assert add(1) == (second, 1)
    first.set_current()
    assert add(1) == (first, 1)
    assert add.name == "shared.add"
    assert isinstance(add, Task)


def test_a_shared_task_joins_apps_that_are_finalized_already(make_app):
    app = make_app()
    app.finalize()

    @shared_task
    def late():
        return 5

    assert app.tasks[late.name]() == 5
    assert late.name == f"{__name__}.late"
    result = late.delay()
    assert result.app is app


def test_a_shared_task_may_be_patched(make_app):
    make_app()

    @shared_task(name="shared.patched")
    def job(): ...

    with mock.patch.object(job, "delay") as delay:
        job.delay(5)
    delay.assert_called_once_with(5)
    assert job.delay().id


def test_the_app_makes_shared_tasks_too(make_app):
    first, second = make_app(), make_app()

    @first.task(shared=True, name="shared.by-app")
    def job(): ...

    assert "shared.by-app" in second.tasks


# -- modules


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A directory of packages: `one` and `two` with tasks, `three` without, `four` with tasks that cannot be imported."""
    for name, tasks in [("one", "LOADED = 1\n"), ("two", "LOADED = 2\n"), ("three", None), ("four", "import no_such_thing\n")]:
        (tmp_path / f"discover_{name}").mkdir()
        (tmp_path / f"discover_{name}" / "__init__.py").write_text("class Config: ...\n")
        if tasks:
            (tmp_path / f"discover_{name}" / "tasks.py").write_text(tasks)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("discover_")]:
        del sys.modules[name]


def test_tasks_are_discovered_when_a_worker_starts(app, packages):
    app.autodiscover_tasks(["discover_one", "discover_three"])
    app.autodiscover_tasks(lambda: ["discover_two.apps.Config"])
    app.autodiscover_tasks("discover_three", related_name=None)
    assert "discover_one.tasks" not in sys.modules
    app.import_task_modules()
    assert {"discover_one.tasks", "discover_two.tasks", "discover_three"} <= set(sys.modules)
    assert app.finalized


def test_tasks_are_discovered_at_once_if_forced(app, packages):
    app.autodiscover_tasks(["discover_one"], force=True)
    assert "discover_one.tasks" in sys.modules


def test_an_error_inside_a_module_of_tasks_is_raised(app, packages):
    app.autodiscover_tasks(["discover_four"])
    with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
        app.import_task_modules()


def test_a_package_that_is_not_there_is_told(app):
    app.autodiscover_tasks(["no_such_package"])
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        app.import_task_modules()


def test_imports_and_include_are_imported(app, packages):
    app.conf.update(imports=["discover_one.tasks"], include=("discover_two.tasks",))
    told = []
    receiver = signals.import_modules.connect(lambda sender, **kwargs: told.append(sender), weak=False)
    try:
        app.import_task_modules()
    finally:
        signals.import_modules.disconnect(receiver)
    assert {"discover_one.tasks", "discover_two.tasks"} <= set(sys.modules)
    assert told == [app]


def test_without_packages_and_without_django_nothing_is_discovered(app, monkeypatch):
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    app.autodiscover_tasks()
    app.import_task_modules()


def test_without_packages_those_of_django_are_taken(app, packages, monkeypatch):
    django = packages / "django"
    django.mkdir()
    (django / "__init__.py").write_text("def setup():\n    from django.apps import apps\n    apps.ready = True\n")
    (django / "apps.py").write_text(
        "class apps:\n    ready = False\n    @staticmethod\n    def get_app_configs():\n"
        "        return [type('C', (), {'name': 'discover_one'}), type('C', (), {'name': 'discover_three'})]\n"
    )
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "whatever")
    for name in [name for name in sys.modules if name.partition(".")[0] == "django"]:
        monkeypatch.delitem(sys.modules, name)
    app.autodiscover_tasks()
    try:
        app.import_task_modules()
        assert sys.modules["django.apps"].apps.ready
        assert "discover_one.tasks" in sys.modules
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "django"]:
            del sys.modules[name]


# -- time


def test_the_time_zone_is_a_name_a_zone_or_utc(app):
    assert app.timezone == ZoneInfo("UTC")
    assert app.uses_utc_timezone()
    app.conf.timezone = "Europe/Berlin"
    assert app.timezone == ZoneInfo("Europe/Berlin")
    assert app.now().tzinfo == ZoneInfo("Europe/Berlin")
    app.conf.timezone = ZoneInfo("Asia/Tokyo")
    assert app.timezone == ZoneInfo("Asia/Tokyo")
    assert not app.uses_utc_timezone()
    app.conf.update(timezone=None, enable_utc=False)
    assert app.timezone is not None


def test_what_is_needed_to_read_results_follows_settings_and_closing(make_app):
    app = make_app(broker="memory://reading", result_serializer="json")
    backend, accept, serializer = app.reading()
    assert app.reading() is app.reading()
    assert (backend, accept, serializer) == (app.backend, frozenset({"application/json"}), "json")
    app.conf.result_serializer = "msgpack"
    assert app.reading() == (backend, frozenset({"application/json", "application/x-msgpack"}), "msgpack")
    app.close()
    assert app.reading()[0] is app.backend is not backend


def test_what_hangs_on_an_app_is_the_same_at_each_access_and_can_be_patched(make_app, monkeypatch):
    app = make_app()
    for name in ("control", "schedule", "outbox", "router", "backend", "broker"):
        assert getattr(app, name) is getattr(app, name)
    monkeypatch.setattr(app.control, "revoke", lambda *_, **__: "patched")
    assert app.control.revoke("id") == "patched"


def test_the_time_zone_and_the_namespace_of_an_app_can_be_set_and_asked_for(make_app):
    app = make_app()
    app.timezone = "Europe/Berlin"
    assert (str(app.timezone), app.conf.timezone) == ("Europe/Berlin", "Europe/Berlin")
    assert app.namespace is None
    app.config_from_object({"CELERY_TASK_SERIALIZER": "msgpack"}, namespace="CELERY")
    assert (app.namespace, app.conf.task_serializer) == ("CELERY", "msgpack")
