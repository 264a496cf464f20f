"""What people type who come from Celery, or for the first time: each is done, or told in one line what to type instead."""

from __future__ import annotations

import json
import re

import pytest
from tests.cli.project import PROJECT, Project

from umbel import Umbel
from umbel.cli.command import COMMANDS
from umbel.cli.words import ELSEWHERE

BEAT = PROJECT + "app.conf.timezone = 'Europe/Paris'\n"


@pytest.mark.parametrize("word", sorted(ELSEWHERE.keys() - COMMANDS.keys()))
def test_commands_of_celerys_are_told_where_they_are(project: Project, word: str) -> None:
    done = project.umbel(word)
    assert (done.code, done.out) == (64, "")
    assert re.fullmatch(rf"umbel: umbel has no command '{word}': \S.* \(umbel --help\)\n", done.err)


@pytest.mark.parametrize("words", [("worker", "-Q", ","), ("worker", "-Q", ""), ("worker", "-n", ""), ("worker", "-X", " , ")])
def test_names_that_name_nothing_are_refused(project: Project, words: tuple[str, ...]) -> None:
    done = project.umbel(*words)
    assert (done.code, done.out) == (64, "")
    assert done.err.count("\n") == 1


def test_what_comes_from_the_environment_is_said_to(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_WORKER_CONCURRENCY", "many")
    done = project.umbel("worker")
    assert done.code == 64
    assert "'many' is no number from 1, nor auto (it comes from the environment: CELERY_WORKER_CONCURRENCY)" in done.err


@pytest.mark.parametrize("name", ["UMBEL_APP", "CELERY_APP"])
def test_an_app_that_the_environment_names_is_said_to_be(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "nowhere")
    done = project.bare("queues")
    assert (done.code, f"(it is named by the environment: {name})" in done.err) == (1, True)
    assert "environment" not in project.bare("-A", "nothing", "queues").err


@pytest.mark.parametrize("name", ["UMBEL_BROKER", "CELERY_BROKER_URL", "UMBEL_BROKER_URL"])
def test_a_broker_that_the_environment_names_is_said_to_be(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "amqp://me:pw@host")
    done = project.bare("queues")
    assert (done.code, f"(broker_url comes from the environment {name})" in done.err) == (1, True), done.err
    assert "pw" not in done.err


def test_help_and_version_are_words_too(project: Project) -> None:
    assert project.bare("help").out == project.bare("--help").out
    assert project.bare("help", "worker").out == project.bare("worker", "--help").out
    assert project.bare("help", "schedule", "add").out == project.bare("schedule", "add", "--help").out
    assert project.bare("version").out == project.bare("--version").out
    done = project.bare("help", "wroker")
    assert (done.code, "did you mean 'worker'?" in done.err) == (64, True)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_says_where_the_app_is_named(project: Project, command: str) -> None:
    assert "-A, --app APP" in project.bare(command, "--help").out


def test_the_app_named_twice_is_told(project: Project) -> None:
    done = project.bare("-A", "nowhere", "queues", "-A", project.name)
    assert done.code == 0
    assert f"umbel: -A nowhere and -A {project.name}: the second is taken\n" in done.err


def test_a_file_that_looking_makes_is_told(project: Project) -> None:
    done = project.bare("-b", "sqlite:///looked.db", "queues")
    assert done.err == f"umbel: there was no file {project.folder}/looked.db, and looking makes one\n"
    assert project.bare("-b", "sqlite:///looked.db", "queues").err == ""


# Apps in all the ways in which people name them


FACTORY = """
from umbel import Umbel

def create_app():
    app = Umbel("made", broker="sqlite:///q.db", set_as_current=False)
    app.task(lambda: 1, name="one")
    return app

def create_flask(number=1):
    class Flask:
        extensions = {"celery": create_app()}
        def __call__(self, environ, start_response): raise AssertionError("not to be called")
    return Flask()

flask = create_flask()

class FastAPI:
    def __init__(self): self.state = type("State", (), {"celery_app": create_app()})()

def create_fastapi(): return FastAPI()
def needs(x): return x
def nothing(): return 5
"""


@pytest.mark.parametrize(
    "name", ["{0}:create_app", "{0}:create_app()", "{0}.create_app", "{0}:create_flask", "{0}:flask", "{0}:create_fastapi"]
)
def test_functions_that_make_an_app_are_called(project: Project, name: str) -> None:
    project.write(FACTORY)
    assert re.search(r"name +made \(", project.bare("-A", name.format(project.name), "report").out)


def test_a_function_that_makes_none_is_told(project: Project) -> None:
    project.write(FACTORY)
    assert "cannot be called without arguments" in project.bare("-A", f"{project.name}:needs", "report").err
    assert "not an Umbel app" in project.bare("-A", f"{project.name}:nothing", "report").err


def test_an_app_may_be_named_by_its_file(project: Project) -> None:
    shop = project.folder / f"shop_{project.name}"
    shop.mkdir()
    (shop / "celery.py").write_text(FACTORY + "app = create_app()\n")
    for name in (f"{shop.name}/celery.py", f"./{shop.name}/celery.py", f"{shop}/celery.py", f"{shop.name}/celery.py:create_app"):
        done = project.bare("-A", name, "report")
        assert done.code == 0, done.err
        assert "made (" in done.out
    assert "there is no file" in project.bare("-A", f"{shop.name}/tasks.py", "report").err


def test_of_two_apps_it_is_said_which_is_taken(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.write("from umbel import Umbel\none = Umbel('one', broker='memory://')\ntwo = Umbel('two', broker='memory://')\n")
    assert "one (" in project.umbel("report").out
    (record,) = [each for each in caplog.records if "has the apps" in each.getMessage()]
    assert record.getMessage() == f"{project.name} has the apps one, two: taken is one; choose with -A {project.name}:NAME"


# Schedules, results, dead letters


def test_entries_are_listed_shown_and_changed(project: Project) -> None:
    project.write(BEAT)
    project.umbel("schedule", "add", "daily", "add", "--cron", "0 4 * * *", "-a", "[1, 2]", "--queue", "q")
    assert project.umbel("schedule", "list").out == project.umbel("schedule").out
    assert "at 04:00 every day (Europe/Paris)" in project.umbel("schedule").out
    assert json.loads(project.umbel("schedule", "list", "-j").out)["timezone"] == "Europe/Paris"
    shown = json.loads(project.umbel("schedule", "show", "daily").out)
    assert (shown["name"], shown["zone"], shown["options"], len(shown["upcoming"])) == (
        "daily",
        "Europe/Paris",
        {"queue": "q"},
        5,
    )
    done = project.umbel("schedule", "change", "daily", "--cron", "30 5 * * *", "--priority", "3")
    assert re.fullmatch(r"changed daily: at 05:30 every day \(Europe/Paris\), next \S.*\n", done.out)
    shown = json.loads(project.umbel("schedule", "show", "daily").out)
    assert (shown["when"], shown["options"], shown["args"]) == ("at 05:30 every day", {"queue": "q", "priority": 3}, "(1, 2)")
    assert project.umbel("schedule", "change", "daily").code == 64
    assert "there is no entry 'none'" in project.umbel("schedule", "change", "none", "--every", "5").err
    assert "there is no entry 'none'" in project.umbel("schedule", "show", "none").err


def test_a_result_that_has_not_ended_shows_what_it_says(project: Project) -> None:
    with Umbel("writes", broker=f"sqlite:///{project.folder}/q.db", set_as_current=False) as app:
        app.task(lambda: None, name="add").update_state("some-id", "PROGRESS", {"done": 3})
    done = project.umbel("result", "some-id")
    assert (done.code, done.out) == (69, "")
    assert re.fullmatch(r"PROGRESS: .*\b3\b.*\n", done.err)


def test_several_dead_letters_of_one_id_are_one_json(project: Project) -> None:
    ids = project.bury("proj.gone")
    broker = project.broker()
    (letter,) = broker.buried()
    broker.send([letter.envelope])
    from umbel.stores.broker import Conclusion

    broker.conclude([Conclusion(each, buried="again") for each in broker.reserve(["celery"], 1, 1)])
    broker.close()
    shown = json.loads(project.umbel("dead", "show", ids[0]).out)
    assert [each["reason"] for each in shown] == ["nobody knows it", "again"]


# Completion


@pytest.mark.parametrize(
    ("words", "begun", "found"),
    [
        (["call"], "{0}.a", ["{0}.add"]),
        (["worker", "-Q"], "cel", ["celery"]),
        (["worker", "-Q"], "mail,cel", ["mail,celery"]),
        (["worker", "-l"], "war", ["WARNING"]),
        (["worker", "-P"], "thr", ["threads"]),
    ],
)
def test_shells_complete_names_of_the_app(project: Project, words: list[str], begun: str, found: list[str]) -> None:
    from click.shell_completion import ShellComplete

    from umbel.cli.main import program
    from umbel.cli.scope import Scope

    complete = ShellComplete(program, {"obj": Scope()}, "umbel", "_UMBEL_COMPLETE")
    items = complete.get_completions(["-A", project.name, *words], begun.format(project.name))
    assert [item.value for item in items] == [each.format(project.name) for each in found]
