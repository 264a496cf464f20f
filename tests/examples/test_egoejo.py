"""The site of projects, as its document runs it: Railway's command for web and worker, systemd's units, the Procfile.

Real requests, a Redis of its own with three databases in use, and a mail server. Each test has what it does done by the
same worker, so none may count on there being nothing else.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image
from tests.examples.sites import KINDS, ROOT, Browser, Running, Shell, Site, environment, hasty
from tests.servers import mail, redis
from tests.trips.project import with_patience

from umbel.testing.waiting import patience, until

EGOEJO = ROOT / "examples" / "egoejo"
RAILWAY = json.loads((EGOEJO / "backend" / "railway.json").read_text())["deploy"]["startCommand"]


@dataclass
class Rig:
    """All that runs."""

    programs: Path
    site: Site
    railway: Running
    address: str
    redis: redis.RedisServer
    mail: mail.MailServer
    shell: Shell

    def visitor(self, email: str) -> Browser:
        """Somebody who has registered just now."""
        browser = Browser(self.address)
        fields = json.dumps({"email": email, "password": "sept-lieues"}).encode()
        assert browser.call("/api/auth/register/", fields) == {"success": True}
        return browser

    def workers(self) -> list[int]:
        """The processes of the detached worker: those in our folder that nobody waits for."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.site.folder / "backend") and "worker" in process.cmdline():
                    found.append(process.pid)
        return found


@pytest.fixture(scope="module", params=KINDS)
def programs(request: pytest.FixtureRequest) -> Path:
    return environment(request.param)


@pytest.fixture(scope="module")
def rig(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(redis.running(tmp_path_factory.mktemp("redis")))
        post = stack.enter_context(mail.running())
        env = {
            "SECRET_KEY": "for-tests",
            "REDIS_URL": f"redis://127.0.0.1:{broker.port}/0",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(post.port),
        }
        port = redis.free_port()
        site = Site(EGOEJO, programs, tmp_path_factory.mktemp("logs"), PORT=str(port), **env)
        stack.callback(site.close)
        quick = hasty(site.folder / "backend", "config.settings")
        railway = site.start(f"sh -c '{RAILWAY}'", below="backend", **quick)
        shell = site.shell("python manage.py shell -v0", below="backend")
        rig = Rig(programs, site, railway, f"http://127.0.0.1:{port}", broker, post, shell)
        stack.callback(lambda: [with_patience(pid) for pid in rig.workers()])
        railway.says("Listening on TCP address")
        yield rig


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def bomb() -> bytes:
    """A black PNG of 20,000 × 20,000, written by hand: Pillow would take two seconds of a processor."""
    black = zlib.compress(bytes(20_000 * (1 + 20_000 // 8)), 1)
    parts = (b"IHDR", struct.pack(">2I5B", 20_000, 20_000, 1, 0, 0, 0, 0)), (b"IDAT", black), (b"IEND", b"")
    chunks = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def upload(browser: Browser, name: str, data: bytes) -> str:
    head = f'--cut\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    answer = browser.call("/api/images/", head.encode() + data + b"\r\n--cut--\r\n", "multipart/form-data; boundary=cut")
    assert answer["success"]
    return str(answer["image_path"])


def test_its_own_tests_pass(rig: Rig, tmp_path: Path) -> None:
    site = Site(EGOEJO, rig.programs, tmp_path)
    try:
        site.must("python -m pytest -q -W error::RuntimeWarning", below="backend")
    finally:
        site.close()
    check = 'from django.core.management import call_command; call_command("makemigrations", "--check")'
    assert "No changes detected" in rig.shell.must(check)


def test_who_registers_gets_one_mail_though_the_first_were_refused(rig: Rig) -> None:
    rig.mail.refusals = 2
    rig.visitor("ada@example.org")
    until(lambda: rig.mail.to("ada@example.org"))
    (letter,) = rig.mail.to("ada@example.org")
    assert letter["Subject"] == "Bienvenue chez EGOEJO"
    assert re.fullmatch(r"<[0-9a-f-]{36}@egoejo>", letter["Message-ID"])
    assert rig.mail.refusals == 0


def test_pictures_are_made_fit_and_bad_ones_do_no_harm(rig: Rig) -> None:
    bob = rig.visitor("bob@example.org")
    exif = Image.Exif()
    exif[0x0112] = 6
    good = upload(bob, "good.jpg", encoded(Image.new("RGB", (3000, 1500), "teal"), exif=exif))
    upload(bob, "broken.jpg", encoded(Image.effect_noise((300, 300), 50))[:2000])
    upload(bob, "bomb.png", bomb())
    clear = upload(bob, "clear.png", encoded(Image.new("RGBA", (20, 20)), "PNG"))
    page = until(lambda: (text := bob.get("/photos/")).count("en traitement") == 0 and text)
    assert page.count("Illisible, ou trop grande.") == 2
    assert "540 × 1080" in page
    for path, mode, size in ((good, "RGB", (540, 1080)), (clear, "RGBA", (20, 20))):
        with Image.open(rig.site.folder / "backend" / "media" / path) as image:
            assert (image.mode, image.size) == (mode, size)
    assert until(lambda: bob.get_json("/api/impact/")["photos"] == 2)


def test_an_impact_is_counted_from_rows(rig: Rig) -> None:
    rig.site.must("python manage.py seed", below="backend")
    eve = rig.visitor("eve@example.org")
    projet = re.search(r'<option value="(\d+)">', eve.get("/impact/"))
    assert projet
    for euros, hours in ((10, 2), (2.5, 0)):
        eve.call("/api/contributions/", json.dumps({"projet": int(projet[1]), "euros": euros, "hours": hours}).encode())
    expected = {"projets": 1, "euros": 12.5, "hours": 2.0, "photos": 0}
    until(lambda: eve.get_json("/api/impact/") == expected)
    assert '<b id="euros">12,50</b>' in eve.get("/impact/")


def test_queue_cache_and_channels_have_a_database_each(rig: Rig) -> None:
    dan = rig.visitor("dan@example.org")
    code = """
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from core.tasks import update_impact_dashboard_metrics as update
from django.contrib.auth.models import User
user = User.objects.get(email="dan@example.org")
async def watch():
    layer = get_channel_layer()
    await layer.group_add(f"impact.{user.pk}", "here")
    await __import__("asyncio").to_thread(update.delay, user.pk)
    return await layer.receive("here")
print(async_to_sync(watch)()["metrics"])
"""
    told = rig.shell.must(code)
    assert told == "{'projets': 0, 'euros': 0.0, 'hours': 0.0, 'photos': 0}"

    def used() -> set[bytes]:
        return set(re.findall(rb"db(\d+):", rig.redis.ask("INFO", "keyspace")))

    until(lambda: dan.get("/") and used() >= {b"0", b"1", b"2"}, saying=used)


def test_tasks_are_called_as_in_the_document(rig: Rig) -> None:
    code = """
from core.tasks import send_email_task
result = send_email_task('test@example.com', 'Test', '<p>Test</p>')
print(result)
from core.tasks import process_image_task, send_welcome_email, update_impact_dashboard_metrics
a = send_email_task.delay(to_email='user@example.com', subject='Bienvenue', html_content='<h1>Bienvenue !</h1>')
b = update_impact_dashboard_metrics.delay(user_id=123)
c = process_image_task.delay(image_path='projets/image.gone.jpg', max_width=1920, max_height=1080, quality=85)
d = send_welcome_email.delay(user_id=123)
"""
    code += f"print([task.get(timeout={patience()})['success'] for task in (a, b, c, d)])"
    told = rig.shell.must(code).splitlines()
    assert told == ["{'success': True, 'to_email': 'test@example.com'}", "[True, False, False, False]"]
    assert rig.mail.to("user@example.com")[0].get_body(("html",)).get_content().strip() == "<h1>Bienvenue !</h1>"


def test_a_purge_empties_the_queue_and_nothing_else(rig: Rig) -> None:
    queue = {"CELERY_BROKER_URL": f"redis://127.0.0.1:{rig.redis.port}/5"}
    code = "from core.tasks import send_welcome_email as welcome\nfor user_id in range(3): welcome.delay(user_id)"
    rig.site.must("python manage.py shell -v0", code=code, below="backend", **queue)
    first, second = (rig.site.answer("celery -A config purge", "y\n", below="backend", **queue) for _ in range(2))
    assert re.search(r"\b3 (messages|tasks)", first)
    assert re.search(r"No messages purged|nothing was waiting", second)
    assert b"db2:" in rig.redis.ask("INFO", "keyspace")


def test_a_worker_tells_what_it_does(rig: Rig) -> None:
    def told() -> str:
        done = rig.site.run("celery -A config inspect active", below="backend")
        return done.stdout + done.stderr

    until(lambda: "- empty -" in told(), saying=told)  # a detached worker of Celery's says nowhere that it is ready


def test_the_units_and_the_procfile_start_what_they_name(rig: Rig) -> None:
    commands = {}
    for name in ("web", "worker", "beat"):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read(EGOEJO / "systemd" / f"egoejo-{name}.service")
        service = unit["Service"]
        assert service["WorkingDirectory"] == "/srv/egoejo/backend"
        commands[name] = service["ExecStart"].replace("/srv/egoejo/venv/bin/", "")
    procfile = dict(line.split(": ", 1) for line in (EGOEJO / "backend" / "Procfile").read_text().splitlines())
    assert procfile["worker"] == commands["worker"]
    assert f"{procfile['release']} && {procfile['worker']} --detach && {procfile['web']}" == RAILWAY
    here = {"PORT": str(redis.free_port()), "CELERY_BROKER_URL": f"redis://127.0.0.1:{rig.redis.port}/6"}
    here["STATE_DIRECTORY"] = str(rig.site.top)
    started = [rig.site.start(f'sh -c "exec {command}"', below="backend", **here) for command in commands.values()]
    for running, words in zip(started, ("Listening on TCP", "ready.", "beat: Starting"), strict=True):
        running.says(words)
    assert [running.stop() for running in started[1:]] == [0, 0]
