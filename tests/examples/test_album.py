"""The demo, as people run it: a folder of pictures in, thumbnails, contact sheets and mails out, a worker killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from umbel.testing.waiting import patience

ALBUM = Path(__file__).parents[2] / "examples" / "album"


def play(cwd: Path, photos: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ALBUM / "demo.py"), "--photos", str(photos)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=patience())


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "our photos"
    (folder / "trip").mkdir(parents=True)
    for number in range(10):
        Image.effect_noise((2400, 1800), 40).convert("RGB").save(folder / f"{number}.jpg")
        Image.linear_gradient("L").resize((1200, 900)).save(folder / "trip" / f"{number}.png")
    return folder


def test_every_picture_comes_out_and_a_broken_one_is_told(tmp_path: Path, photos: Path) -> None:
    (photos / "trip" / "broken.jpg").write_text("no picture at all")
    done = play(tmp_path, photos)
    assert "✘" not in done.stdout
    assert "20 of 20 pictures came out, each once" in done.stdout
    assert "1 broken file buried" in done.stdout
    assert "2 of 2 mails came" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    (out,) = (tmp_path / "out").iterdir()
    assert len(list(out.rglob("thumbnails/*/*.jpg"))) == 20
    assert len(list(out.glob("mails/*.eml"))) == 2


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere", "there is no such folder"), ("file", "is a file"), ("empty", "no pictures in it")]
)
def test_a_folder_without_pictures_is_told_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = play(tmp_path, tmp_path / name)
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
