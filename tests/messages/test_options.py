"""Options are looked at by one piece, wherever a message is made; what cannot mean anything is told with the task's name."""

from __future__ import annotations

import datetime
import enum
import json
import math
import uuid
from collections import UserDict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import pytest

from umbel import Umbel
from umbel.errors import EncodeError
from umbel.messages.options import checked


class Colour(enum.StrEnum):
    """Names as programs keep them."""

    RED = "red"


class Old(str, enum.Enum):  # noqa: UP042 - as programs had it before Python 3.11
    """The same as it was done before."""

    RED = "red"


class Plain(enum.Enum):
    """Without a type of their own."""

    RED = "red"
    ODD = 5


class Level(enum.IntEnum):
    """Numbers as programs keep them."""

    HIGH = 7


BAD: dict[str, tuple[Any, ...]] = {
    "task_id": (5, uuid.UUID(int=1), "\ud800"),
    "countdown": ("x", "5", math.inf, math.nan, True, [1], 1e11),
    "eta": (5, "soon", "2026-13-45", datetime.date(2030, 1, 1)),
    "expires": ("soon", math.inf, True, [1], datetime.date(2030, 1, 1)),
    "time_limit": ("5", -1, math.nan, True, 2**31),
    "soft_time_limit": ("5", -1, math.nan, True),
    "priority": ("high", [1], math.nan, math.inf, True, uuid.UUID(int=5)),
    "retries": ("1", 1.5, -1, True),
    "queue": (
        5,
        "",
        b"q",
        ["q"],
        "a\0b",
        "\ud800",
        "umbel.queues",
        PurePath("/x"),
        Level.HIGH,
        Umbel("q", set_as_current=False).signature("x"),
    ),
    "exchange": (5, b"x", PurePath("/x"), Level.HIGH),
    "routing_key": (5, ["k"]),
    "serializer": (5, "", ["json"]),
    "compression": (5, ""),
    "headers": (["a"], "a", {1: 2}, 5),
    "link": (5, "proj.add", [5], {"args": ()}, [{"task": "a", "options": {"priority": "x"}}]),
    "link_error": (5, {"task": "a", "args": 5}, {"task": "a", "kwargs": [1]}, {"task": "a", "options": {1: 2}}),
    "shadow": (5, b"x"),
    "reply_to": (5, b"x"),
    "ignore_result": ("x", 5, [], "False"),
    "root_id": (5,),
    "parent_id": (5,),
    "group_id": (5,),
    "group_index": ("1", -1, 1.5),
    "argsrepr": (5,),
    "kwargsrepr": (5,),
    "stamped_headers": ("name", 5, [5]),
    "replaced_task_nesting": ("1", -1),
    "delivery_mode": (3, "x"),
    "chord": (5, "x", [5], {"args": ()}),
    "retry_policy": (5, {"max_retries": "x"}, {"interval_step": True}, {"interval_max": math.nan}, {"timeout": 3}),
}
CASES = [(option, value) for option, values in BAD.items() for value in values]


class Unruly:
    """A value that says nothing of itself, and bears no question."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.fixture
def app() -> Any:
    with Umbel("options", broker="memory://options", set_as_current=False) as made:
        yield made


@pytest.fixture
def add(app: Umbel) -> Any:
    @app.task(name="add")
    def add(*args: Any) -> Any:
        return args

    return add


def by_retry(app: Umbel, add: Any, options: dict[str, Any]) -> None:
    @app.task(name="add2", bind=True)
    def again(self: Any) -> None:
        raise self.retry(**options)

    again.apply().get()


def eagerly(app: Umbel, add: Any, options: dict[str, Any]) -> None:
    app.conf.task_always_eager = True
    add.apply_async((), **options)


WAYS: dict[str, Callable[[Umbel, Any, dict[str, Any]], Any]] = {
    "apply_async": lambda app, add, options: add.apply_async((), **options),
    "send_task": lambda app, add, options: app.send_task("add", (), **options),
    "send_task of a stranger": lambda app, add, options: app.send_task("nobody", (), **options),
    "delay_many": lambda app, add, options: add.delay_many([()], **options),
    "a signature": lambda app, add, options: add.s().set(**options).apply_async(),
    "a link": lambda app, add, options: add.apply_async((), link=add.s().set(**options)),
    "retry": by_retry,
    "apply": lambda app, add, options: add.apply((), **options),
    "eagerly": eagerly,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("option", "value"), CASES, ids=[f"{case[0]}={case[1]!r:.30}" for case in CASES])
def test_an_option_that_means_nothing_is_refused_wherever_it_is_given(
    app: Umbel, add: Any, way: str, option: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=rf"(add2?|nobody): .*{option} (must be|= |holds|has)"):
        WAYS[way](app, add, {option: value})
    assert app.broker.depth(["celery"])["celery"].ready == 0


@pytest.mark.parametrize("value", [Unruly(), 10**5000], ids=["unruly", "huge"])
@pytest.mark.parametrize("option", [option for option in BAD if option not in ("priority", "retry_policy")])
def test_a_value_that_cannot_even_be_told_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^add: {option} .*(<Unruly object|<int of)"):
        checked("add", {option: value})


@pytest.mark.parametrize("way", ["apply_async", "send_task", "a signature", "a link", "apply"])
def test_a_soft_limit_beyond_the_hard_one_is_refused(app: Umbel, add: Any, way: str) -> None:
    with pytest.raises(ValueError, match="add: soft_time_limit = 5 is longer than time_limit = 3"):
        WAYS[way](app, add, {"soft_time_limit": 5, "time_limit": 3})


def test_options_of_routes_and_tasks_are_looked_at_as_well(app: Umbel, add: Any) -> None:
    app.conf.task_routes = {"add": {"priority": "high"}}
    with pytest.raises(ValueError, match="add: priority must be a whole number, 0 to 9, not 'high'"):
        add.delay()
    app.conf.task_routes = None
    type(add).time_limit = "long"  # past `__setattr__`, which looks at it as well
    with pytest.raises(ValueError, match="add: time_limit must be a number of seconds, not 'long'"):
        add.delay()


@pytest.mark.parametrize("name", [Colour.RED, Old.RED])
@pytest.mark.parametrize("option", ["queue", "routing_key", "serializer", "shadow", "reply_to", "task_id", "root_id", "argsrepr"])
def test_members_of_enums_are_what_they_stand_for(name: Any, option: str) -> None:
    found = checked("add", {option: name})[option]
    assert (type(found), found) == (str, "red")


def test_numbers_become_plain_ones() -> None:
    found = checked("add", {"priority": Level.HIGH, "retries": Level.HIGH, "countdown": Level.HIGH, "ignore_result": 1})
    assert [(type(value), value) for value in found.values()] == [(int, 7), (int, 7), (int, 7), (bool, True)]
    assert checked("add", {"priority": 5.0})["priority"] == 5
    assert checked("add", {"priority": "3"})["priority"] == 3
    exact = {"countdown": Decimal("2.5"), "expires": Fraction(5, 2), "time_limit": Decimal(3), "priority": Decimal(3)}
    found = checked("add", exact)
    assert [(type(value), value) for value in found.values()] == [(float, 2.5), (float, 2.5), (float, 3.0), (int, 3)]


@pytest.mark.parametrize("option", ["queue", "exchange"])
def test_members_of_enums_without_a_type_are_what_they_stand_for_too(option: str) -> None:
    assert checked("add", {option: Plain.RED}) == {option: "red"}
    with pytest.raises(ValueError, match=f"add: {option} must be the name of"):
        checked("add", {option: Plain.ODD})


@pytest.mark.parametrize("way", ["link", "link_error", "chain"])
def test_what_a_call_takes_its_signature_may_say_as_well(app: Umbel, add: Any, way: str) -> None:
    options = {
        "queue": Plain.RED,
        "countdown": Fraction(5, 2),
        "headers": UserDict(a=1),
        "stamped_headers": {"a"},
        "link": (each for each in [add]),
    }
    add.apply_async((), queue=f"with {way}", **{way: [add.s().set(**options)]})
    (delivery,) = app.broker.reserve([f"with {way}"], 1, 1.0)
    _, _, embed = json.loads(delivery.envelope.body)
    (said,) = embed[{"link": "callbacks", "link_error": "errbacks"}.get(way, way)]
    (link,) = said["options"].pop("link")
    assert link["task"] == "add"
    assert said["options"] == {"queue": "red", "countdown": 2.5, "headers": {"a": 1}, "stamped_headers": ["a"]}


def test_what_is_known_of_policies_is_taken() -> None:
    policy = {"max_retries": None, "interval_start": 0, "interval_step": 0.2, "interval_max": Fraction(1, 5), "errback": print}
    assert checked("add", {"retry_policy": policy})["retry_policy"] == policy


def test_what_says_nothing_is_left_out_and_what_nobody_knows_is_left_alone() -> None:
    assert checked("add", {"queue": None, "link": [], "delivery_mode": 2, "foo": object}) == {"foo": object}


def test_links_are_listed_however_they_are_given(add: Any) -> None:
    sig = dict(add.s())
    for given in (add, add.s(), sig, [add], (add.s(),), {"task": "add"}):
        found = checked("add", {"link": given})["link"]
        assert [each["task"] for each in found] == ["add"]
        assert all(isinstance(each, dict) for each in found)
    assert len(checked("add", {"link_error": (add.s(1), add.s(2))})["link_error"]) == 2


def test_what_nobody_knows_travels_as_a_property(app: Umbel, add: Any) -> None:
    add.apply_async((), foo="bar", delivery_mode="transient", mandatory=True, queue=Colour.RED)
    (delivery,) = app.broker.reserve(["red"], 1, 1.0)
    assert delivery.envelope.properties == {"foo": "bar", "delivery_mode": 1}


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("apply", "retry", "a link", "eagerly")])
@pytest.mark.parametrize("options", [{"foo": object()}, {"serializer": "none"}, {"compression": "none"}])
def test_what_cannot_be_written_names_the_task(app: Umbel, add: Any, way: str, options: dict[str, Any]) -> None:
    with pytest.raises(EncodeError, match=r"^(add|nobody): "):
        WAYS[way](app, add, options)


@pytest.mark.parametrize("options", [{"foo": object()}, {"compression": "none"}])
def test_what_cannot_be_written_because_of_a_route_names_the_task(app: Umbel, add: Any, options: dict[str, Any]) -> None:
    app.conf.task_routes = {"add": options}
    with pytest.raises(EncodeError, match=r"^add: "):
        add.delay()
