from __future__ import annotations

import datetime
import json
import os
import uuid

import msgspec
import pytest

from umbel import clock
from umbel.errors import ContentDisallowed, DecodeError, EncodeError
from umbel.wire import encoding, protocol, result
from umbel.wire.encoding import accept_types
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed, Headers, Message
from umbel.wire.protocol import Template, decode, encode, headers, origin, when

JSON = accept_types(["json"])
ALL = accept_types(["json", "msgpack", "yaml", "pickle"])
SIG = {"task": "t", "args": [], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def a_message(*args, **kwargs) -> Message:
    return Message(headers=Headers(task="proj.add", id="an-id"), args=args, kwargs=kwargs)


def raw(head, body) -> Envelope:
    return Envelope("an-id", "q", json.dumps(head).encode(), json.dumps(body).encode())


HEAD = {"task": "t", "id": "an-id"}
BODY = [[], {}, EMBED]


# Writing.


def test_open_headers_are_filled():
    sent = encode(a_message(2, x="é"), queue="q")
    assert json.loads(sent.headers) == {
        "lang": "py",
        "task": "proj.add",
        "id": "an-id",
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": "an-id",
        "parent_id": None,
        "argsrepr": "(2,)",
        "kwargsrepr": "{'x': 'é'}",
        "origin": origin(),
        "ignore_result": None,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    assert json.loads(sent.body) == [[2], {"x": "é"}, EMBED]


def test_given_headers_stay_and_the_message_is_not_changed():
    message = a_message(2)
    message.headers = Headers(task="t", id="i", root_id="r", parent_id="p", argsrepr="…", kwargsrepr="?", origin="o")
    before = msgspec.structs.asdict(message.headers)
    found = headers(encode(message, queue="q", compression="gzip"), JSON)
    assert (found.root_id, found.parent_id, found.argsrepr, found.kwargsrepr, found.origin) == ("r", "p", "…", "?", "o")
    assert msgspec.structs.asdict(message.headers) == before


def test_the_address_is_written_on_the_envelope():
    sent = encode(
        a_message(), queue="q", priority=3, due=5.5, exchange="e", routing_key="k", reply_to="r", properties={"delivery_mode": 1}
    )
    address = (sent.queue, sent.priority, sent.due, sent.exchange, sent.routing_key, sent.reply_to, sent.properties)
    assert address == ("q", 3, 5.5, "e", "k", "r", {"delivery_mode": 1})


@pytest.mark.parametrize("serializer", ["json", "msgpack", "yaml", "pickle"])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("embed", [Embed(), Embed(callbacks=[SIG], errbacks=[], chain=[SIG, SIG], chord=SIG)])
def test_messages_come_back(serializer, compression, embed):
    message = Message(Headers(task="t", id="i"), [1, "é"], {"a": None}, embed, {"custom": [1]})
    sent = encode(message, queue="q", serializer=serializer, compression=compression)
    filled = Template(message, queue="q", serializer=serializer, compression=compression).fill("i", message.args, message.kwargs)
    assert filled == sent
    found = decode(sent, ALL)
    assert (found.args, found.kwargs, found.embed, found.extra) == (message.args, message.kwargs, embed, message.extra)


def test_a_part_that_cannot_travel_is_named():
    with pytest.raises(EncodeError, match=r"args\[1\] cannot be sent as json: \{1\} \(set\)"):
        encode(a_message(1, {1}), queue="q")
    with pytest.raises(EncodeError, match=r"kwargs\['when'\] cannot be sent as json: <object"):
        Template(a_message(), queue="q").fill_many([((), {}), ((), {"when": object()})])
    with pytest.raises(EncodeError, match=r"options\['chord'\] cannot be sent"):
        encode(Message(Headers(task="t", id="i"), embed=Embed(chord={1})), queue="q")
    with pytest.raises(EncodeError, match=r"options\['chord'\] cannot be sent"):
        Template(Message(Headers(task="t", id="i"), embed=Embed(chord={1})), queue="q")
    with pytest.raises(EncodeError, match=r"headers\['x'\] cannot be sent"):
        encode(Message(Headers(task="t", id="i"), extra={"x": {1}}), queue="q")


@pytest.mark.parametrize("bad", [object(), {1}, [10**5000], 1 << 70, "\ud800", {"\udfff": 1}, 3j], ids=range(7))
def test_a_property_that_not_every_store_can_write_is_refused(bad):
    for write in (encode, Template):
        with pytest.raises(EncodeError, match=r"properties\W.*x\W.* cannot be sent"):
            write(a_message(), queue="q", properties={"x": bad})


def test_properties_travel_as_plain_values():
    class Safe(str):
        __slots__ = ()

    sent = encode(a_message(), queue="q", properties={"x": Safe("a"), "y": (1, None)})
    assert [(type(value), value) for value in sent.properties.values()] == [(str, "a"), (list, [1, None])]


@pytest.mark.parametrize("bad", [5, None, "\ud800"])
def test_an_id_that_is_no_text_is_refused(bad):
    with pytest.raises(EncodeError, match="task id must be text"):
        encode(Message(Headers(task="t", id=bad)), queue="q")
    with pytest.raises(EncodeError, match="task id must be text"):
        Template(a_message(), queue="q").fill(bad, (), {})


def test_args_that_contain_themselves_are_told():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(EncodeError, match=r"args\[0\]"):
        encode(a_message(endless), queue="q")
    with pytest.raises(EncodeError, match=r"args\[0\]"):
        Template(a_message(), queue="q").fill_many([((endless,), {})])


def test_custom_headers_do_not_replace_known_ones():
    sent = encode(Message(Headers(task="t", id="i"), extra={"id": "other", "mine": 1}), queue="q")
    found = decode(sent, JSON)
    assert (found.headers.id, found.extra) == ("i", {"mine": 1})


def test_headers_may_hold_typed_values():
    when_ = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)
    message = Message(Headers(task="t", id="i", stamped_headers=["when"], stamps={"when": when_}), extra={"since": when_})
    sent = encode(message, queue="q")
    assert headers(sent, JSON).stamps == {"when": when_}
    assert decode(sent, JSON).extra == {"since": when_}


@pytest.mark.parametrize("text", ["\ud800", 'quote " and \\ and \x00', "é\U0001f600"])
def test_any_text_travels(text):
    message = Message(Headers(task="t", id="i", shadow=text), (text,), {text: text})
    for sent in (encode(message, queue="q"), Template(message, queue="q").fill("i", (text,), {text: text})):
        found = decode(sent, JSON)
        assert (found.headers.shadow, found.args, found.kwargs) == (text, [text], {text: text})
        assert headers(sent, JSON) == found.headers


def test_long_arguments_are_told_in_brief():
    found = headers(encode(a_message("x" * 5000, y="y" * 5000), queue="q"), JSON)
    assert len(found.argsrepr) == len(found.kwargsrepr) == 1024


def test_expiration_is_what_is_left(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: 1_000_000.0)
    for expires, told in ((1_000_060.25, "60250"), (999_000.0, "0")):
        message = Message(Headers(task="t", id="i", expires=clock.utc(expires).isoformat()))
        assert encode(message, queue="q").properties == {"expiration": told}
        assert Template(message, queue="q").fill("i", (), {}).properties == {"expiration": told}


def picky(value):
    if isinstance(value, list):
        raise ValueError("no lists")
    return b""


def test_a_whole_that_cannot_travel_is_told_though_its_parts_can(monkeypatch):
    monkeypatch.setattr(encoding, "_by_name", dict(encoding._by_name))
    monkeypatch.setattr(encoding, "by_type", dict(encoding.by_type))
    encoding.register_serializer("picky", picky, bytes, "application/x-picky")
    with pytest.raises(EncodeError, match="value cannot be sent as picky"):
        encode(a_message(), queue="q", serializer="picky")


# Templates.


def test_a_template_writes_what_encode_writes():
    calls = [((), {}), ((2, 3), {}), ((), {"x": 1}), (("é", [1.5]), {"y": {"z": None}}), ((float("inf"), uuid.UUID(int=1)), {})]
    template = Template(a_message(), queue="q", priority=2, due=7.0, reply_to="r", properties={"a": 1})
    for filled, (args, kwargs) in zip(template.fill_many(iter(calls)), calls, strict=True):
        message = Message(Headers(task="proj.add", id=filled.id), args, kwargs)
        plain = encode(message, queue="q", priority=2, due=7.0, reply_to="r", properties={"a": 1})
        assert json.loads(filled.headers) == json.loads(plain.headers)
        assert json.loads(filled.body) == json.loads(plain.body)
        assert (filled.queue, filled.priority, filled.due, filled.reply_to, filled.properties) == ("q", 2, 7.0, "r", {"a": 1})


@pytest.mark.parametrize("text", ["x" * 240, "\x7f" * 240, "'\"" * 120, "\x00" * 60, "é" * 200, "x" * 2000], ids=range(6))
def test_a_template_tells_arguments_as_encode_does(text):
    for args, kwargs in (((text,), {}), ([text], {"a": text}), ((), {text: 1}), ((True, None, 2**70), {"x": (1,)})):
        filled = Template(a_message(), queue="q").fill("an-id", args, kwargs)
        plain = encode(Message(Headers(task="proj.add", id="an-id"), args, kwargs), queue="q")
        found, expected = headers(filled, JSON), headers(plain, JSON)
        assert (found.argsrepr, found.kwargsrepr) == (expected.argsrepr, expected.kwargsrepr)
        assert json.loads(filled.body) == json.loads(plain.body)


def test_a_json_serializer_of_ones_own_reads(monkeypatch):
    monkeypatch.setattr(encoding, "_by_name", dict(encoding._by_name))
    monkeypatch.setattr(encoding, "by_type", dict(encoding.by_type))
    encoding.register_serializer("json", json.dumps, lambda data: json.loads(data.replace(b"here", b"there")), "application/json")
    assert decode(raw(HEAD, [["here"], {}, EMBED]), JSON).args == ["there"]
    document = b'{"status": "SUCCESS", "task_id": "i", "result": "here"}'
    assert result.decode(result.Result("i", "SUCCESS", document), JSON).result == "there"


def test_ids_of_a_template_ascend():
    ids = [filled.id for filled in Template(a_message(), queue="q").fill_many([((), {})] * 50)]
    assert ids == sorted(set(ids))
    assert len(ids) == 50


def test_a_template_keeps_a_root_of_its_own():
    message = Message(Headers(task="t", id="i", root_id="r", parent_id="p", argsrepr="a", kwargsrepr="k"))
    found = headers(Template(message, queue="q").fill("j", (1,), {"b": 2}), JSON)
    assert (found.id, found.root_id, found.parent_id, found.argsrepr, found.kwargsrepr) == ("j", "r", "p", "a", "k")


def test_ids_may_hold_anything():
    sent = Template(a_message(), queue="q").fill('it\'s "é"\\', (), {})
    assert (headers(sent, JSON).id, headers(sent, JSON).root_id, sent.id) == ('it\'s "é"\\',) * 3


def test_a_forked_child_is_its_own_origin():
    template = Template(a_message(), queue="q")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, headers(template.fill("i", (), {}), JSON).origin.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 1000).decode().startswith(f"gen{pid}@")
    os.close(reader)
    os.close(writer)
    assert headers(template.fill("i", (), {}), JSON).origin == origin()


def test_the_origin_follows_the_process(monkeypatch):
    template = Template(a_message(), queue="q")
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    assert headers(template.fill("i", (), {}), JSON).origin.startswith("gen4711@")


# Reading.


def test_null_is_as_good_as_absent():
    head = {**HEAD, "lang": None, "retries": None, "timelimit": None, "stamps": None, "compression": None, "redelivered": None}
    expected = Headers(task="t", id="an-id")
    assert headers(raw(head, BODY), JSON) == decode(raw(head, BODY), JSON).headers == expected


def test_the_hybrid_is_read():
    body = {"args": [1], "kwargs": {"a": 2}, "callbacks": [SIG], "chord": None, "more": 1}
    found = decode(raw({**HEAD, "mine": 1}, body), JSON)
    assert (found.args, found.kwargs, found.embed, found.extra) == ([1], {"a": 2}, Embed(callbacks=[SIG]), {"mine": 1})


def test_protocol_1_is_read():
    body = {"task": "t", "id": "i", "args": [1], "kwargs": {}, "taskset": "g", "chord": SIG, "retries": 2, "utc": True}
    sent = raw({"mine": 1}, body)
    found = decode(sent, JSON)
    assert found.headers == headers(sent, JSON) == Headers(task="t", id="i", group="g", retries=2)
    assert (found.args, found.embed, found.extra) == ([1], Embed(chord=SIG), {"mine": 1})


def test_missing_arguments_are_none():
    found = decode(raw(HEAD, [None, None, None]), JSON)
    assert (found.args, found.kwargs, found.embed) == ([], {}, Embed())


def test_the_flag_of_a_second_delivery_is_read():
    assert headers(raw({**HEAD, "redelivered": True}, BODY), JSON).redelivered is True


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ({**HEAD, "id": 5}, r"headers do not fit: .*\$\.id"),
        ({"task": "t"}, "missing required field `id`"),
        ({**HEAD, "eta": 5}, r"\$\.eta"),
        ({**HEAD, "retries": "2"}, r"\$\.retries"),
        ({**HEAD, "retries": -1}, r"\$\.retries"),
        ({**HEAD, "retries": 10**30}, r"\$\.retries"),
        ({**HEAD, "timelimit": [1]}, r"\$\.timelimit"),
        ({**HEAD, "timelimit": [float("nan"), None]}, r"\$\.timelimit"),
        ({**HEAD, "timelimit": [None, -1]}, r"\$\.timelimit"),
        ({**HEAD, "timelimit": [1e300, None]}, r"\$\.timelimit"),
        ({**HEAD, "stamps": []}, r"\$\.stamps"),
        ({**HEAD, "compression": 5}, "`compression` is no text"),
        ({**HEAD, "compression": "odd"}, "compression 'odd' is not known"),
        ({**HEAD, "task": None}, "missing required field `task`"),
        ([], "headers are no object"),
        ("x", "headers are no object"),
        ({}, "neither headers nor body name a task"),
    ],
)
def test_bad_headers_are_told(head, told):
    with pytest.raises(DecodeError, match=told):
        decode(raw(head, BODY), JSON)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([[], {}], "no .args, kwargs, embed."),
        ([[], {}, EMBED, 1], "no .args, kwargs, embed."),
        (5, "no .args, kwargs, embed."),
        (["x", {}, EMBED], "arguments are no array: 'x'"),
        ([[], [1], EMBED], "keyword arguments are no object"),
        ([[], {}, [1]], "callbacks and chain are no object"),
        ([[], {}, {"callbacks": 5}], r"embed do not fit: .*\$\.callbacks"),
        ({"args": 5}, "arguments are no array"),
    ],
)
def test_bad_bodies_are_told(body, told):
    with pytest.raises(DecodeError, match=told):
        decode(raw(HEAD, body), JSON)


def test_names_of_keyword_arguments_are_text():
    sent = Envelope(
        "i", "q", json.dumps(HEAD).encode(), msgspec.msgpack.encode([[], {1: 2}, {}]), "application/x-msgpack", "binary"
    )
    with pytest.raises(DecodeError, match="no object with names"):
        decode(sent, ALL)


def test_what_is_not_accepted_stays_closed():
    sent = encode(a_message(1), queue="q", serializer="pickle")
    assert headers(sent, JSON).task == "proj.add"
    with pytest.raises(ContentDisallowed, match="pickle"):
        decode(sent, JSON)


def test_bytes_that_are_no_headers_are_told():
    for data in (b"", b"{", b"\xff", b"[" * 100_000, b'{"task": "t", "id": "i", "x": ' + b"[" * 100_000):
        sent = Envelope("i", "q", data, b"[[], {}, {}]")
        for read in (headers, decode):
            with pytest.raises(DecodeError):
                read(sent, JSON)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("1970-01-01T00:00:05", 5.0),
        ("1970-01-01T00:00:05.250000+00:00", 5.25),
        ("1970-01-01T01:00:05+01:00", 5.0),
        ("1970-01-01T00:00:05Z", 5.0),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
    ],
)
def test_times_are_read(text, moment):
    assert when(text) == moment


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01T00:00:00", 5])
def test_what_is_no_time_is_told(text):
    with pytest.raises(DecodeError, match="is no time in ISO 8601"):
        when(text)


def test_the_host_is_the_machines():
    assert origin() == f"gen{os.getpid()}@{protocol._HOST}"


# What is told of it.


@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        {
            **HEAD,
            "argsrepr": "(1,)",
            "kwargsrepr": "{}",
            "root_id": "r",
            "parent_id": "p",
            "retries": 2,
            "eta": "2030-01-01T00:00:00",
        },
        {
            **HEAD,
            "shadow": "shown",
            "timelimit": [3, None],
            "ignore_result": True,
            "mine": {"any": "thing"},
            "stamps": {"a": ["b"]},
        },
    ],
)
def test_what_is_described_says_what_the_headers_say(head: dict[str, object]):
    envelope = raw(head, BODY)
    known, whole, short = protocol.described(envelope, JSON), headers(envelope, JSON), protocol.label(envelope, JSON)
    for name in type(short).__struct_fields__:
        assert getattr(known, name) == getattr(short, name)
    for name in type(known).__struct_fields__:
        assert getattr(known, name) == getattr(whole, name)


def test_messages_of_protocol_1_are_described_too():
    envelope = Envelope(
        "", "q", b"{}", json.dumps({"task": "t", "id": "an-id", "args": [1], "kwargs": {}, "retries": 1}).encode()
    )
    known = protocol.described(envelope, JSON)
    assert (known.task, known.id, known.retries) == ("t", "an-id", 1)


@pytest.mark.parametrize("wrong", [{"argsrepr": 7}, {"retries": "many"}, {"root_id": ["r"]}, {"kwargsrepr": {"a": 1}}])
def test_what_is_wrong_in_a_description_lets_no_message_be_refused_that_may_run(wrong: dict[str, object]):
    envelope = raw({**HEAD, **wrong}, BODY)
    try:
        short = protocol.label(envelope, JSON)
    except DecodeError:
        with pytest.raises(DecodeError):
            protocol.described(envelope, JSON)
    else:
        known = protocol.described(envelope, JSON)
        assert (known.task, known.id) == (short.task, short.id)
