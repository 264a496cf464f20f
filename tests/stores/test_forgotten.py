"""A store that nobody closed is closed with its app, wherever the collector finds it, and nobody is warned of what it held."""

from __future__ import annotations

import gc

import pytest

from umbel import Umbel


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    if request.param == "redis":
        return request.getfixturevalue("redis_url")
    return f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def threshold():
    """Sets after how many new objects the collector runs: each time it may change the order in which it will ask them."""
    before = gc.get_threshold()
    gc.collect()
    yield lambda count: gc.set_threshold(count, *before[1:])
    gc.set_threshold(*before)


@pytest.mark.parametrize("objects", range(1, 24))
def test_what_a_forgotten_app_has_opened_is_closed_without_a_warning(url, threshold, objects):
    """A warning from there is an error of this test."""
    threshold(objects)
    app = Umbel("forgotten", broker=url, set_as_current=False)
    app.send_task("add", (1, 2))
    app.control.purge()
    held = [app]
    held.append(held)
    del app, held
    gc.collect()
