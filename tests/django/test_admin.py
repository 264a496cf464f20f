"""The pages of the admin: what became of tasks, the same once more, and a schedule that people change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from tests.django import site

from umbel import Umbel, states
from umbel.errors import ImproperlyConfigured
from umbel.schedules import crontab
from umbel.stores.url import open_backend, open_schedule
from umbel.wire.result import Result

ENTRY = {"name": "nightly", "task": "shop.add", "when": "30 4 * * mon", "args": "[2, 3]", "kwargs": "{}", "options": "{}"}


@pytest.fixture
def app(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Umbel]:
    """A project whose results and schedule are in its database."""
    from umbel.django import project

    with site.default(migrated, tmp_path / "project.sqlite3"):
        app = Umbel("shop", broker=f"memory://{tmp_path.name}", result_backend="django", beat_store="django")
        monkeypatch.setattr(project, "app", app)

        @app.task(name="shop.add")
        def add(x: int, y: int = 0) -> int:
            return x + y

        yield app
        app.close()


@pytest.fixture
def browser(app: Umbel) -> Client:
    from django.contrib.auth.models import User  # models can be loaded only once Django is set up

    User.objects.create_superuser("root", password="secret")
    found = Client()
    assert found.login(username="root", password="secret")
    return found


def told(id: str, state: str = states.SUCCESS, **facts: Any) -> Result:
    known = {"task_id": id, "status": state, "name": "shop.add", "args": [2, 3], "kwargs": {}, "worker": "w1@here", **facts}
    return Result(id, state, json.dumps(known).encode())


def page(browser: Client, path: str) -> str:
    answer = browser.get(f"/admin/umbel/{path}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_results_are_listed_filtered_and_found(app: Umbel, browser: Client) -> None:
    bad = {"result": {"exc_type": "ValueError", "exc_message": ["no <b>"]}, "traceback": "Traceback: no <b>", "queue": "slow"}
    app.result_store.store([told("one", result=5), told("two", states.FAILURE, **bad)])
    everything = page(browser, "result/")
    assert "shop.add" in everything
    assert "w1@here" in everything
    assert "ValueError: no &lt;b&gt;" in everything
    assert "one" not in page(browser, "result/?status=FAILURE").partition('id="result_list"')[2]
    assert "1 result" in page(browser, "result/?q=Traceback")
    assert "Traceback: no &lt;b&gt;" in page(browser, "result/two/change/")


def test_a_task_is_run_again(app: Umbel, browser: Client) -> None:
    app.result_store.store([told("one", result=5, queue="celery"), told("brief", args="(2, ...)")])
    answer = browser.post("/admin/umbel/result/", {"action": "run_again", "_selected_action": ["one", "brief"]}, follow=True)
    assert "1 sent" in answer.content.decode()
    assert "cannot be sent again" in answer.content.decode()
    (delivery,) = app.broker.reserve(["celery"], limit=10, wait=0)
    assert b"[2,3]" in delivery.envelope.body.replace(b" ", b"")


def test_who_may_only_look_cannot_run(app: Umbel, browser: Client) -> None:
    app.result_store.store([told("one")])
    from django.contrib.auth.models import Permission, User

    user = User.objects.create_user("eve", password="secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_result"))
    browser.login(username="eve", password="secret")
    assert "run_again" not in page(browser, "result/")
    browser.post("/admin/umbel/result/", {"action": "run_again", "_selected_action": ["one"]})
    assert app.broker.depth(["celery"])["celery"].ready == 0


def test_an_entry_is_added_changed_switched_run_and_removed(app: Umbel, browser: Client) -> None:
    form = {**ENTRY, "catch_up": "once", "enabled": "on"}
    assert browser.post("/admin/umbel/entry/add/", form).status_code == 302
    line = app.schedule["nightly"]
    assert line.entry is not None
    assert line.entry.schedule == crontab.from_string("30 4 * * mon")
    assert (line.entry.args, line.enabled) == ((2, 3), True)
    from umbel.django.models import Entry

    number = Entry.objects.get().pk
    assert page(browser, f"entry/{number}/change/").count("04:30:00") == 5
    assert "No beat is running" in page(browser, "entry/")
    changed = {**form, "when": "every 90 s", "catch_up": "skip", "options": '{"queue": "slow"}'}
    del changed["enabled"]
    assert browser.post(f"/admin/umbel/entry/{number}/change/", changed).status_code == 302
    line = app.schedule["nightly"]
    assert line.entry is not None
    assert (str(line.entry.schedule), line.enabled) == ("every 1 min 30 s", False)
    assert line.entry.options == {"queue": "slow"}
    for action in ("enable", "run_now"):
        browser.post("/admin/umbel/entry/", {"action": action, "_selected_action": [number]})
    assert app.schedule["nightly"].enabled
    assert app.broker.depth(["slow"])["slow"].ready == 1
    browser.post(f"/admin/umbel/entry/{number}/delete/", {"post": "yes"})
    assert "nightly" not in app.schedule


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"when": "61 * * * *"}, "61"),
        ({"when": "every so often"}, "is no interval"),
        ({"args": "[1, 2, 3]"}, "too many positional arguments"),
        ({"args": "{}x"}, "Enter a valid JSON"),
        ({"zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"catch_up": "often"}, "catch_up"),
        ({"options": "[1]"}, "options"),
    ],
)
def test_what_can_never_be_sent_is_told_on_the_page(app: Umbel, browser: Client, wrong: dict[str, str], words: str) -> None:
    answer = browser.post("/admin/umbel/entry/add/", {**ENTRY, "catch_up": "once", **wrong})
    assert answer.status_code == 200
    assert words in answer.content.decode().replace("&#x27;", "'")
    assert list(app.schedule) == []


def test_entries_of_the_code_are_looked_at_only(app: Umbel, browser: Client) -> None:
    app.conf.beat_schedule = {"daily": {"task": "shop.add", "schedule": crontab(minute=0, hour=3), "args": [1]}}
    app.schedule.save_named()
    from umbel.django.models import Entry

    number = Entry.objects.get().pk
    shown = page(browser, f"entry/{number}/change/")
    assert "shop" in shown
    assert "_save" not in shown
    browser.post("/admin/umbel/entry/", {"action": "delete_selected", "_selected_action": [number], "post": "yes"})
    browser.post("/admin/umbel/entry/", {"action": "disable", "_selected_action": [number]})
    assert not app.schedule["daily"].enabled


def test_rows_that_were_changed_by_hand_are_shown_and_what_is_wrong_is_told(app: Umbel, browser: Client) -> None:
    from umbel.django.models import Entry

    names = ("bare", "options", "renamed", "text", "far")
    for name in names:
        app.schedule.add(name, "shop.add", 60, (1,))
    kept = bytes(Entry.objects.get(name="bare").definition)
    Entry.objects.filter(name="options").update(definition=kept[:-1] + b',"options":{"queue":5}}')
    Entry.objects.filter(name="far").update(definition=kept[:-1] + b',"start":1e300}')
    Entry.objects.filter(name="renamed").update(name="new name")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE umbel_entry SET definition = CAST(definition AS TEXT) WHERE name = 'text'")
    numbers = dict(Entry.objects.values_list("name", "pk"))
    assert "5 schedule" in page(browser, "entry/")
    for number in numbers.values():
        page(browser, f"entry/{number}/change/")

    def act(action: str, *chosen: str) -> str:
        given = {"action": action, "_selected_action": [numbers[name] for name in chosen]}
        answer = browser.post("/admin/umbel/entry/", given, follow=True)
        assert answer.status_code == 200
        return answer.content.decode()

    assert "ptions: shop.add: queue must be the name of a queue, not 5" in act("run_now", "options", "bare")
    assert "Nothing is disabled: there is no entry &#x27;new name&#x27;" in act("disable", "new name", "bare")
    assert app.schedule["bare"].enabled


def test_a_schedule_that_is_elsewhere_is_told(app: Umbel, browser: Client) -> None:
    app.close()
    app.conf.beat_store = None
    assert "is kept in memory://" in page(browser, "entry/")


@pytest.mark.parametrize("opened", [lambda url: open_backend(url, expires=None), open_schedule])
def test_a_database_that_is_not_there_is_told(app: Umbel, opened: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"django://other: DATABASES has no 'other'; it has default"):
        opened("django://other")
