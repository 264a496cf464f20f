"""Where an app's schedule is."""

from __future__ import annotations

import pytest

from umbel import Umbel
from umbel.errors import ImproperlyConfigured


def test_the_schedule_is_with_the_messages(tmp_path):
    with Umbel(broker=f"sqlite:///{tmp_path}/queue.db", broker_transport_options={"timeout": 5}) as app:
        assert app.schedule_store.url == app.broker.url
        app.schedule_store.save([("a", b"1")])
        store = app.schedule_store
    assert app.schedule_store is not store
    assert [row.name for row in app.schedule_store.changes().rows] == ["a"]
    app.close()


def test_options_of_the_broker_do_not_disturb_the_schedule():
    options = {"visibility_timeout": 60, "unacked_key": "mine", "priority_steps": [0, 5], "global_keyprefix": "p:"}
    with Umbel(broker="redis://user:secret@localhost:1/2", broker_transport_options=options) as app:
        assert app.schedule_store.url == "redis://localhost:1/2"


def test_beat_store_names_another_place(tmp_path):
    with Umbel(broker="memory://", broker_transport_options={}, beat_store=f"sqlite:///{tmp_path}/beat.db?timeout=3") as app:
        app.schedule_store.save([("a", b"1")])
    assert (tmp_path / "beat.db").exists()


def test_a_place_that_keeps_no_schedule_is_told_with_those_that_do():
    app = Umbel(broker="memory://", beat_store="mongodb://host")
    with pytest.raises(ImproperlyConfigured, match="no schedule store for mongodb://; it has memory://"):
        _ = app.schedule_store
