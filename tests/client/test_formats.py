"""Serializers that settings and tasks name and that nobody knows are told of early; what is registered later counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from umbel import Umbel, register_serializer
from umbel.errors import ImproperlyConfigured
from umbel.testing.waiting import NEVER
from umbel.wire import encoding
from umbel.worker.worker import Worker


@pytest.fixture
def app() -> Iterator[Umbel]:
    with Umbel("formats", broker="memory://formats", set_as_current=False) as app:
        yield app


@pytest.fixture
def own() -> Iterator[str]:
    """The name of a serializer that may be registered; gone at the end."""
    yield "own"
    encoding.by_type.pop("application/x-own", None)
    encoding._by_name.pop("own", None)


def register(name: str) -> None:
    register_serializer(name, encoding.JSON.dumps, encoding.JSON.loads, f"application/x-{name}")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_serializer", "xml"),
        ("result_serializer", "jsno"),
        ("event_serializer", "xml"),
        ("accept_content", ["json", "xml"]),
        ("result_accept_content", ["xml", "application/json"]),
        ("task_serializer", "application/xml"),
    ],
)
def test_a_setting_that_names_none_is_refused_in_one_line(app: Umbel, setting: str, value: Any) -> None:
    app.conf[setting] = value
    with pytest.raises(ImproperlyConfigured) as caught:
        app.finalize()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{setting} = {value!r} (app.conf): there is no serializer ")
    assert "did you mean 'json'?" in line if value == "jsno" else "known are json, msgpack, pickle, yaml" in line
    with pytest.raises(ImproperlyConfigured, match=setting):
        app.finalize()
    with pytest.raises(ImproperlyConfigured, match=setting):
        Worker(app, hostname="w@h", heartbeat=NEVER)
    with pytest.raises(ImproperlyConfigured, match=setting):
        app.send_task("any")
    assert line in app.problems()


def test_all_of_them_are_told_together_and_where_they_come_from(app: Umbel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMBEL_RESULT_SERIALIZER", "xml")
    app.conf.task_serializer = "csv"
    app.task(lambda: None, name="one", serializer="toml")
    with pytest.raises(ImproperlyConfigured) as caught:
        app.finalize()
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "task_serializer = 'csv' (app.conf)",
        "result_serializer = 'xml' (environment UMBEL_RESULT_SERIALIZER)",
        "one",
    ]


def test_content_types_may_be_accepted_that_nobody_writes(app: Umbel) -> None:
    app.conf.accept_content = ["json", "application/x-of-others"]
    app.finalize()


def test_what_is_registered_later_than_it_is_named_counts(app: Umbel, own: str) -> None:
    app.conf.update(task_serializer=own, result_serializer=own, event_serializer=own, accept_content=[own])
    task = app.task(lambda: None, name="one", serializer=own)
    assert app.tasks["one"] is not None  # finalized by itself
    register(own)
    app.finalize()
    assert app.problems() == []
    task.delay()
    (delivery,) = app.broker.reserve(["celery"], 1, 1)
    assert delivery.envelope.content_type == "application/x-own"


def test_what_is_registered_after_a_refusal_counts(app: Umbel, own: str) -> None:
    app.conf.update(task_serializer=own)
    with suppress(ImproperlyConfigured):
        app.finalize()
    with pytest.raises(ImproperlyConfigured, match="no serializer 'own'"):
        app.send_task("any")
    register(own)
    app.finalize()
    app.send_task("any")
