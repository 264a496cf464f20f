from __future__ import annotations

import datetime
import io
import pickle
import sys

import pytest

from umbel import errors
from umbel.errors import ContentDisallowed, DecodeError, EncodeError, ImproperlyConfigured
from umbel.wire import encoding
from umbel.wire.encoding import accept_types, content_type, dumps, loads, register_serializer

ALL = accept_types(["json", "msgpack", "yaml", "pickle"])
VALUE = {"a": [1, 1.5, None, True, "é"], "b": {"c": -1}}
MSGPACK = ("application/x-msgpack", "binary")


@pytest.mark.parametrize(
    ("name", "kind", "codec"),
    [
        ("json", "application/json", "utf-8"),
        ("msgpack", "application/x-msgpack", "binary"),
        ("yaml", "application/x-yaml", "utf-8"),
        ("pickle", "application/x-python-serialize", "binary"),
    ],
)
def test_a_value_travels_through_each_serializer(name, kind, codec):
    packed = dumps(VALUE, name)
    assert packed[:2] == (kind, codec) == content_type(name)
    assert loads(packed[2], kind, codec, ALL) == VALUE


def test_a_serializer_may_be_named_by_its_content_type():
    assert dumps([1], "application/json") == ("application/json", "utf-8", b"[1]")


def test_pickle_is_refused_unless_accepted():
    with pytest.raises(ContentDisallowed, match=r"add 'pickle' to accept_content if you trust"):
        loads(pickle.dumps(print), "application/x-python-serialize", "binary", accept_types(["json"]))


def test_unknown_content_types_are_refused_even_if_accepted():
    with pytest.raises(ContentDisallowed, match="'text/odd' is not known"):
        loads(b"x", "text/odd", "utf-8", frozenset({"text/odd"}))


def test_parameters_of_a_content_type_are_passed_over():
    assert loads(b"[1]", "Application/JSON; charset=utf-8", "utf-8", ALL) == [1]


@pytest.mark.parametrize("codec", ["utf-8", "UTF8", "us-ascii", "binary", "", None])
def test_usual_names_of_utf_8_are_known(codec):
    assert loads('"é"'.encode(), "application/json", codec, ALL) == "é"


@pytest.mark.parametrize("codec", ["latin-1", "utf-16", "utf-32"])
def test_other_codecs_are_decoded(codec):
    assert loads('"é"'.encode(codec), "application/json", codec, ALL) == "é"


@pytest.mark.parametrize("codec", ["punycode", "idna", "zlib_codec", "rot13", "nope", "unicode_escape"])
def test_odd_codecs_are_refused(codec):
    with pytest.raises(DecodeError, match="content encoding"):
        loads(b"[]", "application/json", codec, ALL)


def test_accepted_content_may_be_told_by_name_or_type():
    assert accept_types(["json", "application/x-msgpack"]) == {"application/json", "application/x-msgpack"}


def test_a_misspelt_serializer_is_told_with_the_nearest():
    with pytest.raises(ImproperlyConfigured, match=r"no serializer 'jsn'; did you mean 'json'\?"):
        accept_types(["jsn"])
    with pytest.raises(EncodeError, match="known are json, msgpack, pickle, yaml"):
        dumps(1, "qqqq")


@pytest.mark.parametrize(
    ("value", "serializer", "told"),
    [
        ({"a": [1, {1, 2}]}, "json", r"value\['a'\]\[1\] cannot be sent as json: \{1, 2\} \(set\)"),
        ([1, {"when": datetime.datetime(2024, 1, 1)}], "msgpack", r"value\[1\]\['when'\] cannot be sent as msgpack: datetime"),
        ([{1: object()}], "yaml", r"value\[0\]\[1\] cannot be sent as yaml: <object"),
        ([lambda: 1], "pickle", r"value\[0\] cannot be sent as pickle: <function"),
        ({(1, 2): 3}, "json", r"value cannot be sent as json: \{\(1, 2\): 3\} \(dict\): TypeError: keys must be str"),
        (
            {datetime.date(2024, 1, 1): 3},
            "msgpack",
            "value cannot be sent as msgpack: .*TypeError: date is no type that msgpack has",
        ),
        ([10**5000], "json", r"value\[0\] cannot be sent as json: <int of 16610 bits>"),
        (10**30, "msgpack", "value cannot be sent as msgpack"),
    ],
)
def test_what_cannot_be_sent_is_named(value, serializer, told):
    with pytest.raises(EncodeError, match=told):
        dumps(value, serializer)


def test_what_contains_itself_is_told():
    value: list[object] = []
    value.append(value)
    with pytest.raises(EncodeError, match=r"args\[0\].* cannot be sent as json"):
        dumps(value, name="args")


def test_msgpack_takes_what_its_other_writers_take():
    for value in ((1, [2]), b"\xff", bytearray(b"x"), {1: "a"}, float("inf")):
        loads(dumps(value, "msgpack")[2], *MSGPACK, ALL)


def test_yaml_with_merge_keys_is_refused():
    bomb = "a: &a {x: 1}\nb: {<<: [*a, *a]}"
    with pytest.raises(DecodeError, match="merge keys"):
        loads(bomb.encode(), "application/x-yaml", "utf-8", ALL)


def test_yaml_aliases_are_read():
    shared = [1]
    assert loads(dumps([shared, shared], "yaml")[2], "application/x-yaml", "utf-8", ALL) == [[1], [1]]


def test_yaml_builds_no_python_objects():
    with pytest.raises(DecodeError):
        loads(b"!!python/object/apply:os.getcwd []", "application/x-yaml", "utf-8", ALL)


def test_a_missing_package_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setattr(encoding.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'umbel\[yaml\]'"):
        accept_types(["yaml"])
    with pytest.raises(EncodeError, match=r"pip install 'umbel\[yaml\]'"):
        dumps(1, "yaml")
    with pytest.raises(DecodeError):
        loads(b"1", "application/x-yaml", "utf-8", ALL)


def test_pickled_exceptions_of_celerys_are_found_here():
    out = io.BytesIO()
    data = b"\x80\x04\x8c\x11celery.exceptions\x8c\rNotRegistered\x93\x8c\x01x\x85R."
    out.write(data)
    failure = loads(data, "application/x-python-serialize", "binary", ALL)
    assert type(failure) is errors.NotRegistered
    assert failure.args == ("x",)


def test_a_serializer_of_the_users_own_can_be_added(monkeypatch):
    monkeypatch.setattr(encoding, "_by_name", dict(encoding._by_name))
    monkeypatch.setattr(encoding, "by_type", dict(encoding.by_type))
    register_serializer("hex", lambda value: value.hex(), lambda data: bytes.fromhex(data.decode()), "application/x-hex")
    kind, codec, data = dumps(b"\xff", "hex")
    assert (kind, codec, data) == ("application/x-hex", "utf-8", b"ff")
    assert loads(data, kind, codec, accept_types(["hex"])) == b"\xff"
    with pytest.raises(DecodeError, match="these 1 bytes are no hex"):
        loads(b"z", kind, codec, accept_types(["hex"]))
