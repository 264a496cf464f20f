"""Follows the two sites' documents line by line, on umbel; what it sees becomes docs/walkthrough.md.

scripts/walkthrough --write docs/walkthrough.md     in empty virtual environments, into which everything is installed
python -m tests.examples.walkthrough PROGRAMS       in an environment that is there, as the tests do
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from PIL import Image
from tests.examples.sites import ROOT, Browser, Running, Shell, Site, hasty, stranger
from tests.servers import brevo, mail, postgres, redis
from tests.trips.project import with_patience

from umbel.testing.waiting import patience, until

LATER = re.compile(r"comes? with a later version|is not there yet")
VOLATILE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "01a21…"),
    (r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+: ", "["),
    (r"in \d+\.\d+(e-\d+)?s", "in 0.01s"),
    (r"pid \d+", "pid 4711"),
    (r"(127\.0\.0\.1|localhost):\d+", r"\1:6379"),
    (r"0\.0\.0\.0:\d+", "0.0.0.0:8000"),
    (r"ForkPoolWorker-\d+", "ForkPoolWorker-1"),
    (r"celery@[\w.-]+", "celery@server"),
    (r"/tmp/umbel-\w+-\w+/", "/srv/"),
    (r"projets/image_\w+\.jpg", "projets/image.jpg"),
)


@dataclass
class Step:
    """One line of a document: what was done, what was seen, and whether that is right."""

    line: str
    seen: str = ""
    checked: list[str] = field(default_factory=list)
    is_later: bool = False


class Walk:
    """What was done so far, in order."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, list[Step]]] = []

    def part(self, title: str) -> None:
        """Begin a part of a document."""
        self.parts.append((title, []))

    def step(self, line: str, seen: str = "", *checked: str) -> Step:
        """Note a line of the document that was followed."""
        made = Step(line, _calm(seen), list(checked), bool(LATER.search(seen)))
        self.parts[-1][1].append(made)
        return made

    def lines(self) -> list[str]:
        """All lines that were followed."""
        return [step.line for _, steps in self.parts for step in steps]

    def page(self) -> str:
        """All of it in Markdown."""
        told = [HEAD]
        for title, steps in self.parts:
            told.append(f"\n## {title}\n")
            for step in steps:
                shell = "python" if step.line.startswith("from ") else "console"
                told.append(f"```{shell}\n{step.line}\n```\n")
                if step.is_later:
                    told.append("Comes with a later version: until then it says so in a line.\n")
                elif step.seen:
                    told.append(f"```text\n{step.seen}\n```\n")
                told += [f"* {each}" for each in step.checked]
                told.append("")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(told)).rstrip() + "\n"


HEAD = """# Two sites, line by line

What the guides of two Django sites tell their developers to do, done with umbel in Celery's place: every line as it is written,
in virtual environments that were empty before, with a Redis, a PostgreSQL, a mail server and a stand-in for Brevo.
`scripts/walkthrough` does it and writes this page; a test does it again. Below each line is what was seen, shortened, and what
was checked. The sites are [cantine](../examples/cantine/README.md) and [egoejo](../examples/egoejo/README.md)."""


LATE = """
from datetime import timedelta
from data.models import User
from django.utils import timezone
from macantine.tasks import remind_users_without_canteen
User.objects.create_user("late", "late@example.org", date_joined=timezone.now() - timedelta(days=8))
remind_users_without_canteen.delay()
"""
"""Somebody who is due to be reminded."""


def _calm(text: str) -> str:
    """Without what is different each time."""
    for pattern, instead in VOLATILE:
        text = re.sub(pattern, instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _lines(text: str, *words: str) -> str:
    """The first line with each of these words."""
    found = (next((line for line in text.splitlines() if word in line), "") for word in words)
    return "\n".join(line for line in found if line)


def walk(programs: Callable[[str], Path]) -> Walk:
    """Follow both documents; `programs` gives the folder of programs of an environment for a site."""
    made = Walk()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        broker = stack.enter_context(redis.running(Path(folder) / "redis"))
        database = stack.enter_context(postgres.running())
        post = stack.enter_context(mail.running())
        contacts = stack.enter_context(brevo.running())
        logs = Path(folder) / "logs"
        logs.mkdir()
        _cantine(made, stack, programs("cantine"), logs, broker, database, post, contacts)
        broker.ask("FLUSHALL")
        _egoejo(made, stack, programs("egoejo"), logs, broker, post)
    return made


# -- the first document ---------------------------------------------------------------------------------------------


def _cantine(
    walk: Walk,
    stack: contextlib.ExitStack,
    programs: Path,
    logs: Path,
    broker: redis.RedisServer,
    database: postgres.PostgresServer,
    post: mail.MailServer,
    contacts: brevo.Brevo,
) -> None:
    both = {
        "SECRET_KEY": "for-tests",
        "DATABASE_URL": database.create("cantine"),
        "REDIS_URL": f"redis://127.0.0.1:{broker.port}/0",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(post.port),
    }
    database.create("warehouse")
    web = Site(ROOT / "examples" / "cantine", programs, logs, anew=True, **both)
    stack.callback(web.close)
    web.must("python manage.py migrate -v0")
    web.must("python manage.py seed 5")

    walk.part("Canteens: on one machine")
    beat = web.start("celery -A macantine beat --loglevel=INFO")
    beat.says("beat: Starting...")
    walk.step("celery -A macantine beat --loglevel=INFO", _lines(beat.log, "beat: Starting"))
    worker = web.start("celery -A macantine worker --loglevel=INFO")
    worker.says("ready.")
    walk.step(
        "celery -A macantine worker --loglevel=INFO",
        _lines(worker.log, "Connected to", "ready."),
        "the tasks of `macantine.tasks` are listed",
    )
    assert "macantine.tasks.export_datasets" in worker.log
    assert [worker.stop(), beat.stop()] == [0, 0]

    walk.part("Canteens: worker and beat on another server")
    server = Site(ROOT / "examples" / "cantine", programs, logs, user=stranger(programs), anew=True)
    stack.callback(server.close)
    of_celery = {
        "CC_PYTHON_CELERY_USE_BEAT": "true",
        "CC_PYTHON_CELERY_MODULE": "macantine.celery",
        "CELERY_TIMEZONE": "'Europe/Paris'",
        "DATA_WARE_HOUSE_USER": " tests",
        "DATA_WARE_HOUSE_PASSWORD": " secret",
        "DATA_WARE_HOUSE_HOST": "127.0.0.1",
        "DATA_WARE_HOUSE_PORT": f" {database.port}",
        "DATA_WARE_HOUSE_DB": " warehouse",
        "SENDINBLUE_API_KEY": f" {brevo.KEY}",
    }
    here = {"BREVO_URL": contacts.url, "BREVO_BATCH": "5"}
    (server.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in {**both, **of_celery, **here}.items()))
    platform = server.start("python bin/clevercloud")
    platform.says("ready.", "beat: Starting")
    shown = {**of_celery, "DATA_WARE_HOUSE_PORT": " 5432", "SENDINBLUE_API_KEY": " xkeysib-…"}
    walk.step(
        "\n".join(f"{name}={value}" for name, value in shown.items()),
        _lines(platform.log, "beat: Starting", "ready."),
        "in another folder, as another user, with the web server's variables and these in `.env`",
        "worker and beat are started from these variables, as the platform does",
    )

    walk.part("Canteens: a task by hand")
    walk.step("cd app_XXXX", "", "the folder of the app on that server; its gateway is the platform's")
    told = server.must("python manage.py export_datasets")
    ((rows,),) = database.query("warehouse", "SELECT count(*) FROM canteens")
    assert told.startswith(f"Exported: canteens {rows}")
    walk.step("python manage.py export_datasets", told, "the warehouse has as many rows")
    told = server.must("python manage.py update_brevo_contacts")
    people = {email for (email,) in database.query("cantine", "SELECT email FROM data_user WHERE is_active")}
    until(lambda: people <= contacts.contacts.keys(), saying=lambda: platform.log)
    walk.step("python manage.py update_brevo_contacts", told, "all active users are contacts at Brevo; each request was checked")
    code = "from macantine.tasks import export_datasets\nexport_datasets.apply()"
    told = server.must("python", code=f"{code}\nprint(export_datasets.apply().get())\n{LATE}").splitlines()[-1]
    assert told.startswith("Exported")
    until(lambda: post.to("late@example.org"), saying=lambda: platform.log)
    walk.step(code, told, "in a bare `python`, in the folder of the app", "a reminder that was asked for there came by mail")
    assert platform.stop() == 0


# -- the second document --------------------------------------------------------------------------------------------


def _egoejo(
    walk: Walk, stack: contextlib.ExitStack, programs: Path, logs: Path, broker: redis.RedisServer, post: mail.MailServer
) -> None:
    port = redis.free_port()
    url = f"redis://localhost:{broker.port}/0"
    env = {
        "SECRET_KEY": "for-tests",
        "REDIS_URL": url,
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(post.port),
        "PORT": str(port),
    }
    site = Site(ROOT / "examples" / "egoejo", programs, logs, anew=True, FLOWER_UNAUTHENTICATED_API="true", **env)
    stack.callback(site.close)

    def backend(command: str, **more: str) -> str:
        return site.must(command, below="backend", **more)

    walk.part("EGOEJO: installed")
    version = backend('python -c \'import celery, importlib.metadata as m; print("celery", m.version("celery"))\'')
    flower = backend('python -c \'import importlib.metadata as m; print("flower", m.version("flower"))\'')
    walk.step("cd backend\npip install celery flower", f"{version}\n{flower}", "`celery` is umbel's distribution")
    walk.step(
        "REDIS_URL=redis://localhost:6379/0", "", "of a private server; Channels has its database 0, the cache 1, the queue 2"
    )
    for name in ("config/celery.py", "config/__init__.py", "core/tasks.py", "core/__init__.py"):
        assert (site.folder / "backend" / name).exists()
    walk.step(
        "backend/config/celery.py backend/config/__init__.py backend/core/tasks.py backend/core/__init__.py", "", "are there"
    )

    walk.part("EGOEJO: on one machine")
    backend("python manage.py migrate -v0")
    quick = hasty(site.folder / "backend", "config.settings")
    web = site.start(f"python manage.py runserver --noreload {port}", below="backend", **quick)
    web.says("Quit the server")
    walk.step("python manage.py runserver", "", "answers")
    worker = site.start("celery -A config worker --loglevel=info", below="backend")
    worker.says("ready.")
    walk.step(
        "celery -A config worker --loglevel=info",
        _lines(worker.log, "Connected to", "ready."),
        "the tasks of `core.tasks` are listed",
    )
    shell = site.shell("python manage.py shell -v0", below="backend")
    look = _flower(walk, stack, site, worker)
    walk.step("Service 1 : Django + Daphne\nService 2 : Celery Worker", "", "these two are services of their own already")

    walk.part("EGOEJO: its tasks")
    _tasks(walk, site, shell, worker, post, f"http://127.0.0.1:{port}")
    if look is not None:
        tasks = until(lambda: json.loads(look("/api/tasks?limit=100")), saying=lambda: worker.log)
        assert any(str(task["name"]).startswith("core.tasks.") for task in tasks.values())
        walk.step(
            "celery -A config flower", "", "tasks that run, have ended and have failed are listed there, with what workers count"
        )

    walk.part("EGOEJO: its tests")
    call = "send_email_task('test@example.com', 'Test', '<p>Test</p>')"
    code = f"from core.tasks import send_email_task\nresult = {call}\nprint(result)"
    walk.step(code, shell.must(code), "in `python manage.py shell`; it ran there")
    told = backend("python -m pytest -q -k test_register_sends_email")
    walk.step(
        "@patch('core.tasks.send_email_task.delay')",
        re.sub(r" in \d.*", "", told.splitlines()[-1]),
        "as a test of the site has it",
    )

    walk.part("EGOEJO: when something hangs")
    told = _shell(site, "redis-cli ping", port=broker.port)
    assert told == "PONG"
    walk.step("redis-cli ping", told)
    assert _shell(site, "echo $REDIS_URL") == url
    walk.step("echo $REDIS_URL", "redis://localhost:6379/0")
    asked = site.run("celery -A config inspect active", below="backend")
    walk.step("celery -A config inspect active", asked.stdout + asked.stderr, "the worker says what it is running")
    assert worker.stop() == 0
    shell.must("from core.tasks import send_welcome_email as w\nfor n in range(3): w.delay(n)")
    told = site.answer("celery -A config purge", "y\n", below="backend")
    assert re.search(r"\b3 messages", told), told
    walk.step(
        "celery -A config purge", _lines(told, "3 messages"), "of three tasks that waited; cache and Channels have lost nothing"
    )
    assert web.stop() is not None

    walk.part("EGOEJO: on a platform with one start command")
    start = json.loads((site.folder / "backend" / "railway.json").read_text())["deploy"]["startCommand"]
    railway = site.start(f"sh -c '{start}'", below="backend", **quick)
    stack.callback(lambda: [with_patience(pid) for pid in _workers(site)])
    railway.says("runs in the background", "Listening on TCP address")
    browser = Browser(f"http://127.0.0.1:{port}")
    _register(browser, "railway@example.org")
    until(lambda: post.to("railway@example.org"))
    walk.step(start, _lines(railway.log, "runs in the background", "Listening on TCP"), "who registers gets a mail")


def _flower(walk: Walk, stack: contextlib.ExitStack, site: Site, worker: Running) -> Callable[[str], str] | None:
    """Flower, which asks the worker and listens to what it tells; gives what reads its pages, if workers answer it."""
    port = redis.free_port()
    flower = site.start(f"celery -A config flower --port={port}", below="backend")
    stack.callback(flower.stop)
    flower.says("Visit me at")

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=patience()) as answer:
            content: bytes = answer.read()
        return content.decode()

    assert "Flower" in get("/workers")
    asked = site.run("celery -A config inspect active", below="backend")
    asks = not LATER.search(asked.stdout + asked.stderr)
    step = walk.step("celery -A config flower", "", "http://localhost:5555 answers")
    if asks:
        until(lambda: len(json.loads(get("/api/workers?refresh=1"))) == 1, saying=lambda: flower.log)
        # What runs before it hears workers, and they have heard that somebody listens, it never learns of.
        until(lambda: list(json.loads(get("/api/workers?status=1")).values()) == [True], saying=lambda: flower.log)
        worker.says("Events of tasks are sent")
        step.checked.append("it shows the worker, and asks it what it does")
    else:
        step.checked.append("what it asks of workers comes with a later version")
        flower.stop()  # it would ask all the time
        return None
    return get


def _tasks(walk: Walk, site: Site, shell: Shell, worker: Running, post: mail.MailServer, address: str) -> None:
    """The document's calls, and the pages from which they are made."""
    words = ["to_email='user@example.com'", "subject='Bienvenue'", "html_content='<h1>Bienvenue !</h1>'"]
    mails = _call("send_email_task", *words)
    impact = "from core.tasks import update_impact_dashboard_metrics\nupdate_impact_dashboard_metrics.delay(user_id=123)"
    image = _call("process_image_task", "image_path='projets/image.jpg'", "max_width=1920", "max_height=1080", "quality=85")
    welcome = "from core.tasks import send_welcome_email\nsend_welcome_email.delay(user_id=123)"
    place = site.folder / "backend" / "media" / "projets"
    place.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4000, 3000), "teal").save(place / "image.jpg")
    someone = (
        "from django.contrib.auth.models import User\nUser.objects.create(pk=123, username='dana', email='dana@example.org')\n"
    )
    shell.must(f"{someone}{mails}\n{impact}\n{image}\n{welcome}")
    until(lambda: post.to("user@example.com") and post.to("dana@example.org"), saying=lambda: worker.log)
    worker.says("Processed projets/image.jpg: 1440 × 1080", "Counted the impact of user 123")
    walk.step(mails, _lines(worker.log, "Sent the mail 'Bienvenue' to user@example.com"), "the mail came, as HTML and as text")
    walk.step(
        impact, _lines(worker.log, "Counted the impact of user 123"), "counted from the user's rows, and shown on the dashboard"
    )
    walk.step(
        image, _lines(worker.log, "Processed projets/image.jpg"), "a picture of 4000 × 3000 lies there as one of 1440 × 1080"
    )
    with Image.open(place / "image.jpg") as small:
        assert small.size == (1440, 1080)
    walk.step(welcome, _lines(worker.log, "to dana@example.org"), "the mail came")
    browser = Browser(address)
    post.refusals = 1
    _register(browser, "ada@example.org")
    until(lambda: post.to("ada@example.org"), saying=lambda: worker.log)
    worker.says("Sent the mail 'Bienvenue chez EGOEJO' to ada@")
    assert len(post.to("ada@example.org")) == 1
    walk.step(
        "class RegisterView(APIView)",
        _lines(worker.log, "ada@example.org could not be sent", "Sent the mail 'Bienvenue chez EGOEJO' to ada@"),
        "a person registers by HTTP, and gets one mail though the mail server refused it at first: logged, and tried again",
    )
    out = io.BytesIO()
    Image.new("RGB", (3000, 1500), "navy").save(out, "JPEG")
    head = b'--cut\r\nContent-Disposition: form-data; name="image"; filename="mer.jpg"\r\n\r\n'
    kind = "multipart/form-data; boundary=cut"
    answer = browser.call("/api/images/", head + out.getvalue() + b"\r\n--cut--\r\n", kind)
    until(lambda: "1920 × 960" in browser.get("/photos/"), saying=lambda: worker.log)
    walk.step(
        "def upload_image(request)", json.dumps(answer), "the picture is shown on the person's page, made smaller by the worker"
    )


def _call(task: str, *words: str) -> str:
    """A call as the document has it, with a line for each word."""
    return f"from core.tasks import {task}\n{task}.delay(\n    " + ",\n    ".join(words) + "\n)"


def _register(browser: Browser, email: str) -> None:
    fields = json.dumps({"email": email, "password": "sept-lieues"}).encode()
    assert browser.call("/api/auth/register/", fields) == {"success": True}


def _shell(site: Site, line: str, *, port: int = 0) -> str:
    """What a line says to a shell; the program's default port is the private server's."""
    env = {**site._env, "PORT": str(port)}
    line = line.replace("redis-cli", f"redis-cli -p {port}") if port else line
    return subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=True).stdout.strip()


def _workers(site: Site) -> Iterator[int]:
    """The processes of the detached worker: those in the site's folder that nobody waits for."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(site.folder / "backend") and "worker" in process.cmdline():
                yield process.pid


# -- as a program ---------------------------------------------------------------------------------------------------


def empty_environments(folder: Path) -> Callable[[str], Path]:
    """Makes a virtual environment for each site, and installs there what its document and its requirements say."""
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels)]
    subprocess.run([*build, str(ROOT), str(ROOT / "packages" / "celery")], check=True)

    def programs(site: str) -> Path:
        place = folder / site
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        source = ROOT / "examples" / site
        wanted = next(path for path in (source / "requirements.txt", source / "backend" / "requirements.txt") if path.exists())
        pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        env = {**os.environ, "PIP_FIND_LINKS": f"{wheels} {os.environ.get('PIP_FIND_LINKS', '')}"}
        subprocess.run([*pip, "celery", "flower"], env=env, check=True)
        subprocess.run([*pip, "-r", str(wanted)], env=env, check=True)
        place.chmod(0o755)
        return place / "bin"

    return programs


def main() -> None:
    parser = argparse.ArgumentParser(description="Follows the documents of both sites, line by line.")
    parser.add_argument("programs", type=Path, nargs="?", help="programs of an environment that is there; else new ones are made")
    parser.add_argument("--write", type=Path, help="write the page there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="umbel-walk-") as folder:
        Path(folder).chmod(0o755)
        there = given.programs and given.programs.absolute()
        made = walk((lambda _: there) if there else empty_environments(Path(folder)))
    if given.write:
        given.write.write_text(made.page())
    else:
        print(made.page())


if __name__ == "__main__":
    main()
