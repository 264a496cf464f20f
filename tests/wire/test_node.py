from __future__ import annotations

import os

import pytest

from umbel.wire.node import fill_path, node_name


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((here.sysname, "box.example.org", *here[2:])))


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (None, "umbel@box.example.org"),
        ("w1", "w1@box.example.org"),
        ("w1@%h", "w1@box.example.org"),
        ("w1@%n.%d", "w1@box.example.org"),
        ("w1-%n@here", "w1-box@here"),
        ("w%i%I@%h", "w0@box.example.org"),
        ("100%%@%h", "100%@box.example.org"),
        ("w%x@%h", "w%x@box.example.org"),
    ],
)
def test_the_places_in_a_name_are_filled(wish: str | None, name: str) -> None:
    assert node_name(wish) == name


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/run/%n.pid", "/run/w1.pid"),
        ("/run/%n-%h.pid", "/run/w1-box.example.org.pid"),
        ("/run/%p.pid", "/run/w1@box.example.org.pid"),
        ("/run/%n@%d%I.%i", "/run/w1@example.org.0"),
    ],
)
def test_the_places_in_a_path_are_filled_from_the_workers_name(pattern: str, path: str) -> None:
    assert fill_path(pattern, "w1@box.example.org") == path


def test_the_index_is_left_for_each_child_to_fill() -> None:
    assert fill_path("/log/%n%I-%i.log", "w1@box", keep_index=True) == "/log/w1%I-%i.log"
