"""Whatever the bytes are: a value or one typed error, soon, and nothing else."""

from __future__ import annotations

import base64
import json
import pathlib
import time
import zlib
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umbel.errors import DecodeError
from umbel.wire import compression, protocol, result
from umbel.wire.encoding import accept_types, loads
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message
from umbel.wire.result import Result

SAFE = accept_types(["json", "msgpack", "yaml"])  # pickle runs code by design, and is refused unless accepted
TYPES = ["application/json", "application/x-msgpack", "application/x-yaml", "application/x-python-serialize", "text/odd", ""]
CODECS = ["utf-8", "binary", "latin-1", "utf-16", "utf-32", "ascii", "punycode", "idna", "zlib_codec", "\x00", ""]
COMPRESSIONS = ["application/x-gzip", "application/x-bz2", "application/x-lzma", "application/zstd", "application/x-brotli"]
RECORDED = pathlib.Path(__file__).parent / "celery"
ELEMENTS = [element for found in json.loads((RECORDED / "messages.json").read_text()).values() for element in found]
DOCUMENTS = [
    (serializer, base64.b64decode(text))
    for serializer, found in json.loads((RECORDED / "results.json").read_text()).items()
    if serializer != "pickle"
    for call in found.values()
    for text in call["documents"]
]
MEGABYTE = 1024 * 1024

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def damaged(draw, data):
    """The bytes with bits flipped, a part cut out, a part doubled or something put in."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        to = draw(st.integers(at, len(data)))
        how = draw(st.integers(0, 4))
        if how == 0 and data:
            data = data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
        elif how == 1:
            data = data[:at] + data[to:]
        elif how == 2:
            data = data[:to] + data[at:]
        elif how == 3:
            data = data[:at]
        else:
            data = data[:at] + draw(st.binary(max_size=20)) + data[at:]
    return data


def read(sent: Envelope) -> None:
    """Read it in every way; errors are typed, what is read can be told again."""
    for reader in (protocol.headers, protocol.decode):
        with suppress(DecodeError):
            reader(sent, SAFE)
    with suppress(DecodeError):
        headers = protocol.headers(sent, SAFE)
        protocol.when(headers.eta)
        protocol.when(headers.expires)


def envelope(element) -> Envelope:
    head, body = json.dumps(element["headers"]).encode(), base64.b64decode(element["body"])
    return Envelope("i", "q", head, body, element["content-type"], element["content-encoding"])


@given(st.data(), st.sampled_from(ELEMENTS))
@settings(max_examples=400)
def test_damaged_messages_of_celerys(data, element):
    sent = envelope(element)
    if data.draw(st.booleans()):
        sent.body = data.draw(damaged(sent.body))
    else:
        sent.headers = data.draw(damaged(sent.headers))
    read(sent)


@given(st.sampled_from(ELEMENTS), st.sampled_from(TYPES), st.sampled_from(CODECS), st.sampled_from([*COMPRESSIONS, "odd"]))
def test_messages_that_lie_about_their_content(element, kind, codec, how):
    sent = envelope(element)
    sent.content_type, sent.content_encoding = kind, codec
    sent.headers = json.dumps({**element["headers"], "compression": how}).encode()
    read(sent)


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(TYPES), st.sampled_from(CODECS))
def test_any_bytes(head, body, kind, codec):
    read(Envelope("i", "q", head, body, kind, codec))


@given(st.dictionaries(st.sampled_from([*Headers.__struct_fields__, "mine"]), json_values), json_values)
@settings(max_examples=300)
def test_any_values_in_every_header(head, body):
    read(Envelope("i", "q", json.dumps({"task": "t", "id": "i", **head}).encode(), json.dumps([[], {}, body]).encode()))


@given(
    st.lists(json_values, max_size=4) | st.dictionaries(st.sampled_from(["task", "id", "args", "kwargs", "chord"]), json_values)
)
@settings(max_examples=300)
def test_any_values_in_the_body(body):
    for head in ({}, {"task": "t", "id": "i"}):
        read(Envelope("i", "q", json.dumps(head).encode(), json.dumps(body).encode()))


@given(st.sampled_from(["datetime", "date", "time", "decimal", "uuid", "bytes", "base64", "odd"]) | json_values, json_values)
@settings(max_examples=300)
def test_any_typed_value(marker, value):
    with suppress(DecodeError):
        loads(json.dumps([{"__type__": marker, "__value__": value}]).encode(), "application/json", "utf-8", SAFE)


@given(st.data(), st.sampled_from(DOCUMENTS))
@settings(max_examples=400)
def test_damaged_results_of_celerys(data, told):
    serializer, document = told
    with suppress(DecodeError):
        result.decode(Result("i", "FAILURE", data.draw(damaged(document))), SAFE, serializer)


@given(
    st.dictionaries(st.sampled_from(["exc_type", "exc_message", "exc_module"]), json_values | st.sampled_from(["builtins", "os"]))
)
@settings(max_examples=300)
def test_any_exception(told):
    document = json.dumps({"status": "FAILURE", "result": told}).encode()
    with suppress(DecodeError):
        str(result.decode(Result("i", "FAILURE", document), SAFE).result)


@given(st.data(), st.sampled_from(COMPRESSIONS), st.binary(max_size=300))
@settings(max_examples=300)
def test_damaged_compression(data, how, plain):
    packed, header = compression.compress(plain, how)
    with suppress(DecodeError):
        compression.decompress(data.draw(damaged(packed)), header, MEGABYTE)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes_as_msgpack_and_yaml(data):
    for kind in ("application/x-msgpack", "application/x-yaml"):
        with suppress(DecodeError):
            loads(data, kind, "binary", SAFE)


@given(json_values, json_values, st.none() | st.lists(json_values), json_values)
def test_what_we_write_we_read(first, second, callbacks, chord):
    message = Message(
        Headers(task="t", id="i"), (first,), {"a": second}, Embed(callbacks=callbacks, chord=chord), {"mine": first}
    )
    found = protocol.decode(protocol.encode(message, queue="q"), SAFE)
    embed = (found.embed.callbacks, found.embed.chord)
    assert repr((found.args, found.kwargs, embed, found.extra)) == repr(
        ([first], {"a": second}, (callbacks, chord), {"mine": first})
    )


HEAD = b'{"task": "t", "id": "i"}'
DEEP = {
    "array": lambda: (b"[" * 200_000, "application/json"),
    "closed array": lambda: (b"[" * 200_000 + b"]" * 200_000, "application/json"),
    "object": lambda: (b'{"a":' * 200_000, "application/json"),
    "typed": lambda: (b'{"__type__":"bytes","__value__":' * 200_000, "application/json"),
    "msgpack": lambda: (b"\x91" * 200_000, "application/x-msgpack"),
    "msgpack sizes": lambda: (b"\xdd\xff\xff\xff\xff" * 5000, "application/x-msgpack"),
    "yaml": lambda: (b"[" * 20_000, "application/x-yaml"),
    "yaml blocks": lambda: (b"- " * 5_000, "application/x-yaml"),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting(name):
    data, kind = DEEP[name]()
    began = time.process_time()
    with pytest.raises(DecodeError):
        protocol.decode(Envelope("i", "q", HEAD, data, kind, "utf-8"), SAFE)
    with pytest.raises(DecodeError):
        protocol.headers(Envelope("i", "q", data, data, kind, "utf-8"), SAFE)
    assert time.process_time() - began < 20


def test_a_bomb_in_the_body():
    bomb = zlib.compress(bytes(compression.LIMIT_BYTES + 1), 1)
    head = json.dumps({"task": "t", "id": "i", "compression": "application/x-gzip"}).encode()
    with pytest.raises(DecodeError, match="grow beyond the limit"):
        protocol.decode(Envelope("i", "q", head, bomb), SAFE)


@pytest.mark.parametrize("fill", [b"1", b"[", b'"', b"\xff", b" ", b"{"])
def test_a_hundred_megabytes(fill):
    began = time.process_time()
    data = fill * (100 * MEGABYTE)
    with pytest.raises(DecodeError):
        protocol.decode(Envelope("i", "q", HEAD, data), SAFE)
    with pytest.raises(DecodeError):
        protocol.headers(Envelope("i", "q", data, b"[]"), SAFE)
    assert time.process_time() - began < 20


def test_a_hundred_megabytes_that_are_meant():
    body = msgspec.json.encode([["x" * (100 * MEGABYTE)], {}, {}])
    assert len(protocol.decode(Envelope("i", "q", HEAD, body), SAFE).args[0]) == 100 * MEGABYTE


def test_numbers_of_many_digits():
    with pytest.raises(DecodeError):
        loads(b"[" + b"9" * 5000 + b"]", "application/json", "utf-8", SAFE)


def test_memory_that_is_not_there_is_told(monkeypatch):
    from umbel.wire import encoding

    def greedy(data):
        raise MemoryError

    monkeypatch.setattr(encoding, "by_type", dict(encoding.by_type))
    monkeypatch.setattr(encoding, "_by_name", dict(encoding._by_name))
    encoding.register_serializer("greedy", bytes, greedy, "application/x-greedy")
    with pytest.raises(DecodeError, match="MemoryError"):
        loads(b"x", "application/x-greedy", "utf-8", frozenset({"application/x-greedy"}))
