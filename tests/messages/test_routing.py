from __future__ import annotations

import enum
import re
from pathlib import PurePath
from types import SimpleNamespace

import pytest

from umbel.errors import ImproperlyConfigured, QueueNotFound
from umbel.messages.complete import Rules, complete
from umbel.messages.routing import Router


def route_of(routes, name="feeds.tasks.load", *, queues=None, create=True, args=(), kwargs=None, options=None, default="celery"):
    router = Router(routes, queues, default=default, create_missing=create)
    options = options or {}
    return router.choose({**router.route(name, args, kwargs or {}, options), **options}).queue


def by_argument(name, args, kwargs, options, task=None):
    return {"queue": f"for-{args[0]}"} if args else None


class Class:
    def route_for_task(self, name, args, kwargs, options, task=None):
        return "from-class"


class Names(enum.Enum):
    MAIL = "mail-q"
    NONE = 5


class Texts(str, enum.Enum):  # noqa: UP042 - as programs had it before Python 3.11
    SLOW = "slow-q"


@pytest.mark.parametrize(
    ("routes", "queue"),
    [
        (None, "celery"),
        ({}, "celery"),
        ({"feeds.tasks.load": "exact"}, "exact"),
        ({"feeds.tasks.load": {"queue": "exact", "priority": 3}}, "exact"),
        ({"feeds.*": {"queue": "glob"}}, "glob"),
        ({"other.*": "no", "*.load": "last"}, "last"),
        ({"feeds.*": "pattern", "feeds.tasks.load": "exact"}, "exact"),
        ([("feeds.*", "first"), ("*", "second")], "first"),
        ([[re.compile(r"feeds\.(tasks|jobs)\..*"), {"queue": "regex"}]], "regex"),
        ([{"other": "x"}, {"feeds.*": "second-table"}], "second-table"),
        ({"feeds.*": SimpleNamespace(name="object")}, "object"),
        (Class, "from-class"),
        ([Class()], "from-class"),
        ("tests.messages.nowhere:route", ImproperlyConfigured),
        ([5], ImproperlyConfigured),
    ],
)
def test_the_first_route_that_knows_the_task_wins(routes, queue):
    if isinstance(queue, str):
        assert route_of(routes) == queue
    else:
        with pytest.raises(queue):
            route_of(routes)


def test_a_function_may_look_at_the_arguments():
    assert route_of([by_argument, {"feeds.*": "table"}], args=(7,)) == "for-7"
    assert route_of([by_argument, {"feeds.*": "table"}]) == "table"
    assert route_of(by_argument, args=(7,)) == "for-7"


def test_a_route_is_found_by_its_path(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "proj_routes", SimpleNamespace(choose=lambda *args, **kwargs: "by-path"))
    assert route_of(["proj_routes:choose"]) == "by-path"


def test_only_functions_make_routes_depend_on_arguments():
    def fixed(routes):
        return Router(routes, None, default="celery", create_missing=True).is_fixed

    assert fixed({"a": "b"})
    assert fixed([("a", "b")])
    assert not fixed([by_argument])


def test_options_win_over_routes_and_add_to_them():
    router = Router({"*": {"queue": "routed", "priority": 3, "serializer": "yaml"}}, None, default="celery", create_missing=True)
    found = complete("a", (), {}, {"queue": "asked", "priority": None}, Rules(router))
    assert (found["queue"], found["priority"], found["serializer"]) == ("asked", 3, "yaml")


def test_queues_are_named_in_any_of_their_shapes():
    kombu_like = SimpleNamespace(name="obj", exchange=SimpleNamespace(name="ex"), routing_key="key.#")
    for queues, names in [
        (["a", "b"], ["a", "b"]),
        ("a", ["a"]),
        ({"a": {"exchange": "ex", "routing_key": "k"}, "b": None}, ["a", "b"]),
        ([kombu_like, "a"], ["obj", "a"]),
        (None, ["celery"]),
    ]:
        assert list(Router(None, queues, default="celery", create_missing=True).queues) == names


@pytest.mark.parametrize(("queues", "what"), [([5], "5"), ([PurePath("/x")], "Pure"), ({5: None}, "5"), ([Names.NONE], "<Names")])
def test_a_queue_that_is_nothing_is_told(queues, what):
    with pytest.raises(ImproperlyConfigured, match=f"task_queues holds {what}.*; expected a name"):
        Router(None, queues, default="celery", create_missing=True)


@pytest.mark.parametrize("options", [5, "x", {"exchange": 5}, {"routing_key": 5}, {"exchange": PurePath("x")}])
def test_options_of_a_queue_that_are_none_are_told(options):
    with pytest.raises(ImproperlyConfigured, match=r"task_queues\['mail'\] (is|has an exchange or)"):
        Router(None, {"mail": options}, default="celery", create_missing=True)


def test_members_of_enums_are_what_they_stand_for_wherever_queues_are_named():
    assert list(Router(None, [Names.MAIL, Texts.SLOW], default=Texts.SLOW, create_missing=True).queues) == ["mail-q", "slow-q"]
    router = Router(None, {Names.MAIL: {"exchange": Names.MAIL}, Texts.SLOW: None}, default=Texts.SLOW, create_missing=False)
    assert [*map(type, router.queues)] == [str, str]
    assert router.choose({"queue": Names.MAIL}) == ("mail-q", "mail-q", "")
    assert router.choose({}) == ("slow-q", "", "")
    for route in (Names.MAIL, {"queue": Names.MAIL}, lambda *args, **kwargs: Names.MAIL):
        assert route_of({"*": route} if not callable(route) else [route]) == "mail-q"


def test_a_routing_key_finds_the_queue_that_binds_it():
    queues = {
        "exact": {"exchange": "tasks", "routing_key": "task.exact"},
        "topic": {"exchange": "topics", "routing_key": "news.*"},
        "all": {"exchange": "topics", "routing_key": "log.#"},
        "plain": {},
    }
    router = Router(None, queues, default="plain", create_missing=False)

    def queue(**options):
        return router.choose(options).queue

    assert queue(routing_key="task.exact") == "exact"
    assert queue(exchange="topics", routing_key="news.today") == "topic"
    assert queue(routing_key="log.a.b") == "all"
    assert queue(exchange="other", routing_key="task.exact") == "plain"
    assert queue(routing_key="topic") == "topic"
    assert queue(routing_key="unknown") == "plain"
    found = router.choose({"queue": "exact"})
    assert (found.exchange, found.routing_key) == ("tasks", "task.exact")


def test_unknown_queues_are_made_unless_that_is_off():
    assert route_of(None, options={"queue": "new"}, queues=["a"]) == "new"
    assert route_of(None, options={"queue": SimpleNamespace(name="new")}, queues=["a"]) == "new"
    with pytest.raises(QueueNotFound, match="queue 'new' is not in task_queues"):
        route_of(None, options={"queue": "new"}, queues=["a"], create=False)


@pytest.mark.parametrize("name", ["", "umbel.queues", "a\0b", "\ud800"])
def test_what_no_queue_can_be_called_is_told_of_settings_too(name):
    with pytest.raises(ImproperlyConfigured, match=r"task_queues (must be|= )"):
        Router(None, ["fine", name], default="celery", create_missing=True)
    with pytest.raises(ImproperlyConfigured, match=r"task_default_queue (must be|= )"):
        Router(None, None, default=name, create_missing=True)
