"""Large bodies are written and read by a way of their own, which gives the same."""

import base64
import json
import os

import pytest

from umbel.errors import DecodeError
from umbel.stores.redis import element, large
from umbel.wire.envelope import Envelope

ENVELOPES = {
    "usual": Envelope("a", "q", b'{"id":"a"}', b'[[1],{},{"callbacks":null}]'),
    "empty": Envelope("a", "q", b'{"id":"a"}', b""),
    "large": Envelope("a", "q", b'{"id":"a"}', os.urandom(100_000), "application/x-msgpack", "binary"),
    "later": Envelope("a", "q", b'{"id":"a"}', os.urandom(5_000), due=1e9, reply_to="r", exchange="x", routing_key="k"),
    "urgent": Envelope("a", "q", b'{"id":"a"}', os.urandom(5_001), priority=7, properties={"note": 'a "quote"'}),
}


@pytest.fixture(params=["always", "never", "not installed"])
def way(request, monkeypatch):
    """When bodies are taken for large."""
    if request.param == "not installed":
        monkeypatch.setattr(large, "_module", lambda: None)
    monkeypatch.setattr(large, "LARGE", 1 << 30 if request.param == "never" else 0)


def read(text):
    """What an element is read as, or why it is not."""
    try:
        return element.read(text.encode(), "q", "0")
    except DecodeError as error:
        return str(error)


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_is_written_is_read_again_whatever_its_size(way, monkeypatch, name):
    monkeypatch.setattr(element, "new_id", lambda: "tag")
    sent = ENVELOPES[name]
    (written,) = element.write([sent], [0, 3, 6, 9])
    assert json.loads(written.element)["body"] == base64.b64encode(sent.body).decode()
    assert element.read(written.element, "q", written.step)[0] == sent


@pytest.mark.parametrize("body", ['a"b', "a\\", "a/b+", "YQ", "YQ=", "YQ==", "YQ===", "Y Q==", "YQ==\n", "é", "", "YWJj" * 2000])
def test_strange_bodies_are_read_as_ever(way, monkeypatch, body):
    usual = json.loads(element.write([ENVELOPES["usual"]], [0])[0].element) | {"body": body}
    texts = [
        json.dumps({**usual, "properties": {**usual["properties"], **changed}})
        for changed in ({}, {"body_encoding": None}, {"body_encoding": "other", "body": "YQ=="})
    ]
    texts += [
        json.dumps({"umbel": [1, 1, None, 5.0], **usual}),
        json.dumps({"x": 1, **usual}, separators=(",", ":")),
        json.dumps(dict(reversed(usual.items()))),
        json.dumps(usual).replace("/", "\\/"),
    ]
    found = [read(text) for text in texts]
    monkeypatch.setattr(large, "LARGE", 1 << 30)
    assert found == [read(text) for text in texts]
