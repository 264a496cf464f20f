"""The fixtures, used by the tests of a project in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from umbel.testing.waiting import patience

PROJECT = """
from umbel import Umbel, shared_task

app = Umbel("shop", broker="redis://nowhere.invalid/0", set_as_current=False)


@app.task(bind=True, max_retries=3)
def charge(self, cents):
    if self.request.retries < 2:
        raise self.retry(countdown=86400)
    return cents


@shared_task(name="shop.shared")
def shared(x):
    return -x


def order(cents):
    return charge.apply_async((cents,), countdown=10)
"""

CONFTEST = """
import pytest

pytest_plugins = ("umbel.testing.plugin",)


@pytest.fixture(scope="session")
def celery_config():
    return {"task_serializer": "msgpack", "accept_content": ["json", "msgpack"]}


@pytest.fixture(scope="session")
def celery_includes():
    return ["shop"]


@pytest.fixture(scope="session")
def celery_worker_pool():
    return "threads"
"""

TESTS = """
import pytest
import shop

from umbel import current_app


class TestOfTheProjectsApp:
    @pytest.fixture
    def umbel_app(self):
        return shop.app

    def test_an_order_is_charged_in_the_end(self, umbel_kit):
        result = shop.order(500)
        umbel_kit.assert_sent(shop.charge, (500,), countdown=10)
        umbel_kit.drain()
        assert result.get() == 500

    def test_the_kit_is_new_for_each_test(self, umbel_kit):
        umbel_kit.assert_not_sent()


@pytest.mark.umbel(task_default_queue="marked")
def test_an_app_of_the_test(umbel_app, umbel_kit):
    @umbel_app.task
    def add(x, y):
        return x + y

    assert add.delay(1, 2).get() == 3
    assert umbel_kit.sent[0].queue == "marked"


def test_a_worker_in_a_thread(umbel_app, umbel_worker):
    @umbel_app.task
    def ignored(): ...

    umbel_app.send_task("tests.unheard_of")
    assert umbel_worker.app is umbel_app


class TestCelerysNames:
    @pytest.mark.celery(result_extended=True)
    def test_an_app_and_its_worker(self, celery_app, celery_worker):
        assert (celery_app.conf.task_serializer, celery_app.conf.result_extended) == ("msgpack", True)
        assert shop.shared.delay(5).get(timeout=60) == -5
        assert celery_app.AsyncResult(shop.shared.delay(5).id).get(timeout=60) == -5

    def test_those_of_the_session(self, celery_session_app, celery_session_worker):
        assert celery_session_app.tasks["shop.shared"].delay(1).get(timeout=60) == -1

    @pytest.mark.usefixtures("depends_on_current_app")
    def test_the_current_app(self, celery_app):
        assert current_app._get_current_object() is celery_app
"""


def test_a_project_tests_itself_with_the_fixtures(tmp_path: Path) -> None:
    for name, text in (("shop.py", PROJECT), ("conftest.py", CONFTEST), ("test_shop.py", TESTS)):
        (tmp_path / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-W",
        "error",
        "--strict-markers",
        ".",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=patience())
    assert "7 passed" in done.stdout, done.stdout + done.stderr
