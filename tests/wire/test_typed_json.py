from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from collections import OrderedDict, namedtuple
from enum import Enum, IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.errors import DecodeError
from umbel.wire import typed_json
from umbel.wire.typed_json import from_json, is_plain, register_type, to_json


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    A = "a"


class Plain(Enum):
    A = 1


class Moment(datetime.datetime):
    pass


class WithJson:
    def __json__(self):
        return {"a": (1, 2)}


class Lazy:
    """Looks like a lazy string of Django's."""

    def _proxy____cast(self):
        return "text"

    def __str__(self):
        return self._proxy____cast()


UTC = datetime.UTC
PAIRS = [
    (datetime.datetime(2024, 5, 6, 7, 8, 9, 123456), {"__type__": "datetime", "__value__": "2024-05-06T07:08:09.123456"}),
    (datetime.datetime(2024, 5, 6, tzinfo=UTC), {"__type__": "datetime", "__value__": "2024-05-06T00:00:00+00:00"}),
    (datetime.date(2024, 5, 6), {"__type__": "date", "__value__": "2024-05-06"}),
    (datetime.time(7, 8, 9), {"__type__": "time", "__value__": "07:08:09"}),
    (decimal.Decimal("1.50"), {"__type__": "decimal", "__value__": "1.50"}),
    (uuid.UUID(int=5), {"__type__": "uuid", "__value__": {"hex": "00000000000000000000000000000005"}}),
    ("text é".encode(), {"__type__": "bytes", "__value__": "text é"}),
    (b"\xff\xfe", {"__type__": "base64", "__value__": "//4="}),
]


@pytest.mark.parametrize(("value", "told"), PAIRS)
def test_typed_values_travel_both_ways(value, told):
    packed = to_json([value])
    assert json.loads(packed) == [told]
    assert from_json(packed) == [value]
    assert type(from_json(packed)[0]) is type(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Number.ONE, 1),
        (Word.A, "a"),
        (Moment(2024, 5, 6), {"__type__": "datetime", "__value__": "2024-05-06T00:00:00"}),
        (WithJson(), {"a": [1, 2]}),
        (Lazy(), "text"),
        ({1: "a", None: "b", 1.5: "c"}, {"1": "a", "null": "b", "1.5": "c"}),
        (OrderedDict(a=1), {"a": 1}),
        (namedtuple("Pair", "a b")(1, 2), [1, 2]),
        (10**30, 10**30),
        (math.inf, math.inf),
        ("\ud800", "\ud800"),
    ],
)
def test_what_json_can_say_in_another_way_is_said_so(value, told):
    assert json.loads(to_json(value)) == told


@pytest.mark.parametrize("value", [{1}, datetime.timedelta(1), object(), 1j, Plain.A, {(1, 2): 3}, bytearray(b"x")])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(TypeError):
        to_json(value)


def test_nan_travels():
    assert math.isnan(from_json(to_json(math.nan)))


@pytest.mark.parametrize(
    "data", [b'{"__type__":"bytes","__value__":"x","more":1}', b'{"__type__":"bytes"}', b'{"__type__":1,"a":2}']
)
def test_other_objects_with_such_keys_are_themselves(data):
    assert from_json(data) == json.loads(data)


def test_an_escaped_marker_is_a_marker():
    assert from_json(b'{"\\u005f_type__":"bytes","__value__":"x"}') == b"x"


def test_a_byte_order_mark_is_passed_over():
    assert from_json(b"\xef\xbb\xbf[1]") == [1]


def test_text_is_read_too():
    assert from_json('[1, "é"]') == [1, "é"]


@pytest.mark.parametrize(
    ("marker", "value"),
    [
        ("nope", 1),
        (["x"], 1),
        ("datetime", "yesterday"),
        ("datetime", 5),
        ("date", "2024-13-01"),
        ("time", None),
        ("decimal", "one"),
        ("decimal", {}),
        ("uuid", "x"),
        ("uuid", {"hex": "x"}),
        ("uuid", {}),
        ("uuid", {"hex": 5}),
        ("bytes", 5),
        ("bytes", "\ud800"),
        ("base64", "!!"),
        ("base64", "//4"),
        ("base64", "é"),
        ("base64", []),
    ],
)
def test_a_bad_typed_value_is_told(marker, value):
    with pytest.raises(DecodeError, match="JSON holds"):
        from_json(json.dumps({"__type__": marker, "__value__": value}).encode())


def test_types_of_the_users_own_can_be_added(monkeypatch):
    monkeypatch.setattr(typed_json, "_encoders", typed_json._encoders[:])
    monkeypatch.setattr(typed_json, "_decoders", dict(typed_json._decoders))
    register_type(complex, "complex", lambda value: [value.real, value.imag], lambda value: complex(*value))
    assert from_json(to_json([1 + 2j])) == [1 + 2j]


def test_a_deep_value_is_not_plain():
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert not is_plain(value)
    while value:  # taken apart by hand, since freeing it at once is deep too
        value = value[0]


def trees(leaves):
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


json_values = trees(st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)))
typed_values = trees(
    json_values
    | st.datetimes(timezones=st.sampled_from([None, UTC])).map(lambda value: value.replace(fold=0))
    | st.dates()
    | st.times().map(lambda value: value.replace(fold=0))
    | st.uuids()
    | st.binary()
    | st.decimals(allow_nan=False)
)


@given(json_values)
def test_both_ways_of_writing_mean_the_same(value):
    assert repr(json.loads(to_json(value))) == repr(json.loads(json.dumps(value)))


@given(json_values)
def test_both_ways_of_reading_mean_the_same(value):
    for data in (json.dumps(value), json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()):
        assert repr(from_json(data.encode())) == repr(json.loads(data))


@given(typed_values)
def test_typed_values_come_back_equal(value):
    assert repr(from_json(to_json(value))) == repr(value)
