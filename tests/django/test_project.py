"""A whole project, run as people run it: manage.py, a worker, a beat; with the Django of each kind that there is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples.sites import ROOT, Running, Site
from tests.servers import postgres
from tests.servers.missing import lacks

from umbel.testing.waiting import patience, until

PROJECT = Path(__file__).parent / "project"
KINDS = {"5": Path(sys.executable).parent, **{kind: ROOT / ".bench" / f"django-{kind}" / "bin" for kind in ("4", "6")}}


class Rig:
    """A copy of the project with all that runs."""

    def __init__(self, site: Site, kind: str):
        self.site = site
        self.kind = kind
        self.shell = site.shell("python", DJANGO_SETTINGS_MODULE="settings")
        self.worker: Running | None = None

    def tell(self, code: str) -> Any:
        """What a program of the project prints last, as JSON."""
        intro = "import json, os, sys\nimport django\ndjango.setup()\nfrom shop.tasks import *\n"
        intro += "from umbel.testing.waiting import until\n"
        return json.loads(self.shell.must(f"{intro}PATIENCE = {patience()}\n{code}").splitlines()[-1])

    def manage(self, *commands: str) -> list[tuple[int, str, list[str]]]:
        """How manage.py ends, what it says, and of what it complains: in one process, since to start each takes long."""
        code = f"""
import contextlib, io, shlex
from django.core.management import execute_from_command_line
told = []
for command in {commands!r}:
    status, out, errors = 0, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            execute_from_command_line(["manage.py", *shlex.split(command)])
        except SystemExit as end:
            status = end.code
    told.append([status, out.getvalue().strip(), errors.getvalue().splitlines()])
print(json.dumps(told))
"""
        return [(status, out, errors) for status, out, errors in self.tell(code)]


@pytest.fixture(scope="module", params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    programs = KINDS[request.param]
    if not (programs / "python").exists():
        lacks(f"there is no {programs}/python: run scripts/setup django-{request.param} .bench/django-{request.param}")
    env = {"BACKPORT": "yes"} if request.param == "5" else {}
    site = Site(PROJECT, programs, tmp_path_factory.mktemp("logs"), **env)
    try:
        site.must("python manage.py migrate -v0")
        made = Rig(site, request.param)
        made.worker = site.start("python manage.py umbel worker --beat -l INFO")
        made.worker.says("ready.")
        yield made
        assert made.worker.stop() == 0
    finally:
        site.close()


def test_tasks_run_and_are_kept_in_the_database(rig: Rig) -> None:
    code = """
from django.core.management import call_command
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from umbel.django.models import Result

class Undone(Exception):
    pass

call_command("umbel", "queues")  # and the project's app is still there
told = {"sum": add.delay(2, 3).get(timeout=PATIENCE), "lazy": greet.delay(_("January")).get(timeout=PATIENCE)}
try:
    with transaction.atomic():
        add.delay_on_commit(100, 1)
        raise Undone
except Undone:
    pass
with transaction.atomic():
    told["at once"] = add.delay_on_commit(200, 2)
    add.apply_async_on_commit((300, 3), countdown=0)
failed = fail.delay()
told["error"] = repr(failed.get(timeout=PATIENCE, propagate=False))

def kept():
    mine = ("5", "202", "303", "ValueError: as asked")
    found = {row.value: row.status for row in Result.objects.filter(value__in=mine)}
    return found if len(found) == 4 else None

told["kept"] = until(kept)
row = Result.objects.get(pk=failed.id)
told["columns"] = [row.task, row.args, row.queue, bool(row.worker), "as asked" in row.traceback]
print(json.dumps(told))
"""
    assert rig.tell(code) == {
        "sum": 5,
        "lazy": "Bonjour janvier",
        "at once": None,
        "error": "ValueError('as asked')",
        "kept": {"5": "SUCCESS", "202": "SUCCESS", "303": "SUCCESS", "ValueError: as asked": "FAILURE"},
        "columns": ["shop.tasks.fail", "()", "celery", True, True],
    }


def test_connections_and_caches_are_let_go_after_each_run(rig: Rig) -> None:
    if rig.kind == "4":
        pytest.skip("as with the newest")
    first, second = rig.tell(
        "print(json.dumps([look.delay(name).get(timeout=PATIENCE) for name in ('ada', 'bob')]))",
    )
    assert first["pid"] == second["pid"]
    assert (first["left"], second["left"]) == (False, False)
    assert first["open"]
    assert second["closed"] > first["closed"]


def test_tasks_of_django_itself_are_run(rig: Rig) -> None:
    if rig.kind == "4":
        pytest.skip("its tasks came with Django 6")
    code = """
import time
from shop import djangos
from umbel.django.backend import exceptions

def wait(result):
    until(lambda: result.is_finished or result.refresh())
    return result

sent = [djangos.double.enqueue(21), djangos.attempt.using(priority=50).enqueue(more={"a": 1}), djangos.later.enqueue("soon")]
states = [str(sent[0].status)]
values = [wait(each).return_value for each in sent]
bad = wait(djangos.wrong.enqueue())
found = djangos.double.get_result(sent[0].id)
told = {"states": states, "values": values, "bad": [bad.errors[0].exception_class_path, "as asked" in bad.errors[0].traceback]}
told["found"] = [found.args, found.attempts, len(found.worker_ids), found.started_at <= found.finished_at, found == sent[0]]
told["id"] = values[1][1] == sent[1].id
try:
    djangos.double.get_result("none")
except exceptions.TaskResultDoesNotExist:
    told["none"] = True
print(json.dumps(told))
"""
    told = rig.tell(code)
    assert told.pop("values")[0::2] == [42, "SOON"]
    assert told == {
        "states": ["READY"],
        "bad": ["builtins.KeyError", True],
        "found": [[21], 1, 1, True, True],
        "id": True,
        "none": True,
    }


def test_a_change_of_the_schedule_acts_while_the_beat_runs(rig: Rig) -> None:
    if rig.kind != "5":
        pytest.skip("once is enough")
    rig.site.must("python manage.py umbel schedule add often shop.tasks.greet --every 1 -a '[\"the beat\"]'")
    assert rig.worker is not None
    rig.worker.says("Bonjour the beat")
    told = "from umbel.django.models import Entry; print(json.dumps([Entry.objects.get().when, Entry.objects.get().task]))"
    assert rig.tell(told) == ["every 1 s", "shop.tasks.greet"]
    rig.site.must("python manage.py umbel schedule remove often")


def test_tasks_are_sent_and_run_by_hand(rig: Rig) -> None:
    if rig.kind != "5":
        pytest.skip("once is enough")
    done = rig.manage(
        "run_task add --args '[2, 3]' --here",
        """run_task shop.tasks.greet --kwargs '{"whom": "toi"}' --here""",
        "run_task ad",
        "run_task add --args 2",
        "run_task add --kwargs '{'",
        "run_task add",
        "run_task fail --here",
    )
    assert done[:2] == [(0, "5", []), (0, '"Bonjour toi"', [])]
    words = ("did you mean 'add'?", "should be a JSON list", "is no JSON", "shop.tasks.add: missing", "ValueError: as asked")
    for (status, _, errors), word in zip(done[2:], words, strict=True):
        assert status == 1
        assert word in "\n".join(errors)
    assert [len(errors) for _, _, errors in done[2:6]] == [1] * 4
    id = rig.site.must("python manage.py run_task add --args '[40, 2]'")
    until(lambda: "42" in rig.site.run(f"python manage.py umbel result {id}").stdout)  # which fails as long as there is none
    assert "42" in rig.site.must(f"python manage.py umbel result {id}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.PostgresServer]:
    """Its database has all tables."""
    with postgres.running() as found:
        found.create("project")
        site = Site(PROJECT, KINDS["5"], tmp_path_factory.mktemp("logs"), PG=str(found.port))
        try:
            site.must("python manage.py migrate -v0")
        finally:
            site.close()
        yield found


@pytest.mark.parametrize("pool", ["", "yes"])
def test_children_leave_the_connections_of_their_parent_alone(server: postgres.PostgresServer, tmp_path: Path, pool: str) -> None:
    site = Site(PROJECT, KINDS["5"], tmp_path, PG=str(server.port), POOL=pool)
    try:
        rig = Rig(site, "5")
        worker = site.start("python manage.py umbel worker -c 3 -l INFO --max-tasks-per-child 2")
        worker.says("ready.")
        told = rig.tell(
            "sent = [look.delay(str(number)) for number in range(12)]\n"
            "print(json.dumps([each.get(timeout=PATIENCE) for each in sent]))"
        )
        assert len({each["pid"] for each in told}) > 2
        assert worker.stop() == 0
        log = (server.directory / "log").read_text()
        assert "ERROR" not in log
        assert "unexpected EOF" not in log
    finally:
        site.close()


def test_what_is_to_be_written_waits_until_somebody_has_migrated(tmp_path: Path) -> None:
    site = Site(PROJECT, KINDS["5"], tmp_path)
    try:
        id = site.must("python manage.py run_task add --args '[40, 2]'")
        worker = site.start("python manage.py umbel worker --beat -l INFO")
        worker.says("django://default lacks umbel's tables: run `python manage.py migrate`", "Cannot write outcomes")
        asked = site.run(f"python manage.py umbel result {id}")
        assert asked.returncode == 1
        assert "run `python manage.py migrate`" in asked.stderr
        assert len(asked.stderr.splitlines()) == 1
        site.must("python manage.py migrate -v0")
        worker.says("Outcomes are written again")
        assert "42" in site.must(f"python manage.py umbel result {id}")
        assert worker.stop() == 0
    finally:
        site.close()
