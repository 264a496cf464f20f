from __future__ import annotations

from pathlib import Path

import pytest

from umbel import Umbel, __version__
from umbel.cli.banner import banner
from umbel.worker.worker import Worker


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    app = Umbel("proj", broker=f"sqlite:///{tmp_path}/q.db", set_as_current=False)
    for name in ("proj.add", "proj.mail.send", "proj.images.thumbnail"):
        app.task(name=name)(lambda: None)
    return Worker(app, hostname="w1@box", queues=["celery", "images"], concurrency=3)


def test_it_tells_who_where_and_what(worker: Worker, tmp_path: Path) -> None:
    text = banner(worker, app_name="proj:app", tasks=True, width=200)
    assert f"umbel {__version__}  w1@box" in text
    for label, value in {
        "app": "proj:app, 3 tasks",
        "broker": f"sqlite:///{tmp_path}/q.db",
        "results": "in the broker's store",
        "pool": "prefork, 3 at once",
        "queues": "celery, images",
    }.items():
        assert f"{label:<10}{value}\n" in text
    assert "proj.add " in text
    assert "proj.images.thumbnail" in text
    assert "\x1b" not in text


def test_tasks_are_listed_only_if_wished(worker: Worker) -> None:
    assert "proj.mail.send" not in banner(worker, app_name="proj", tasks=False, width=80)


@pytest.mark.parametrize("width", [200, 100, 80, 64, 63, 40, 20])
@pytest.mark.parametrize("color", [True, False])
def test_it_fits_the_terminal(worker: Worker, width: int, color: bool) -> None:
    import re

    text = banner(worker, app_name="proj", tasks=True, width=width, color=color, picture="utf-8")
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in text.splitlines()]
    unbreakable = max(len("proj.images.thumbnail") + 4, len(f"umbel {__version__}  w1@box  Python 3.11.99") + 2)
    assert max(map(len, lines)) <= max(width, unbreakable)
    assert ("●" in text) == (width >= 64)
    assert text.count("\x1b[0m") == text.count("\x1b[") / 2


def test_a_terminal_without_unicode_gets_a_flower_in_ascii(worker: Worker) -> None:
    assert banner(worker, app_name="proj", tasks=True, width=100, picture="ascii").isascii()
