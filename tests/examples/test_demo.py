"""The demo, as people run it: a whole site, people who register and send pictures, a worker that is killed meanwhile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from tests.examples.sites import ROOT, environment, hasty

from umbel.testing.waiting import patience

DEMO = ROOT / "examples" / "egoejo" / "demo" / "demo.py"
BROKERS = ["sqlite", "redis"] if os.environ.get("UMBEL_ALL_DEMOS") else ["sqlite"]
"""The second costs as much again, and the site is tried on Redis by its own tests."""


def play(cwd: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [environment("umbel") / "python", DEMO, *options]
    env = {**os.environ, "PYTHONPATH": str(cwd), **hasty(cwd, "config.settings")}
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=patience(3), stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("broker", BROKERS)
def test_everybody_is_served_though_a_worker_is_killed(tmp_path: Path, broker: str) -> None:
    photos = tmp_path / "our photos"
    (photos / "trip").mkdir(parents=True)
    wide = Image.effect_noise((2000, 1500), 40).convert("RGB")  # which takes long: the others are the same one, moved
    high = wide.transpose(Image.Transpose.ROTATE_90).crop((0, 0, 1200, 1800))
    for number in range(6):
        ImageChops.offset(wide, 100 * number).save(photos / f"{number}.jpg")
        kind = "png" if number < 2 else "jpeg"
        ImageChops.offset(high, 100 * number).save(photos / "trip" / f"{number}.{kind}", compress_level=1)
    (photos / "trip" / "broken.jpg").write_text("no picture at all")
    done = play(tmp_path, "--broker", broker, "--photos", str(photos), "--people", "3", "--port", "0")
    assert "✘" not in done.stdout
    for line in (
        "3 people registered",
        "3 of 3 welcome mails came, each once",
        "12 of 12 pictures are shown",
        "1 broken picture refused",
    ):
        assert line in done.stdout
    assert "SIGKILL to worker north" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    (out,) = (tmp_path / "out").iterdir()
    assert len(list(out.glob("mails/*.eml"))) == 3
    assert len(list(out.glob("media/projets/*.jpg"))) == 7


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere", "there is no such folder"), ("file", "is a file"), ("empty", "no pictures in it")]
)
def test_a_folder_without_pictures_is_told_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = play(tmp_path, "--photos", str(tmp_path / name))
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_broker_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    done = play(tmp_path, "--broker", "rabbit")
    assert done.returncode == 2
    assert done.stderr == "BROKER=rabbit: it may be sqlite, redis (a server of the demo's own), or the URL of a Redis server\n"
