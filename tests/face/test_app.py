"""The app of the face, in processes that have it: parts, defaults, and what is said of what is not there."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest

from umbel.testing.waiting import patience


def run(face: Path, folder: Path, code: str) -> str:
    """What a program prints; warnings that it does not expect end it."""
    (folder / "program.py").write_text(textwrap.dedent(code))
    done = subprocess.run([face, "-W", "error", "program.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_kombu_and_billiard_are_loaded_only_when_they_are_asked_for(face: Path, tmp_path: Path) -> None:
    code = """
        import sys
        from celery import Celery, shared_task, signals
        from celery.exceptions import Retry
        from celery.schedules import crontab
        app = Celery("proj", broker="memory://")
        app.conf.beat_schedule = {"x": {"task": "y", "schedule": crontab()}}
        @app.task
        def add(x, y): return x + y
        app.send_task, add.delay, app.finalize()
        print(sorted({name.partition(".")[0] for name in sys.modules} & {"kombu", "billiard", "vine", "amqp"}))
    """
    assert run(face, tmp_path, code) == "[]"


def test_an_app_with_a_task_loads_nothing_heavy(face: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("task_acks_late = True\n")
    code = """
        import sys
        from celery import Celery
        app = Celery("proj", broker="memory://")
        app.config_from_object("settings")
        @app.task(bind=True)
        def add(self, x, y): return x + y
        heavy = "asyncio celery.canvas celery.utils.functional celery.utils.log inspect json msgspec pickle socket uuid"
        print({*heavy.split()} & set(sys.modules), [name for name in sys.modules if name.startswith("umbel.messages")])
    """
    assert run(face, tmp_path, code) == "set() []"


def test_exceptions_are_those_of_billiard_and_kombu(face: Path, tmp_path: Path) -> None:
    code = """
        import billiard.exceptions, billiard.einfo, kombu.exceptions
        from celery import exceptions
        from umbel import errors
        from umbel.execution.einfo import ExceptionInfo
        for name in ("SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated"):
            assert getattr(exceptions, name) is getattr(billiard.exceptions, name)
            assert issubclass(getattr(errors, name), getattr(exceptions, name))
        assert exceptions.OperationalError is kombu.exceptions.OperationalError
        assert issubclass(ExceptionInfo, billiard.einfo.ExceptionInfo)
        assert issubclass(exceptions.NotRegistered, KeyError) and issubclass(exceptions.Retry, exceptions.TaskPredicate)
    """
    run(face, tmp_path, code)


def test_a_broker_that_is_away_is_told_soon_and_as_kombus_error(face: Path, tmp_path: Path) -> None:
    code = """
        import time
        from kombu.exceptions import OperationalError
        from celery import Celery
        app = Celery("proj", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1")
        app.conf.broker_publish_timeout = 0.5
        @app.task
        def add(x, y): return x + y
        for send in (lambda: add.delay(1, 2), lambda: app.send_task("other"), lambda: add.s(1).delay(2)):
            try:
                send()
            except OperationalError as error:
                assert "127.0.0.1" in str(error), error
            else:
                raise AssertionError("nothing was raised")
    """
    run(face, tmp_path, code)


def test_defaults_are_celerys_and_only_those_of_the_one_table_differ_from_umbels(face: Path, tmp_path: Path) -> None:
    code = """
        from celery import Celery
        from celery.app.defaults import DIFFERENT
        from umbel import Umbel
        ours, umbels = dict(Celery("a", set_as_current=False).conf), dict(Umbel("b", set_as_current=False).conf)
        print({name: value for name, value in ours.items() if value != umbels[name]} == DIFFERENT, DIFFERENT)
    """
    different = {"task_acks_late": False, "worker_prefetch_multiplier": 4, "task_shared_with_celery": True}
    assert run(face, tmp_path, code) == f"True {different}"


def test_settings_are_taken_in_any_order_and_spelling(face: Path, tmp_path: Path) -> None:
    code = """
        from celery import Celery
        app = Celery("proj", task_track_started=True)
        app.conf.timezone = "Europe/Berlin"
        app.config_from_object({"CELERY_TIMEZONE": "UTC", "CELERY_TASK_RESULT_EXPIRES": 9})
        app.conf["CELERY_DEFAULT_QUEUE"] = "old"
        app.conf.update(task_default_priority=3)
        app.add_defaults({"result_expires": 1, "my_own": 2})
        conf = app.conf
        print(conf.timezone, conf.result_expires, conf.task_default_queue, conf.CELERY_DEFAULT_QUEUE, conf.task_default_priority)
        print(conf.my_own, conf.task_track_started, conf.find_value_for_key("expires", "result"), conf.first("nothing", "my_own"))
        conf.broker_url = "redis://:secret@host/0"
        print("secret" in conf.humanize(), conf.table()["broker_url"])
    """
    assert run(face, tmp_path, code).splitlines() == [
        "Europe/Berlin 9 old old 3",
        "2 True 9 2",
        "False redis://:********@host/0",
    ]


def test_settings_that_a_test_of_django_overrides_count_while_it_does(face: Path, tmp_path: Path) -> None:
    code = """
        import django
        from django.conf import settings
        settings.configure(SECRET_KEY="none", CELERY_BROKER_URL="memory://", INSTALLED_APPS=[])
        django.setup()
        from django.test import override_settings
        from celery import Celery
        app = Celery("proj")
        app.config_from_object("django.conf:settings", namespace="CELERY")
        @app.task
        def add(x, y): return x + y
        told = [type(add.delay(1, 2)).__name__]
        with override_settings(CELERY_TASK_ALWAYS_EAGER=True, CELERY_TASK_DEFAULT_QUEUE="other"):
            told += [type(add.delay(1, 2)).__name__, app.conf.task_default_queue]
        told += [type(add.delay(1, 2)).__name__, app.conf.task_default_queue]
        print(*told)
    """
    assert run(face, tmp_path, code) == "AsyncResult EagerResult other AsyncResult celery"


def test_without_a_broker_messages_are_in_the_embedded_file_and_that_is_said(face: Path, tmp_path: Path) -> None:
    code = """
        import logging
        logging.basicConfig(format="%(name)s %(levelname)s %(message)s", filename="log")
        from celery import Celery
        app = Celery("proj")
        @app.task
        def add(x, y): return x + y
        result = add.delay(1, 2)
        from celery.contrib.testing.worker import start_worker
        with start_worker(app, perform_ping_check=False):
            print(result.get(timeout=30), app.connection().transport.driver_type)
    """
    assert run(face, tmp_path, code) == "3 memory"
    line = (tmp_path / "log").read_text().splitlines()[0]
    assert line.startswith("celery WARNING no broker_url is set: messages and results are in the file")
    assert (tmp_path / "umbel.db").exists()


def test_a_direct_call_and_apply_leave_no_result(face: Path, tmp_path: Path) -> None:
    code = """
        from celery import Celery
        app = Celery("proj", broker="memory://", backend="cache+memory://")
        @app.task
        def add(x, y): return x + y
        found = add.apply((1, 2), task_id="one")
        print(add(1, 2), found.get(), app.AsyncResult("one").state)
    """
    assert run(face, tmp_path, code) == "3 3 PENDING"


def test_parts_of_an_app_are_the_same_at_each_access(face: Path, tmp_path: Path) -> None:
    code = """
        from celery import Celery
        app = Celery("proj", broker="memory://", backend="cache+memory://")
        parts = ("amqp", "backend", "control", "events", "loader", "log", "clock", "pool")
        for name in (*parts, "AsyncResult", "Task", "Worker", "Beat"):
            assert getattr(app, name) is getattr(app, name), name
        assert app.Task.app and app.AsyncResult("x").app is app and app.control.inspect is app.control.inspect
        with app.connection() as connection:
            assert connection.transport.driver_type == "memory"
    """
    run(face, tmp_path, code)


def test_of_two_tasks_with_one_name_the_first_wins_with_a_warning(face: Path, tmp_path: Path) -> None:
    code = """
        import warnings
        from celery import Celery
        from celery.exceptions import CeleryWarning, DuplicateTaskNameWarning
        app = Celery("proj", broker="memory://")
        @app.task(name="one")
        def first(): return 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            @app.task(name="one")
            def second(): return 2
        assert issubclass(caught[0].category, DuplicateTaskNameWarning) and issubclass(DuplicateTaskNameWarning, CeleryWarning)
        print(app.tasks["one"](), second())
    """
    assert run(face, tmp_path, code) == "1 1"


def test_umbels_kit_for_tests_takes_an_app_of_celerys_kind(face: Path, tmp_path: Path) -> None:
    code = """
from celery import Celery, chord
from umbel.testing import Kit

app = Celery("kit", broker="redis://nowhere.invalid/0", backend="redis://nowhere.invalid/1")

@app.task(bind=True)
def add(self, x, y):
    if not self.request.retries:
        raise self.retry(countdown=3600)
    return x + y

@app.task
def whole(parts):
    return sum(parts)

with Kit(app) as kit:
    result = chord([add.s(1, 1), add.s(2, 2)])(whole.s())
    kit.drain()
    kit.assert_sent(add, (2, 2), retries=1)
    print(result.get(), type(result).__module__, app.backend.get_state(result.id), type(app.backend).__name__)
print(type(app.backend).__name__)
"""
    done = subprocess.run([face, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["6 celery.result SUCCESS UmbelBackend", "RedisBackend"], done.stderr


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("from celery.backends.mongodb import MongoBackend", "celery.backends.mongodb is not offered by umbel"),
        ("from celery.utils.debug import sample_mem", "celery.utils.debug is not offered by umbel"),
        ("from celery.utils.saferepr import reprstream", "instead: celery.utils.saferepr.saferepr"),
        ("from celery import Celery; Celery('x').setup_security()", "TLS to the store"),
        ("from celery import nonsense", "cannot import name 'nonsense'"),
    ],
)
def test_what_is_not_there_says_so_in_one_line(code: str, line: str, face: Path, tmp_path: Path) -> None:
    done = subprocess.run([face, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert line in done.stderr.splitlines()[-1]


def test_what_cannot_be_sent_is_told_in_kombus_class(face: Path, tmp_path: Path) -> None:
    code = """
        import kombu.exceptions
        from celery import Celery
        app = Celery("proj", broker="memory://")
        @app.task
        def add(x, y): pass
        for send in (lambda: add.delay(object(), 1), lambda: app.send_task("far", [object()])):
            try:
                send()
            except kombu.exceptions.EncodeError as error:
                print("cannot be sent as json" in str(error), end=" ")
    """
    assert run(face, tmp_path, code) == "True True"


def test_tasks_are_shown_with_their_app(face: Path, tmp_path: Path) -> None:
    code = """
        from celery import Celery
        app = Celery("proj")
        @app.task
        def add(x, y): pass
        print(repr(add) == f"<@task: proj.add of proj at {hex(id(app))}>")
    """
    assert run(face, tmp_path, code) == "True"


def test_fixtures_of_celery_run_a_worker_in_a_thread(face: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("celery.contrib.pytest",)\n')
    (tmp_path / "more.py").write_text("from celery import shared_task\n\n\n@shared_task\ndef two():\n    return 2\n")
    (tmp_path / "less.py").write_text(
        "from celery import shared_task\n\nn = globals().get('n', 0) + 1\n\n\n@shared_task\ndef one():\n    return n\n"
    )
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import pytest


            @pytest.fixture(scope="session")
            def celery_config():
                return {"broker_url": "memory://", "result_backend": "cache+memory://"}


            @pytest.fixture(scope="session")
            def celery_includes():
                return ["more"]


            def test_one(celery_app, celery_worker):
                @celery_app.task
                def mul(x, y):
                    return x * y

                celery_worker.reload()
                assert mul.delay(4, 4).get(timeout=30) == 16


            def test_session(celery_session_app, celery_session_worker):
                celery_session_worker.reload(["less"])
                celery_session_worker.reload(["less"], reload=True)
                assert celery_session_app.send_task("less.one").get(timeout=30) == 2
                assert celery_session_app.send_task("celery.ping").get(timeout=30) == "pong"
                assert celery_session_app.send_task("more.two").get(timeout=30) == 2


            @pytest.mark.celery(result_expires=7)
            def test_marked(celery_app):
                assert celery_app.conf.result_expires == 7
        """)
    )
    command = [face, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_worker_loads_little_more_than_umbels(face: Path, tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from celery import Celery, signals
        app = Celery("proj", broker="sqlite:///q.db")
        @app.task
        def add(x, y): return x + y
        @signals.worker_ready.connect
        def tell(**_):
            with open("loaded", "w") as file:
                file.write(" ".join(sys.modules))
            os.kill(os.getpid(), signal.SIGTERM)
    """
    (tmp_path / "proj.py").write_text(textwrap.dedent(code))
    command = [face, "-m", "celery", "-A", "proj", "worker", "-c", "1"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=patience())
    modules = {*(tmp_path / "loaded").read_text().split()}
    assert "umbel.worker.worker" in modules
    few = "celery.canvas celery.events celery.utils.functional celery.worker.worker umbel.events.state"
    assert not modules & {*few.split(), "dataclasses", "kombu", "pprint", "redis", "shutil"}


def test_a_class_may_be_the_backend_and_a_registry_answers_as_celerys(face: Path, tmp_path: Path) -> None:
    code = """
        from celery import Celery
        from celery.app.registry import TaskRegistry
        from celery.backends.base import KeyValueStoreBackend
        from celery.exceptions import InvalidTaskError

        class Kept(KeyValueStoreBackend):
            store = {}
            def get(self, key): return self.store.get(key)
            def set(self, key, value): self.store[key] = value

        class Own(TaskRegistry):
            pass

        class Apps(Celery):
            registry_cls = Own

        app = Apps("proj", broker="memory://", backend=Kept)
        assert type(app.backend) is Kept and app.backend.app is app
        app.backend.store_result("some", 5, "SUCCESS")
        assert (app.AsyncResult("some").state, app.AsyncResult("some").result) == ("SUCCESS", 5)
        @app.task(name="one")
        def one(): return 1
        assert type(app.tasks) is Own
        assert app.tasks.regular()["one"] == one and app.tasks.periodic() == {}
        try:
            app.tasks.register(type("Nameless", (app.Task,), {"name": None}))
        except InvalidTaskError:
            pass
        told = app.bugreport().split()
        assert ["software", "->"] == told[:2] and "celery.loaders.app.AppLoader" in told
    """
    run(face, tmp_path, code)


def test_tasks_are_those_of_other_apps_too_unless_they_are_not_shared(real: Path, face: Path, tmp_path: Path) -> None:
    (tmp_path / "apps.py").write_text(
        textwrap.dedent("""
        from celery import Celery
        one = Celery("one", broker="memory://", set_as_current=False)
        two = Celery("two", broker="memory://", set_as_current=False)
        early = Celery("early", broker="memory://", set_as_current=False)
        early.finalize()
        @one.task(name="shared", bind=True, max_retries=9, own=3)
        def shared(self): return self.app.main
        @one.task(name="hidden", shared=False)
        def hidden(): pass
        @one.task
        def unnamed(): pass
        class Classy(one.Task):
            name = "classy"
            def run(self): pass
        one.register_task(Classy())
        for app in (one, two, early, Celery("later", set_as_current=False)):
            print(app.main, sorted(name for name in app.tasks if not name.startswith("celery.")))
        task = two.tasks["shared"]
        print(task.app.main, task is one.tasks["shared"], task.max_retries, task.own, task(), shared())
        """)
    )
    told = {python: run(python, tmp_path, "import apps") for python in (real, face)}
    assert told[face] == told[real]
    assert "later ['apps.unnamed', 'shared']" in told[face]


def test_queues_that_were_only_named_are_not_served(real: Path, face: Path, tmp_path: Path) -> None:
    (tmp_path / "apps.py").write_text(
        textwrap.dedent("""
        from celery import Celery
        def served(change):
            queues = Celery("x", broker="memory://", set_as_current=False).amqp.queues
            change(queues)
            return sorted(queues), sorted(queues.consume_from)
        print(served(lambda queues: [queues.add("added"), queues["named"]]))
        print(served(lambda queues: queues.deselect(["celery"])))
        print(served(lambda queues: queues.select(["one", "two"])))
        print(served(lambda queues: [queues.select(["one", "two"]), queues.deselect("one")]))
        app = Celery("x", broker="memory://", set_as_current=False)
        print(app.loader.now().utcoffset(), app.loader.now(utc=False).utcoffset(), app.Beat(loglevel="INFO").loglevel)
        """)
    )
    told = {python: run(python, tmp_path, "import apps") for python in (real, face)}
    assert told[face] == told[real]
