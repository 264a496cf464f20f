"""The site of canteens, as its document runs it: web here, worker and beat on another server, with another user.

Real requests, a Redis and a PostgreSQL of its own, a mail server, and a stand-in for Brevo. Each test has what it does
done by the same worker, so none may count on there being nothing else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.examples.sites import KINDS, ROOT, Browser, Running, Shell, Site, environment, hasty, stranger
from tests.servers import brevo, mail, postgres, redis

from umbel.testing.waiting import patience, until

CANTINE = ROOT / "examples" / "cantine"


@dataclass
class Rig:
    """All that runs."""

    web: Site
    server: Site
    """The one called "celery"."""
    clever_cloud: Running
    shell: Shell
    """Of the web server."""
    address: str
    broker: str
    postgres: postgres.PostgresServer
    mail: mail.MailServer
    brevo: brevo.Brevo


@pytest.fixture(scope="module", params=KINDS)
def programs(request: pytest.FixtureRequest) -> Path:
    return environment(request.param)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.PostgresServer]:
    """A server with a database for both kinds to begin with: it has tables, and canteens."""
    with postgres.running() as server:
        url = server.create("seeded")
        site = Site(CANTINE, environment("umbel"), tmp_path_factory.mktemp("logs"), SECRET_KEY="for-tests", DATABASE_URL=url)
        try:
            site.must("python manage.py migrate -v0")
            site.must("python manage.py seed 20")
        finally:
            site.close()
        yield server


@pytest.fixture(scope="module")
def rig(programs: Path, database: postgres.PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(redis.running(tmp_path_factory.mktemp("redis")))
        post = stack.enter_context(mail.running())
        contacts = stack.enter_context(brevo.running())
        both = {
            "SECRET_KEY": "for-tests",
            "DATABASE_URL": database.create("cantine", like="seeded"),
            "REDIS_URL": f"redis://127.0.0.1:{broker.port}/0",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(post.port),
        }
        database.create("warehouse")
        celery_only = {
            "CC_PYTHON_CELERY_USE_BEAT": "true",
            "CC_PYTHON_CELERY_MODULE": "macantine.celery",
            "CELERY_TIMEZONE": "'Europe/Paris'",
            "DATA_WARE_HOUSE_USER": " tests",
            "DATA_WARE_HOUSE_PASSWORD": " secret",
            "DATA_WARE_HOUSE_HOST": "127.0.0.1",
            "DATA_WARE_HOUSE_PORT": f" {database.port}",
            "DATA_WARE_HOUSE_DB": " warehouse",
            "SENDINBLUE_API_KEY": f" {brevo.KEY}",
            "BREVO_URL": contacts.url,
            "BREVO_BATCH": "15",
        }
        logs = tmp_path_factory.mktemp("logs")
        web = Site(CANTINE, programs, logs)
        stack.callback(web.close)
        server = Site(CANTINE, programs, logs, user=stranger(programs))
        stack.callback(server.close)
        for site, env in ((web, both), (server, {**both, **celery_only})):
            (site.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
        clever_cloud = server.start("python bin/clevercloud")
        port = redis.free_port()
        pages = web.start(f"python manage.py runserver --noreload {port}", **hasty(web.folder, "macantine.settings"))
        pages.says("Quit the server")
        clever_cloud.says("ready.", "beat: Starting")
        shell = web.shell("python manage.py shell -v0")
        yield Rig(web, server, clever_cloud, shell, f"http://127.0.0.1:{port}", both["REDIS_URL"], database, post, contacts)
        assert clever_cloud.stop() == 0


def test_its_own_tests_pass(rig: Rig, programs: Path, tmp_path: Path) -> None:
    site = Site(CANTINE, programs, tmp_path)
    try:
        site.must("python manage.py test")
    finally:
        site.close()
    check = 'from django.core.management import call_command; call_command("makemigrations", "--check")'
    assert "No changes detected" in rig.shell.must(check)


def test_what_visitors_enter_is_completed_on_the_other_server(rig: Rig) -> None:
    ada = Browser(rig.address)
    person = {"first_name": "Ada", "last_name": "L", "username": "ada", "email": "ada@example.org"}
    ada.post("/inscription/", {**person, "password1": "sept-lieues", "password2": "sept-lieues"})
    ada.post("/cantines/nouvelle/", {"name": "Lycée Ada", "postal_code": "35000", "city": "Rennes"})
    ((number,),) = rig.postgres.query("cantine", "SELECT id FROM data_canteen WHERE name = 'Lycée Ada'")
    page = f"/cantines/{number}/"
    until(lambda: "Bretagne (35)" in ada.get(page), saying=lambda: rig.clever_cloud.log)
    ada.post(f"{page}achats/", {"description": "Pommes", "price": "12.50", "date": "2026-11-05", "is_organic": "on"})
    until(lambda: "Fruits et légumes" in ada.get(page), saying=lambda: rig.clever_cloud.log)


def test_a_reminder_comes_once_though_it_was_refused_and_asked_for_twice(rig: Rig) -> None:
    rig.mail.refusals = 2
    code = f"""
import time
from datetime import timedelta
from data.models import Reminder, User
from django.utils import timezone
from macantine.tasks import remind_users_without_canteen as remind
late = User.objects.create_user("late", "late@example.org", date_joined=timezone.now() - timedelta(days=8))
print(remind.delay().get(timeout={patience()}))
end = time.monotonic() + {patience()}
while not Reminder.objects.filter(user=late) and time.monotonic() < end:
    time.sleep(0.05)
print(remind.delay().get(timeout={patience()}))
"""
    told = rig.shell.must(code)
    assert "Mails due (without_canteen): 0" in told.splitlines()[-1], rig.clever_cloud.log
    assert [letter["Subject"] for letter in rig.mail.to("late@example.org")] == ["Ajoutez votre cantine"]
    assert rig.mail.refusals == 0


def test_the_export_replaces_all_tables_at_once_or_none(rig: Rig) -> None:
    def told() -> tuple[str, str]:
        counts = "SELECT (SELECT count(*) FROM canteens), (SELECT count(*) FROM purchases)"
        ((canteens, purchases),) = rig.postgres.query("warehouse", counts)
        return canteens, purchases

    first = rig.server.must("python manage.py export_datasets")
    before = told()
    assert first == f"Exported: canteens {before[0]}, purchases {before[1]}"
    assert int(before[1]) >= 600
    rig.postgres.query("warehouse", "CREATE VIEW dear AS SELECT * FROM purchases")
    rig.shell.must('from django.core.management import call_command; call_command("seed", 1)')
    failed = rig.server.run("python manage.py export_datasets")
    assert failed.returncode == 1
    assert "view dear depends on table purchases" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert told() == before
    rig.postgres.query("warehouse", "DROP VIEW dear")
    # As the document has it for tasks without a command of their own: in a bare python, on the server, in the app's folder.
    again = "from macantine.tasks import export_datasets\nprint(export_datasets.apply().get())"
    assert "Exported" in rig.server.must("python", code=again)
    assert told() == (str(int(before[0]) + 1), str(int(before[1]) + 30))
    tables = rig.postgres.query("warehouse", "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
    assert tables == [["canteens", "canteens_pkey"], ["purchases", "purchases_pkey"]]


def test_contacts_reach_brevo_in_batches_as_soon_as_it_lets_them(rig: Rig) -> None:
    before = len(rig.brevo.requests)
    rig.brevo.trouble = [(429, {"Retry-After": "2"}), (503, {})]
    active = {email for (email,) in rig.postgres.query("cantine", "SELECT email FROM data_user WHERE is_active")}
    told = rig.server.must("python manage.py update_brevo_contacts")
    assert told == f"Contacts on their way to Brevo: {len(active)}, batches: {(len(active) + 14) // 15}"
    until(lambda: active <= rig.brevo.contacts.keys(), saying=lambda: rig.clever_cloud.log)
    came = [request for request in rig.brevo.requests[before:] if request.path == "/v3/contacts/import"]
    refused = next(request for request in came if request.status == 429)
    again = next(request for request in came if request.body == refused.body and request.at > refused.at)
    assert again.at - refused.at >= 2
    assert {request.status for request in came} == {202, 429, 503}
    assert max(len(request.body["jsonBody"]) for request in came) == 15
    assert rig.brevo.contacts["chef0@example.org"]["NOMBRE_CANTINES"] >= 1


def test_who_left_is_forgotten_by_brevo(rig: Rig) -> None:
    rig.brevo.contacts["gone+1@example.org"] = {}
    columns = "username, email, password, first_name, last_name, is_active, is_in_brevo, wants_reminders, is_superuser, is_staff"
    values = "'gone', 'gone+1@example.org', '', '', '', false, true, true, false, false"
    rig.postgres.query("cantine", f"INSERT INTO data_user ({columns}, date_joined) VALUES ({values}, now())")
    assert rig.server.must("python manage.py forget_brevo_contacts") == "Contacts to be deleted at Brevo: 1"
    until(lambda: "gone+1@example.org" not in rig.brevo.contacts, saying=lambda: rig.clever_cloud.log)


def test_what_is_not_set_is_said(rig: Rig) -> None:
    assert rig.web.must("python manage.py export_datasets") == "DATA_WARE_HOUSE_HOST is not set: nothing exported"
    assert rig.web.must("python manage.py update_brevo_contacts") == "SENDINBLUE_API_KEY is not set: no contacts updated"
    done = rig.web.run("python bin/clevercloud")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "CC_PYTHON_CELERY_MODULE is not set" in done.stderr
    wrong = rig.server.run(
        "python manage.py shell -v0", code="from macantine.tasks import send_brevo_batch as s; s([1])", SENDINBLUE_API_KEY="x"
    )
    assert "Brevo says 401 to POST /contacts/import" in wrong.stderr


def test_beat_and_worker_as_in_the_document_do_what_is_due(rig: Rig) -> None:
    soon = """
from macantine.celery import app
app.conf.beat_schedule = {"soon": {"task": "macantine.tasks.delete_expired_sessions", "schedule": 1}}
"""
    (rig.web.folder / "soon.py").write_text(soon)
    queue = {"REDIS_URL": rig.broker.removesuffix("0") + "5"}
    beat = rig.web.start("celery -A soon beat --loglevel=INFO", **queue)
    worker = rig.web.start("celery -A macantine worker --loglevel=INFO", **queue)
    worker.says("Deleted the sessions that have expired")
    assert beat.stop() == 0
    assert worker.stop() == 0


STUB = """
import signal, sys
print(sys.argv[1:], flush=True)
if "beat" in sys.argv and {beat_ends}:
    open("greeting", "rb").read()  # once the worker has said its line, too
    sys.exit(3)
if {beat_ends}: open("greeting", "wb").close()
signal.pause()
"""


@pytest.mark.parametrize("beat_ends", [False, True])
def test_the_platform_stops_worker_and_beat_together(programs: Path, tmp_path: Path, *, beat_ends: bool) -> None:
    # Programs that only wait: here it is about who starts and stops them.
    site = Site(CANTINE, programs, tmp_path, CC_PYTHON_CELERY_MODULE="macantine.celery", CC_PYTHON_CELERY_USE_BEAT="true")
    try:
        (site.folder / "celery.py").write_text(STUB.format(beat_ends=beat_ends))
        os.mkfifo(site.folder / "greeting")
        both = site.start("python bin/clevercloud", PYTHONPATH=str(site.folder))
        both.says("['--app', 'macantine.celery', 'worker', '--loglevel=INFO']", ends=beat_ends)
        both.says("['--app', 'macantine.celery', 'beat', '--loglevel=INFO']", ends=beat_ends)
        children = psutil.Process(both.process.pid).children() if not beat_ends else []
        assert (both.process.wait(patience()) if beat_ends else both.stop()) == int(beat_ends)
        assert ("beat ended with status 3: stopped the rest" in both.log) == beat_ends
        assert not any(child.is_running() for child in children)
    finally:
        site.close()
