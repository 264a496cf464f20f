"""A Django project as large ones are, unchanged on umbel: modules named one by one, own logging, Sentry, django-celery-beat."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples.sites import ROOT, Running, Site
from tests.servers import redis
from tests.servers.missing import lacks

from umbel.testing.waiting import patience, until

PROJECT = Path(__file__).parent / "large"


class Rig:
    """A copy of the project, its worker and its beat."""

    def __init__(self, site: Site):
        self.site = site
        self.shell = site.shell("python manage.py shell -v0")
        self.worker: Running = site.start("celery -A macantine worker --loglevel=INFO")
        self.beat: Running = site.start("celery -A macantine beat --loglevel=INFO")

    def tell(self, code: str) -> Any:
        """What a program of the project prints last, as JSON."""
        intro = f"import json\nfrom data.models import Note\nPATIENCE = {patience()}\n"
        return json.loads(self.shell.must(intro + code).splitlines()[-1])

    def notes(self, what: str) -> int:
        """How many notes of this kind tasks have taken."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.site.folder}/db.sqlite3?mode=ro", uri=True, timeout=patience())
        ) as connection:
            count: int = connection.execute("SELECT count(*) FROM data_note WHERE what = ?", (what,)).fetchone()[0]
            return count

    @property
    def sentry(self) -> str:
        """What would have gone to Sentry."""
        path = self.site.folder / "sentry.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    programs = ROOT / ".bench" / "face" / "bin"
    if not (programs / "celery").exists():
        lacks(f"there is no {programs}/celery: run scripts/setup face .bench/face")
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(redis.running(tmp_path_factory.mktemp("redis")))
        env = {"REDIS_URL": f"redis://127.0.0.1:{broker.port}/0", "UMBEL_BROKER_LEASE": "3"}
        site = Site(PROJECT, programs, tmp_path_factory.mktemp("logs"), **env)
        stack.callback(site.close)
        site.must("python manage.py migrate -v0")
        made = Rig(site)
        made.worker.says("ready.")
        made.beat.says("beat: Starting")
        yield made
        assert [made.worker.stop(), made.beat.stop()] == [0, 0]


def test_its_worker_knows_all_tasks_and_logs_as_the_project_says(rig: Rig) -> None:
    for name in ("contacts.update_brevo_contacts", "exports.export_purchases", "fill.fill_sirets", "reminders.remind_managers"):
        assert f"macantine.tasks.{name}" in rig.worker.log
    assert "api.answer" in rig.worker.log
    rig.worker.says("macantine|INFO|celery.app.trace|Task data.tasks.note[")
    assert "macantine|INFO|" in rig.beat.log


def test_its_tasks_run(rig: Rig) -> None:
    code = """
from django.contrib.auth import get_user_model
from macantine.tasks import exports, fill, reminders
extended = fill.fill_departments.delay(department="22")
told = {
    "rows": exports.export_canteens.delay().get(timeout=PATIENCE),
    "retries": exports.export_purchases.delay().get(timeout=PATIENCE),
    "error": repr(exports.export_diagnostics.delay().get(timeout=PATIENCE, propagate=False)),
    "killed": fill.fill_sirets.delay("mark").get(timeout=PATIENCE),
    "weeks": reminders.remind_managers.apply_async(kwargs={"weeks": 3}, expires=60).get(timeout=PATIENCE),
    "users": reminders.remind_users.delay().get(timeout=PATIENCE) - get_user_model().objects.count(),
    "here": exports.export_canteens.apply().get(),
    "department": extended.get(timeout=PATIENCE),
}
told["extended"] = [extended.name, extended.kwargs, bool(extended.worker), extended.queue]
print(json.dumps(told))
"""
    assert rig.tell(code) == {
        "rows": {"rows": 3},
        "retries": 2,
        "error": "ValueError('no warehouse here')",
        "killed": "filled",
        "weeks": 3,
        "users": 0,
        "here": {"rows": 3},
        "department": "22",
        "extended": ["macantine.tasks.fill.fill_departments", {"department": "22"}, True, "celery"],
    }
    assert re.search(r"macantine\|INFO\|macantine\.tasks\.reminders\|[01] users reminded", rig.worker.log)


def test_sentry_is_told_of_errors(rig: Rig) -> None:
    rig.tell("from macantine.tasks import exports; exports.export_diagnostics.delay(); print(1)")
    until(lambda: "event no warehouse here tagged" in rig.sentry, saying=lambda: rig.sentry)


def test_processes_are_renewed_after_three_tasks(rig: Rig) -> None:
    pids = rig.tell(
        "from data.tasks import note\n"
        "sent = [note.delay('renewed') for _ in range(12)]\n"
        "print(json.dumps([each.get(timeout=PATIENCE) for each in sent]))"
    )
    assert max(pids.count(pid) for pid in pids) <= 3


def test_django_celery_beat_sends_what_its_admin_is_told(rig: Rig) -> None:
    assert rig.beat.stop() == 0  # of several beats one leads
    rig.beat = beat = rig.site.start("celery -A macantine beat -l INFO -S django")
    beat.says("beat: Starting", "Sending due task heartbeat")  # its own interval is there, so that the one below is not a second
    intro = """
from django.contrib.auth import get_user_model
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask
User = get_user_model()
User.objects.filter(username="root").exists() or User.objects.create_superuser("root", password="secret")
client = Client()
client.login(username="root", password="secret")
task = PeriodicTask.objects.filter(name="often").first()
"""
    add = """
every, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
form = {"name": "often", "regtask": "data.tasks.note", "task": "", "enabled": "on", "interval": every.pk, "args": '["django"]'}
form |= {"kwargs": "{}", "headers": "{}", "description": "", "start_time_0": "", "start_time_1": ""}
answer = client.post("/admin/django_celery_beat/periodictask/add/", form)
print(json.dumps([answer.status_code, PeriodicTask.objects.filter(name="often").count()]))
"""
    assert rig.tell(intro + add) == [302, 1]
    until(lambda: rig.notes("django") > 1, saying=lambda: beat.log)
    act = """
def act(name):
    client.post("/admin/django_celery_beat/periodictask/", {"action": name, "_selected_action": [task.pk]})
act("disable_tasks")
"""
    assert rig.tell(intro + act + "task.refresh_from_db(); print(json.dumps(task.enabled))") is False
    sent = beat.log.count("Sending due task heartbeat")
    until(lambda: beat.log.count("Sending due task heartbeat") > sent + 2)  # it has looked at its table since
    sent = beat.log.count("Sending due task often")
    until(lambda: rig.notes("django") == sent)
    assert rig.tell(intro + act.replace("disable", "run") + "print(json.dumps([task.enabled, task.total_run_count]))") == [
        False,
        sent,
    ]
    until(lambda: rig.notes("django") == sent + 1)
    assert beat.log.count("Sending due task often") == sent


def test_a_row_that_django_celery_beat_cannot_read_stops_no_other(rig: Rig) -> None:
    intro = """
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
every, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
def add(name):
    words = {"task": "data.tasks.note", "interval": every, "args": f'["{name}"]', "headers": "{}"}
    PeriodicTask.objects.update_or_create(name=name, defaults=words)
def set(name, words):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE django_celery_beat_periodictask SET {words} WHERE name = %s", [name])
"""
    tell = "PeriodicTasks.update_changed(); print(1)"
    breaks = {"no schedule": "interval_id = NULL", "headers": "headers = '[1]'", "text": "headers = '{'"}
    rig.tell(intro + "".join(f"add({name!r}); set({name!r}, {words!r})\n" for name, words in breaks.items()) + tell)
    assert rig.beat.stop() == 0
    rig.beat = beat = rig.site.start("celery -A macantine beat -l INFO -S django")  # it finds them at its start
    refused = "Entry {!r} is not sent until it is mended: ".format
    beat.says(*map(refused, breaks), "Sending due task heartbeat")
    rig.tell(intro + "".join(f"add({name!r})\n" for name in breaks) + tell)
    until(lambda: all(rig.notes(name) for name in breaks), saying=lambda: beat.log)
    rig.tell(intro + "set('headers', 'interval_id = NULL'); print(1)")  # unnoticed, so that it fails when its runs are saved
    sent = beat.log.count("Sending due task headers")
    until(lambda: beat.log.count("Sending due task headers") > sent + 2, saying=lambda: beat.log)
    rig.tell(intro + "add('later'); print(1)")
    until(lambda: rig.notes("later") > 1, saying=lambda: beat.log)
    assert beat.log.count(refused("headers"))
    rig.tell(intro + "add('headers'); PeriodicTask.objects.exclude(name='headers').delete(); print(1)")
    sent = beat.log.count("Sending due task headers")
    until(lambda: beat.log.count("Sending due task headers") > sent + 1, saying=lambda: beat.log)
