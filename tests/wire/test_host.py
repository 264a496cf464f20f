"""The name of this machine, on every system that clients run on."""

from __future__ import annotations

import os
import socket

import pytest

from umbel.wire.host import host_name


def test_it_is_what_sockets_say() -> None:
    assert host_name() == socket.gethostname()


def test_it_is_known_where_there_is_no_uname(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "uname")
    assert host_name() == socket.gethostname()
