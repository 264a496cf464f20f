"""The command `celery` of the face: Celery's commands, options, exit codes and words."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from tests.programs.nursery import nursery

from umbel.testing.waiting import patience, until

APP = """
import click
from celery import Celery, signals

app = Celery("shop", broker="sqlite:///shop.db")

@app.task(name="shop.add")
def add(x, y):
    print("adding")
    return x + y

@app.task(name="shop.fail")
def fail():
    raise ValueError("no")
"""


class Told(NamedTuple):
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


class Shop:
    """A folder with an app, and the program `celery` of an environment there."""

    def __init__(self, python: Path, folder: Path):
        self.folder = folder
        self._python = python
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CELERY", "UMBEL", "APP"))}
        self.env = {**kept, "C_FORCE_ROOT": "1", "COLUMNS": "200"}
        self.write("shop.py", APP)

    def write(self, name: str, text: str) -> None:
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def command(self, *arguments: str) -> list[str]:
        return [str(self._python.with_name("celery")), *arguments]

    def celery(self, *arguments: str, stdin: str = "", **env: str) -> Told:
        done = nursery(self._python).run(self.command(*arguments), cwd=self.folder, env={**self.env, **env}, input=stdin)
        return Told(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def worker(
        self, *arguments: str, app: str = "shop", concurrency: int | None = 1, **env: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A worker that is ready; its log is in `log`."""
        with (self.folder / "worker.log").open("wb") as log:
            size = ("-c", str(concurrency)) if concurrency else ()
            command = self.command("-A", app, "worker", "-l", "INFO", *size, *arguments)
            process = subprocess.Popen(command, cwd=self.folder, env={**self.env, **env}, stdout=log, stderr=log)
        try:
            self.until(lambda: " ready." in self.log)
            yield process
        finally:
            process.terminate()
            process.wait(patience())

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def until(self, fact: Callable[[], object]) -> None:
        until(fact, saying=lambda: self.log)


@pytest.fixture
def shop(face: Path, tmp_path: Path) -> Shop:
    return Shop(face, tmp_path)


@pytest.mark.parametrize("words", ["report", "call shop.add", "inspect --list", "--help"])
def test_commands_work_without_streams(shop: Shop, words: str) -> None:
    command = " ".join(["exec", *shop.command("-A", "shop", *words.split()), ">&- 2>err.txt"])
    done = subprocess.run(["sh", "-c", command], cwd=shop.folder, env=shop.env, timeout=patience(), check=False)
    assert (done.returncode, (shop.folder / "err.txt").read_text()) == (0, "")


# -- without a worker -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("--version", 0, "5.7.0+umbel."),
        ("", 0, "Usage: celery [OPTIONS]"),
        ("--help", 0, "worker   Run tasks until told to stop."),
        ("worker --help", 0, "--max-tasks-per-child"),
        ("nothing", 2, "celery: no such command 'nothing'"),
        ("wroker", 2, "Did you mean 'worker'?"),
        ("-A nowhere worker", 2, "there is no module 'nowhere' here"),
        ("-A shop:nothing report", 2, "'shop' has no 'nothing'; it has the app 'app'"),
        ("-A broken report", 2, "importing broken failed: ValueError: at import"),
        ("-A shop worker --nope", 2, "no such option '--nope'"),
        ("-A shop worker -P fibers", 2, "'fibers' is not one of"),
        ("-A shop worker -P custom", 1, "use -P prefork"),
        ("-A shop worker -l loud", 2, "'loud' is no log level"),
        ("-A shop worker --autoscale many", 2, "'many' is not of the form 10,3"),
        ("-A shop call shop.add -a [2", 2, "write it as '[2, 3]'"),
        ("-A shop purge", 1, "nothing is deleted"),
        ("-A shop purge", 1, "[y/N]: \n"),
        ("-A shop purge -f", 0, "No messages purged from 1 queue."),
        ("-A shop worker some", 2, "a setting on the command line is written name=value"),
        ("-A shop worker worker.nope=3", 2, "there is no setting 'worker_nope'"),
        ("-A shop worker worker.concurrency=(float32)3", 2, "there is no type 'float32'; there are any, bool,"),
        ("-b redis://localhost:1/0 -A shop call shop.add", 1, "celery: redis://localhost:1/0 cannot be reached"),
        ("--app= report", 2, "Unable to load celery application: app '' is no module name"),
        ("-A shop list bindings", 0, "celery                       celery                       celery"),
        ("-A shop report", 0, "software -> celery:5.7.0+umbel."),
        ("-A shop --loader celery.loaders.default:Loader report", 0, "loader   -> celery.loaders.default.Loader"),
        ("-A shop --loader no.such:Loader report", 1, "the loader of the app, 'no.such:Loader', cannot be imported"),
        ("-A shop shell --bpython", 1, "bpython is not installed here"),
        ("-A shop dead list", 0, ""),
        ("-A shop inspect ping -d celery@box --timeout 3", 69, "No nodes replied within time constraint"),
        ("-A shop inspect ping celery@box", 69, "'celery@box' is ignored: ping takes nothing of that kind"),
        ("-A shop inspect active some", 69, "'some' is ignored: active takes nothing of that kind"),
        ("-A shop control shutdown now", 69, "'now' is ignored: shutdown takes nothing of that kind"),
        ("-A shop control rate_limit shop.add 10/m more", 2, "'more' is too much"),
        ("-A shop control shutdown", 69, "No nodes replied"),
        ("-A shop status", 69, "No nodes replied"),
        ("-A shop inspect nope", 2, "command nope not recognized. Available inspect commands: active, active_queues,"),
        ("-A shop inspect --list", 0, "query_task [id1 [id2 [... [idN]]]]"),
        ("-A shop control pool_grow x", 2, "n is 'x'"),
        ("-A shop events", 2, "there is no terminal to draw on; use --dump for lines, --json for programs"),
        ("-A shop events --camera x.Camera", 69, "--camera 'x.Camera' cannot be imported: No module named 'x'"),
        ("-A shop events --camera shop.Camera -r often", 2, "--maxrate 'often' is no rate such as 10/m"),
        ("-A shop events --dump --pidfile x", 1, "--pidfile is for cameras"),
        ("amqp queue.purge celery", 1, "instead of queue.purge: celery purge -Q NAME"),
        ("-A shop graph workers", 69, "no worker has answered"),
        ("graph workers nodes:a,b threads:2", 0, '"a 1" -> "a"'),
        ("logtool stats x.log", 1, "x.log: No such file"),
        ("migrate redis:// amqp://", 1, "umbel has no broker for amqp://"),
        ("upgrade settings x.py", 1, "x.py: No such file"),
    ],
)
def test_a_command_line_ends_as_it_should_and_says_why(shop: Shop, arguments: str, code: int, words: str) -> None:
    shop.write("broken.py", "raise ValueError('at import')\n")
    told = shop.celery(*arguments.split())
    assert (told.code, words in told.out + told.err) == (code, True), told
    assert "unexpected" not in told.err
    assert ("Traceback" in told.err) == ("-A broken" in arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "nothing",
        "-A nowhere worker",
        "-A shop:nothing report",
        "-A broken report",
        "-A shop worker --nope",
        "-A shop worker -c some",
        "-A shop call shop.add -a [2",
        "-A shop report",
        "multi names 2",
    ],
)
def test_exit_codes_are_celerys(shop: Shop, real: Path, arguments: str) -> None:
    shop.write("shop.py", APP.replace("sqlite:///shop.db", "memory://"))
    shop.write("broken.py", "raise ValueError('at import')\n")
    theirs = nursery(real).run([real.with_name("celery"), *arguments.split()], cwd=shop.folder, env=shop.env)
    assert shop.celery(*arguments.split()).code == theirs.returncode


@pytest.mark.parametrize("name", ["pkg", "pkg.celery", "pkg.celery:app"])
def test_a_package_with_an_empty_face_is_the_app_in_its_module_celery(shop: Shop, name: str) -> None:
    shop.write("pkg/__init__.py", "")
    shop.write("pkg/celery.py", "from celery import Celery\napp = Celery('in the package', broker='memory://')\n")
    told = shop.celery("-A", name, "shell", "--python", "-T", stdin="print(app.main, celery is app, group.__name__)\n")
    assert "in the package True group" in told.out, told


def test_options_may_stand_behind_the_command_and_come_from_the_environment(shop: Shop) -> None:
    assert shop.celery("call", "shop.add", "-A", "shop").code == 0
    assert shop.celery("call", "shop.add", "-a", "[1, 2]", CELERY_APP="shop").code == 0
    told = shop.celery("purge", "-f", "--app=shop", "--quiet")
    assert told.out == "Purged 2 messages from 1 known task queue.\n"


def test_the_module_is_the_program_too(shop: Shop, face: Path) -> None:
    done = subprocess.run([face, "-m", "celery", "--version"], cwd=shop.folder, env=shop.env, capture_output=True, check=True)
    assert done.stdout.startswith(b"5.7.0+umbel.")


def test_without_an_app_the_settings_are_those_of_celeryconfig(shop: Shop) -> None:
    shop.write("celeryconfig.py", "broker_url = 'memory://'\nworker_concurrency = 3\n")
    assert "worker_concurrency: 3" in shop.celery("report").out
    shop.write("others.py", "broker_url = 'memory://'\nworker_concurrency = 5\n")
    assert "worker_concurrency: 5" in shop.celery("--config", "others", "report").out


PLUGIN = """
import click
from celery.bin.base import CeleryCommand, CeleryOption, CLIContext
from celery.bin.celery import celery, main

@click.command(cls=CeleryCommand, context_settings={"ignore_unknown_options": True})
@click.option("--port", cls=CeleryOption, help_group="Flowers", type=int, default=5555)
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def bloom(ctx, port, rest):
    '''Show flowers.'''
    assert isinstance(ctx.obj, CLIContext)
    known = [name for each in ctx.parent.command.params for name in each.opts]
    print(ctx.obj.app.main, port, rest, ctx.obj.quiet, "--broker" in known)
"""


def test_installed_packages_bring_commands(shop: Shop) -> None:
    shop.write("blooming.py", PLUGIN)
    shop.write("blooming-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: blooming\nVersion: 1.0\n")
    shop.write("blooming-1.0.dist-info/entry_points.txt", "[celery.commands]\nbloom = blooming:bloom\n")
    place = {"PYTHONPATH": str(shop.folder)}
    assert (
        shop.celery("-A", "shop", "bloom", "--port=6", "--logging=info", **place).out == "shop 6 ('--logging=info',) False True\n"
    )
    assert "bloom    Show flowers." in shop.celery("--help", **place).out
    assert "Flowers:\n  --port" in shop.celery("bloom", "--help", **place).out


def test_a_command_that_cannot_be_imported_spoils_no_other(shop: Shop) -> None:
    shop.write("wilting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: wilting\nVersion: 1.0\n")
    shop.write("wilting-1.0.dist-info/entry_points.txt", "[celery.commands]\nwilt = wilting:wilt\n")
    place = {"PYTHONPATH": str(shop.folder)}
    words = "the command 'wilt' of wilting:wilt cannot be imported: ModuleNotFoundError: No module named 'wilting'"
    assert shop.celery("wilt", **place) == (1, "", f"celery: {words}\n")
    told = shop.celery("--help", **place)
    assert (told.code, "the command 'wilt' of wilting:wilt" in told.out) == (0, True)
    assert shop.celery("-A", "shop", "call", "shop.add", **place).code == 0


def test_a_program_may_add_a_command_and_run_the_line(shop: Shop, face: Path) -> None:
    shop.write("blooming.py", PLUGIN)
    code = "import sys, blooming as b; b.celery.add_command(b.bloom); sys.exit(b.main())"
    done = subprocess.run(
        [face, "-c", code, "-A", "shop", "bloom"], cwd=shop.folder, env=shop.env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "shop 5555 () False True\n"), done.stderr


# -- with a worker ----------------------------------------------------------------------------------------------------------


def test_receivers_may_configure_a_worker_and_give_it_a_queue_of_its_own(shop: Shop) -> None:
    added = """
@signals.celeryd_init.connect
def configure(sender, conf, **kwargs):
    conf.worker_concurrency = 3

@signals.celeryd_after_setup.connect
def add_queue(sender, instance, **kwargs):
    instance.app.amqp.queues.select_add(f"{sender}.own")
"""
    shop.write("shop.py", APP + added)
    with shop.worker("-n", "w@box", "-Q", "mail", concurrency=None):
        assert all(words in shop.log for words in (".> concurrency: 3", ".> mail ", ".> w@box.own ")), shop.log
        sent = shop.celery("-A", "shop", "call", "shop.add", "-a", "[2, 3]", "--queue", "w@box.own").out.strip()
        assert shop.celery("-A", "shop", "result", sent) == (0, "5\n", "")


def test_a_worker_shows_and_logs_what_scripts_look_for_and_ends_with_0(shop: Shop) -> None:
    with shop.worker() as process:
        command = " ".join(psutil.Process(process.pid).cmdline())
        assert command.endswith("celery -A shop worker -l INFO -c 1")
        sent = shop.celery("-A", "shop", "call", "shop.add", "-a", "[2, 3]").out.strip()
        assert shop.celery("-A", "shop", "result", sent) == (0, "5\n", "")
        failed = shop.celery("-A", "shop", "call", "shop.fail").out.strip()
        told = shop.celery("-A", "shop", "result", failed)
        assert (told.code, told.err) == (1, "celery: FAILURE: ValueError: no\n")
        assert "ValueError: no" in shop.celery("-A", "shop", "result", failed, "--traceback").out
        shop.until(lambda: "raised unexpected" in shop.log)
    assert process.returncode == 0
    log = shop.log
    for words in (
        " -------------- celery@",
        " .> app:         shop:0x",
        " .> transport:   sqlite:///",
        " .> results:     ",
        " .> concurrency: 1 (prefork)",
        " .> celery           exchange=celery(direct) key=celery",
        "[tasks]\n  . shop.add\n  . shop.fail\n",
        "INFO/MainProcess] Connected to sqlite:///",
        "INFO/MainProcess] celery@",
        f"INFO/MainProcess] Task shop.add[{sent}] received",
        f"WARNING/ForkPoolWorker-1] shop.add[{sent}]: adding",
        f"Task shop.add[{sent}] succeeded in ",
        f"Task shop.fail[{failed}] raised unexpected: ValueError('no')",
        "worker: Warm shutdown (MainProcess)",
    ):
        assert words in log, log


@pytest.mark.parametrize(("number", "how", "code"), [(signal.SIGINT, "Warm", 1), (signal.SIGQUIT, "Cold", 0)])
def test_a_worker_that_is_told_to_stop_ends_as_celerys(shop: Shop, number: signal.Signals, how: str, code: int) -> None:
    with shop.worker() as process:
        process.send_signal(number)
        assert process.wait(patience()) == code
    assert f"worker: {how} shutdown (MainProcess)" in shop.log


def test_a_worker_whose_sigterm_is_remapped_stops_cold_and_ends_with_0(shop: Shop) -> None:
    with shop.worker(REMAP_SIGTERM="SIGQUIT") as process:
        process.terminate()
        assert process.wait(patience()) == 0
    assert "worker: Cold shutdown (MainProcess)" in shop.log


def test_a_worker_takes_options_of_its_app_settings_and_pools_of_green_threads(shop: Shop) -> None:
    shop.write(
        "choosy.py",
        APP
        + """
app.conf.worker_pool = "gevent"
app.user_options["worker"].add(click.Option(["--fast"], is_flag=True))
app.user_options["preload"].add(click.Option(["--tint"], default="red"))

@signals.user_preload_options.connect
def tell(options, **_):
    print("given", sorted(options.items()))

@signals.worker_ready.connect
def show(sender, **_):
    print("multiplier", sender.app.conf.worker_prefetch_multiplier, flush=True)
""",
    )
    with shop.worker("--fast", "--tint", "blue", "worker_prefetch_multiplier=7", app="choosy"):
        pass
    log = shop.log
    assert "given [('fast', True), ('tint', 'blue')]" in log
    assert "multiplier 7" in log
    assert " .> concurrency: 1 (threads)" in log
    assert log.count("there are no green threads here") == 1


def test_a_beat_shows_and_logs_what_scripts_look_for(shop: Shop) -> None:
    with (shop.folder / "worker.log").open("wb") as log:
        options = ("-l", "INFO", "-s", "celerybeat-schedule", "--enable-remote-control", "-n", "b@box")
        command = shop.command("-A", "shop", "beat", *options)
        process = subprocess.Popen(command, cwd=shop.folder, env=shop.env, stdout=log, stderr=log)
    try:
        shop.until(lambda: "beat: answers pings as b@box" in shop.log)
        told = shop.celery(*f"-A shop inspect ping -d b@box --timeout {patience()}".split())
        assert (told.code, told.out) == (0, "->  b@box: OK\n        pong\n\n1 node online.\n")
        assert shop.celery("-A", "shop", "inspect", "active").code == 69
    finally:
        process.terminate()
        assert process.wait(patience()) == 0
    for words in (
        "celery beat v5.7.0",
        "LocalTime -> ",
        ". broker -> sqlite:///",
        ". scheduler -> celery.beat.PersistentScheduler",
        ". remote control -> b@box",
    ):
        assert words in shop.log


CAMERA = """
from celery.events.snapshot import Polaroid

class Camera(Polaroid):
    clear_after = True

    def on_shutter(self, state):
        with open("pictures", "a") as file:
            print(state.task_count, *sorted(task.name for task in state.tasks.values() if task.name), file=file)
        if not state.event_count:
            raise ValueError("nothing to be seen")
"""


@pytest.mark.parametrize("options", ["", "--detach --pidfile c.pid --logfile worker.log"])
def test_a_camera_takes_pictures_until_it_is_told_to_stop(shop: Shop, options: str) -> None:
    shop.write("camera.py", CAMERA)
    pictures = shop.folder / "pictures"
    with shop.worker("-E"), (shop.folder / "camera.log").open("wb") as log:
        command = shop.command(*f"-A shop events --camera camera.Camera -F 0.05 {options}".split())
        process = subprocess.Popen(command, cwd=shop.folder, env=shop.env, stdout=log, stderr=log)
        try:
            until(pictures.exists)
            assert shop.celery("-A", "shop", "call", "shop.add", "-a", "[1, 2]").code == 0
            until(lambda: "shop.add" in pictures.read_text())
        finally:
            if options:
                assert process.wait(patience()) == 0
                process = psutil.Process(int((shop.folder / "c.pid").read_text()))
            process.terminate()
            code = process.wait(patience())
    assert options or code == 0
    assert not (shop.folder / "c.pid").exists()
    told = (shop.folder / "camera.log").read_text()
    assert ("Taking snapshots with camera.Camera (every 0.05 secs.)" in told) is not bool(options)
    assert "nothing to be seen" in (shop.log if options else told)


START = "py -m celery -A shop worker --detach"


# -- multi ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("multi names 3 --range-prefix=w --suffix=box", "w1@box\nw2@box\nw3@box\n"),
        ("multi names a b@x --prefix=p_ --suffix=box", "p_a@box\nb@x\n"),
        ("multi expand %n/%h/%d 2 --suffix=box", "celery1/celery1@box/box\ncelery2/celery2@box/box\n"),
        (
            "-A shop multi show 2 --suffix=box -c:1 5 -c 9 -E --pidfile=%n.pid --logfile=%n%I.log --executable=py",
            "".join(
                f"{START} -c {slots} -E --pidfile={name}.pid --logfile={name}%I.log --executable=py -n {name}@box\n"
                for slots, name in ((5, "celery1"), (9, "celery2"))
            ),
        ),
        (
            "multi get a@box a b --suffix=box -Q:a mail -A shop --executable=py",
            f"{START} --executable=py -Q mail -n a@box --pidfile=/var/run/celery/a.pid --logfile=/var/log/celery/a%I.log\n",
        ),
    ],
)
def test_multi_names_nodes_and_their_commands(shop: Shop, arguments: str, words: str) -> None:
    assert shop.celery(*arguments.split()) == (0, words, "")


def test_multi_starts_restarts_and_stops_workers(shop: Shop) -> None:
    paths = ("--pidfile=run/%n.pid", "--logfile=%n%I.log")
    try:
        told = shop.celery("multi", "start", "w1", "w2", "-A", "shop", "-c", "1", "-l", "INFO", *paths)
        assert told.code == 0, told
        assert "> w1@" in told.out
        first = (shop.folder / "run/w1.pid").read_text()
        sent = shop.celery("-A", "shop", "call", "shop.add", "-a", "[2, 3]").out.strip()
        assert shop.celery("-A", "shop", "result", sent).out == "5\n"
        assert shop.celery("-A", "shop", "multi", "restart", "w1", "-c", "1", *paths).code == 0
        assert (shop.folder / "run/w1.pid").read_text() != first
    finally:
        told = shop.celery("multi", "stopwait", "w1", "w2", *paths)
    assert told.code == 0
    assert not list((shop.folder / "run").iterdir())
    assert shop.celery("multi", "stop", "w1", *paths).out.endswith("DOWN\n")
    told = shop.celery("multi", "start", "w1", "-A", "nowhere", *paths)
    assert (told.code, "there is no module 'nowhere'" in told.err) == (1, True)
