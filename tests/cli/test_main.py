from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest
from tests.cli.project import Project

import umbel
from umbel.cli.command import COMMANDS
from umbel.cli.main import program
from umbel.testing.waiting import patience

SETTINGS = 'from umbel import Umbel\napp = Umbel("proj", broker="sqlite:///q.db")\n'


def one_line(text: str) -> str:
    assert text.startswith("umbel: ")
    assert text.count("\n") == 1
    return text.removeprefix("umbel: ").rstrip()


def test_the_version_is_told(project: Project) -> None:
    assert project.bare("--version").out == f"umbel {umbel.__version__}\n"


def test_help_lists_every_command_without_importing_any() -> None:
    heavy = "'umbel.cli.worker' in sys.modules or 'rich' in sys.modules"
    code = f"import sys; from umbel.cli.main import run; run(['--help']); sys.exit({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name, text in COMMANDS.items():
        assert f"{name:<10}" in done.stdout
        assert text in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_for_each_of_its_options(project: Project, name: str) -> None:
    done = project.bare(name, "--help")
    assert done.code == 0
    command = getattr(import_module(f"umbel.cli.{name}"), name)
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, option.name
            assert option.opts[0] in done.out


def test_without_a_command_the_help_is_shown(project: Project) -> None:
    done = project.bare()
    assert done.code == 64
    assert "umbel -A proj worker" in done.out


def test_an_unknown_command_is_told_with_the_nearest(project: Project) -> None:
    done = project.bare("worke")
    assert done.code == 64
    assert one_line(done.err) == "no command 'worke'; did you mean 'worker'? (umbel --help)"


def test_an_unknown_option_is_told(project: Project) -> None:
    done = project.bare("queues", "--jsno")
    assert done.code == 64
    assert "no such option" in one_line(done.err)


@pytest.mark.parametrize("place", [0, 1])
def test_the_app_may_be_named_before_and_behind_the_command(project: Project, place: int) -> None:
    words = ["queues"]
    words[place:place] = ["-A", project.name]
    done = project.bare(*words)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("variable", ["UMBEL_APP", "CELERY_APP", "APP"])
def test_the_app_may_be_named_by_the_environment(project: Project, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "no_such_module_at_all")
    assert "no_such_module_at_all" in one_line(project.bare("queues").err)


def test_an_unknown_app_is_one_line(project: Project) -> None:
    done = project.bare("-A", "nosuchproject", "queues")
    assert done.code == 1
    assert "nosuchproject" in one_line(done.err)


def test_an_unknown_attribute_is_one_line(project: Project) -> None:
    done = project.bare("-A", f"{project.name}:nothere", "queues")
    assert done.code == 1
    assert "nothere" in one_line(done.err)


def test_a_wrong_url_is_one_line(project: Project) -> None:
    done = project.umbel("-b", "sqlit:///q.db", "queues")
    assert done.code == 1
    assert "sqlit" in one_line(done.err)


def test_a_file_that_is_no_database_is_one_line(project: Project) -> None:
    (project.folder / "q.db").write_text("this is no database, but a letter to a friend\n" * 100)
    done = project.umbel("queues")
    assert done.code == 1
    assert "q.db" in one_line(done.err)


def test_all_wrong_settings_are_told_together(project: Project) -> None:
    project.write(SETTINGS + "app.config_from_object(dict(task_ack_late=True, task_max_deliveries='many'))\n")
    done = project.umbel("queues")
    assert done.code == 1
    first, *rest = done.err.splitlines()
    assert first == "umbel: these settings cannot work:"
    assert len(rest) == 2
    assert "task_ack_late" in done.err
    assert "task_max_deliveries" in done.err


def test_one_wrong_setting_is_one_line(project: Project) -> None:
    project.write(SETTINGS + "app.conf.task_max_deliveries = 'many'\n")
    assert "task_max_deliveries" in one_line(project.umbel("queues").err)


def test_an_error_in_the_users_module_shows_the_users_lines_and_what_umbel_did(project: Project) -> None:
    project.write("def half():\n    return 1 / 0\n\n\nhalf()\n")
    done = project.umbel("queues")
    assert done.code == 1
    assert "return 1 / 0" in done.err
    assert "importlib" not in done.err
    assert "umbel/cli" not in done.err
    assert done.err.endswith(f"\numbel: importing {project.name} failed: ZeroDivisionError: division by zero\n")


def test_a_module_that_the_users_module_misses_is_told_with_the_users_line(project: Project) -> None:
    project.write("import no_such_module_at_all\n")
    done = project.umbel("queues")
    assert done.code == 1
    assert "import no_such_module_at_all" in done.err
    assert "umbel/cli" not in done.err
    assert "No module named 'no_such_module_at_all'" in done.err.splitlines()[-1]


def test_a_syntax_error_in_the_users_module_is_shown_where_it_is(project: Project) -> None:
    project.write("def broken(:\n")
    done = project.umbel("queues")
    assert done.code == 1
    assert "def broken(:" in done.err
    assert done.err.splitlines()[-1].startswith(f"umbel: importing {project.name} failed: SyntaxError")


def test_a_module_that_exits_while_it_is_imported_is_told(project: Project) -> None:
    project.write("import sys\nsys.exit(3)\n")
    assert "sys.exit(3)" in one_line(project.umbel("queues").err)


def test_another_folder_is_worked_in(project: Project) -> None:
    folder = project.folder / "sub"
    folder.mkdir()
    done = project.bare("--workdir", str(folder), "-A", project.name, "queues")
    assert done.code == 1  # the project is not there
    assert project.bare("--workdir", str(folder / "not"), "queues").code == 64


def test_the_broker_of_the_command_line_wins(project: Project) -> None:
    assert "other.db" in project.umbel("-b", "sqlite:///other.db", "queues").out


def test_settings_of_the_command_line_win(project: Project) -> None:
    (project.folder / "other_settings.py").write_text("broker_url = 'sqlite:///other.db'\n")
    assert "other.db" in project.bare("--config", "other_settings", "queues").out


def test_a_reader_that_leaves_early_is_no_error(project: Project) -> None:
    process = project.start("report")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=patience())


def test_a_program_that_is_ended_before_it_is_loaded_says_nothing() -> None:
    code = """
import os, signal, sys

class Ends:
    find_spec = staticmethod(lambda name, *_: os.kill(os.getpid(), signal.SIGTERM) if name == "umbel.cli.scope" else None)

sys.meta_path.insert(0, Ends)
from umbel.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=patience(), check=False)
    assert (done.returncode, done.stdout + done.stderr) == (143, "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(project: Project, shell: str) -> None:
    done = project.bare("completion", shell)
    assert done.code == 0
    assert "_UMBEL_COMPLETE" in done.out


def test_completion_knows_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.shell_completion import ShellComplete

    found = ShellComplete(program, {}, "umbel", "_UMBEL_COMPLETE").get_completions([], "que")
    assert [each.value for each in found] == ["queues"]
