from __future__ import annotations

import collections
import datetime
import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.wire.brief import brief, told


@pytest.mark.parametrize(
    "value",
    [
        (),
        {},
        [],
        (2, 3),
        (1,),
        [1],
        {"a": "b"},
        {"a": [1, (2,)]},
        "it's",
        b"\xff",
        None,
        1.5,
        True,
        set(),
        {1},
        frozenset(),
        frozenset({1}),
        datetime.date(2024, 5, 6),
        decimal.Decimal("1.50"),
        collections.OrderedDict(a=1),
        ("é", [1.5, None]),
        {"x": 2, "y": "é"},
        list(range(100)),
        {str(number): number for number in range(50)},
    ],
)
def test_small_values_look_as_in_python(value):
    assert brief(value) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([[[[1]]]], "[[[[...]]]]"),
        ([[[[]]]], "[[[[]]]]"),
        ({"a": {"b": {"c": {"d": 1}}}}, "{'a': {'b': {'c': {...}}}}"),
        (((((1,),),),), "((((...),),),)"),
    ],
)
def test_what_lies_too_deep_is_left_out(value, text):
    assert brief(value) == text


LONG = {
    "text": lambda: "x" * 10_000_000,
    "bytes": lambda: b"x" * 10_000_000,
    "text in a tuple": lambda: ("x" * 5000,),
    "key": lambda: {"x" * 5000: 1},
    "list": lambda: list(range(1_000_000)),
    "dictionary": lambda: dict.fromkeys(range(1_000_000)),
    "other letters": lambda: ["é" * 2000],
    "numbers": lambda: (10**4200,) * 16,
    "two": lambda: ("x" * 900, "y" * 900),
}
"""Made when they are needed: each of the processes that run the tests would keep them all."""


@pytest.mark.parametrize("name", LONG)
def test_long_values_end_in_dots_at_the_limit(name):
    text = brief(LONG[name](), 100)
    assert len(text) == 100
    assert text.endswith("...")


def test_the_limit_itself_is_not_cut():
    assert brief("x" * 98, 100) == repr("x" * 98)
    assert len(brief(("x" * 1000,))) == 1005


def test_huge_numbers_are_told_by_their_size():
    assert brief(10**100_000) == "<int of 332193 bits>"
    assert brief((10**100_000, 1)) == "(<int of 332193 bits>, 1)"


class Angry:
    def __repr__(self):
        raise RuntimeError


class Liar(tuple):
    __slots__ = ()

    def __len__(self):
        raise RuntimeError


class Lone:
    def __repr__(self):
        return "\ud800 é"


def test_a_repr_that_raises_is_told():
    assert brief([1, Angry()]) == "[1, <Angry object: its repr raised RuntimeError>]"


def test_a_container_that_raises_is_told():
    assert brief(Liar()) == "<Liar object: its repr raised RuntimeError>"


def test_the_text_can_always_be_encoded():
    assert brief(Lone()) == "\\ud800 é"
    assert brief(("\ud800",)) == "('\\ud800',)"


def test_what_contains_itself_ends():
    value: list[object] = [1]
    value.append(value)
    assert brief(value) == "[1, [1, [1, [...]]]]"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Angry) | st.builds(Lone),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(anything, st.integers(3, 200))
def test_any_value_is_told_within_the_limit(value, limit):
    text = brief(value, limit)
    text.encode()
    assert len(text) <= limit


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def test_an_exception_is_told_by_its_class_and_words():
    assert told(ValueError("x" * 1000)) == "ValueError: " + "x" * 200
    assert told(ValueError()) == "ValueError"
    assert told(Mute("x")) == "Mute"
