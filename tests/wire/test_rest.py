"""The rest of a chain goes from message to message as it stands there."""

from __future__ import annotations

import json

import pytest

from umbel.wire import protocol, rest
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message

STEPS = [{"task": name, "args": ['],é"', {"chain": []}], "options": {"task_id": name}} for name in "abc"]
ACCEPT = frozenset({"application/json"})


def message(chain: list[object] | None, **how: str) -> Envelope:
    return protocol.encode(Message(Headers(task="t", id="i"), embed=Embed(chain=chain)), queue="q", **how)


def test_what_is_cut_out_of_one_message_stands_in_the_next() -> None:
    behind = rest.of_chain(message(STEPS))
    assert behind is not None
    found = rest.added(message([]), behind)
    assert found == message(STEPS[:-1])
    assert protocol.decode(found, ACCEPT).embed.chain == STEPS[:-1]


@pytest.mark.parametrize("indent", [None, 1])
def test_bytes_of_others_may_have_spaces_and_other_order(indent: int | None) -> None:
    body = json.dumps([[1], {}, {"chord": None, "chain": STEPS, "callbacks": None, "errbacks": None}], indent=indent)
    behind = rest.of_chain(Envelope("i", "q", b"{}", body.encode()))
    assert behind is not None
    assert json.loads(b"[" + behind + b"]") == STEPS[:-1]


@pytest.mark.parametrize("chain", [None, [], STEPS[:1]])
def test_where_there_is_no_rest_none_is_found(chain: list[object] | None) -> None:
    assert rest.of_chain(message(chain)) is None


def test_what_cannot_be_read_as_it_stands_is_left_to_who_can() -> None:
    assert rest.of_chain(message(STEPS, compression="gzip")) is None
    assert rest.of_chain(message(STEPS, serializer="msgpack")) is None
    assert rest.of_chain(Envelope("i", "q", b"{}", b'{"args": [], "chain": [1, 2]}')) is None
    assert rest.of_chain(Envelope("i", "q", b"{}", b"\xff")) is None


def test_where_there_is_no_place_for_it_nothing_is_added() -> None:
    assert rest.added(message(None), b"1") is None
    assert rest.added(message([], compression="gzip"), b"1") is None
    chord = protocol.encode(Message(Headers(task="t", id="i"), embed=Embed(chain=[], chord=STEPS[0])), queue="q")
    assert rest.added(chord, b"1") is None
