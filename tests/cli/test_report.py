from __future__ import annotations

from tests.cli.project import Project

import umbel


def test_a_report_tells_versions_and_where_each_setting_comes_from(project: Project) -> None:
    project.write(
        "from umbel import Umbel\n"
        "app = Umbel('proj', broker='sqlite:///q.db')\n"
        "app.conf.update(task_time_limit=30, security_key_password='geheim')\n"
    )
    done = project.umbel("report")
    assert done.code == 0
    assert f"  umbel      {umbel.__version__}\n" in done.out
    assert "task_time_limit" in done.out
    assert "30  (app.conf)" in done.out
    assert "geheim" not in done.out


def test_a_report_needs_no_app(project: Project) -> None:
    assert "none named with -A" in project.bare("report").out
