"""Umbel reads what Celery 5.7 wrote, and writes the same."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import pathlib
import uuid
from typing import Any

import pytest
from msgspec.structs import asdict

from umbel import clock, errors
from umbel.wire import protocol, result
from umbel.wire.compression import decompress
from umbel.wire.encoding import accept_types, loads
from umbel.wire.envelope import Envelope
from umbel.wire.message import Message
from umbel.wire.result import Result
from umbel.wire.typed_json import from_json

ALL = accept_types(["json", "msgpack", "yaml", "pickle"])
_HERE = pathlib.Path(__file__).parent / "celery"
MESSAGES: dict[str, list[dict[str, Any]]] = json.loads((_HERE / "messages.json").read_text())
RESULTS: dict[str, dict[str, Any]] = json.loads((_HERE / "results.json").read_text())


def envelope(element: dict[str, Any]) -> Envelope:
    """What a broker makes of an element of a Redis list."""
    properties = element["properties"]
    return Envelope(
        id=properties["correlation_id"],
        queue=properties["delivery_info"]["routing_key"],
        headers=json.dumps(element["headers"]).encode(),
        body=base64.b64decode(element["body"]),
        content_type=element["content-type"],
        content_encoding=element["content-encoding"],
        priority=properties["priority"],
        reply_to=properties["reply_to"],
    )


def documents(serializer: str, name: str) -> list[Result]:
    """The results that the call `name` published, oldest first."""
    return [Result("told-by-document", "TOLD", base64.b64decode(text)) for text in RESULTS[serializer][name]["documents"]]


ELEMENTS = [
    pytest.param(element, id=f"{name}-{index}") for name, found in MESSAGES.items() for index, element in enumerate(found)
]
SECOND = [element for element in ELEMENTS if element.values[0]["headers"]]
V2 = {name: found for name, found in MESSAGES.items() if found[0]["headers"]}
ADD = {"task": "proj.add", "args": [10], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}


def read(name: str, index: int = 0) -> Message:
    return protocol.decode(envelope(MESSAGES[name][index]), ALL)


@pytest.mark.parametrize("element", ELEMENTS)
def test_headers_alone_are_those_of_the_whole_message(element):
    sent = envelope(element)
    assert asdict(protocol.headers(sent, ALL)) == asdict(protocol.decode(sent, ALL).headers)


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_message_names_its_task_and_its_id(element):
    message = protocol.decode(envelope(element), ALL)
    assert message.headers.task.startswith(("proj.", "other."))
    assert message.headers.id == element["properties"]["correlation_id"]


@pytest.mark.parametrize("element", SECOND)
def test_our_writer_writes_the_same(element):
    sent = envelope(element)
    message = protocol.decode(sent, ALL)
    compression = element["headers"].get("compression")
    serializer = sent.content_type
    expiration = element["properties"].get("expiration")
    given = {"expiration": expiration} if expiration else None
    again = protocol.encode(
        message,
        queue=sent.queue,
        serializer=serializer,
        compression=compression,
        priority=sent.priority,
        reply_to=sent.reply_to,
        properties=given,
    )
    assert from_json(again.headers) == from_json(sent.headers)
    assert (again.content_type, again.content_encoding) == (sent.content_type, sent.content_encoding)
    assert repr(_payload(again, compression)) == repr(_payload(sent, compression))
    assert again.properties == (given or {})
    assert (again.id, again.queue, again.priority, again.reply_to) == (sent.id, sent.queue, sent.priority, sent.reply_to)


def _payload(sent, compression):
    body = decompress(sent.body, compression) if compression else sent.body
    args, kwargs, embed = loads(body, sent.content_type, sent.content_encoding, ALL)
    return [list(args), kwargs, dict(sorted(embed.items()))]


@pytest.mark.parametrize("element", SECOND)
def test_our_template_writes_the_same(element):
    sent = envelope(element)
    message = protocol.decode(sent, ALL)
    compression = element["headers"].get("compression")
    template = protocol.Template(message, queue=sent.queue, serializer=sent.content_type, compression=compression)
    filled = template.fill(sent.id, message.args, message.kwargs)
    assert from_json(filled.headers) == from_json(sent.headers)
    assert repr(_payload(filled, compression)) == repr(_payload(sent, compression))


def test_our_reprs_of_plain_arguments_are_celerys():
    for name in ("plain", "kwargs", "serializer_json", "chain", "retry"):
        element = MESSAGES[name][0]
        message = read(name)
        headers = message.headers
        headers.argsrepr = headers.kwargsrepr = None
        message.args = tuple(message.args)
        again = protocol.headers(protocol.encode(message, queue="q"), ALL)
        assert (again.argsrepr, again.kwargsrepr) == (element["headers"]["argsrepr"], element["headers"]["kwargsrepr"])


def test_our_expiration_is_celerys(monkeypatch):
    element = MESSAGES["expires"][0]
    message = read("expires")
    sent_at = protocol.when(message.headers.expires) - 3600
    monkeypatch.setattr(clock, "now", lambda: sent_at)
    assert protocol.encode(message, queue="q").properties == {"expiration": element["properties"]["expiration"]}


def test_plain_arguments_are_read():
    assert (read("plain").args, read("plain").kwargs) == ([2, 3], {})
    assert (read("kwargs").args, read("kwargs").kwargs) == ([], {"x": 2, "y": "é"})


def test_times_are_read():
    moment = datetime.datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC).timestamp()
    assert protocol.when(read("eta").headers.eta) == pytest.approx(moment, abs=1e-6)
    assert protocol.when(read("eta_naive").headers.eta) == pytest.approx(moment, abs=1e-6)


def test_options_are_read():
    headers = read("options").headers
    assert (headers.id, headers.shadow, headers.timelimit, headers.root_id) == ("my-id", "other", (30, 20), "my-id")


def test_custom_headers_are_kept():
    when = datetime.datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    assert read("custom_headers").extra == {"x-custom": "v", "x-when": when, "x-deep": {"a": [1, None]}}


def test_stamps_are_kept():
    headers = read("stamped").headers
    assert (headers.stamped_headers, headers.stamps) == (["foo", "many"], {"foo": "bar", "many": ["a", "b"]})


def test_what_follows_is_read():
    links = read("links").embed
    assert links.callbacks == [ADD]
    assert [one["task"] for one in links.errbacks] == ["proj.echo", "proj.echo"]
    assert [step["args"] for step in read("chain").embed.chain] == [[4], [3]]
    parts = [read("chord", index) for index in (0, 1)]
    assert [part.headers.group_index for part in parts] == [0, 1]
    assert {part.embed.chord["task"] for part in parts} == {"proj.total"}
    assert len({part.headers.group for part in parts}) == 1


def test_a_retry_is_read():
    headers = read("retry").headers
    assert (headers.retries, headers.parent_id, headers.root_id) == (1, headers.id, headers.id)


def test_protocol_1_is_read():
    plain, full = read("protocol_1"), read("protocol_1_options")
    assert (plain.headers.task, plain.args, plain.kwargs, plain.embed.callbacks) == ("proj.add", [2, 3], {}, None)
    assert (full.args, full.kwargs, full.headers.timelimit, full.embed.callbacks) == ([2], {"y": 3}, (30, 20), [ADD])
    assert protocol.when(full.headers.eta) is not None


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("serializer_")])
def test_each_serializer_is_read(name):
    message = read(name)
    assert (list(message.args), message.kwargs) == ([2, "é", [1.5, None]], {"a": True})


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("compression_")])
def test_each_compression_is_read(name):
    assert read(name).args == ["word " * 200]


VALUES = {
    "datetime": datetime.datetime(2024, 5, 6, 7, 8, 9, 123456),
    "aware": datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC),
    "date": datetime.date(2024, 5, 6),
    "time": datetime.time(7, 8, 9),
    "decimal": decimal.Decimal("1.50"),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "text_bytes": b"text",
    "bytes": b"\xff\xfe\x00",
    "infinity": -math.inf,
    "big": 10**30,
    "unicode": "é \U0001f600 \ud800",
}


def test_values_of_every_type_are_read():
    (value,) = read("values").args
    assert math.isnan(value.pop("nan"))
    assert value == {**VALUES, "tuple": [1, [2, 3]], "numbered": {"1": "a", "null": "b"}}


TOLD = [
    pytest.param(serializer, one, id=f"{serializer}-{name}-{index}")
    for serializer, found in RESULTS.items()
    for name in found
    for index, one in enumerate(documents(serializer, name))
    if not (serializer == "pickle" and name in ("failure", "odd_failure"))  # of a class that only the recorder has
]


@pytest.mark.parametrize(("serializer", "told"), TOLD)
def test_every_result_is_read_and_written_the_same(serializer, told, monkeypatch):
    document = result.decode(told, ALL, serializer)
    found = _plain(told, serializer)
    if document.date_done:
        monkeypatch.setattr(clock, "now", lambda: protocol.when(document.date_done))
    extra = {name: found[name] for name in ("name", "args", "kwargs", "worker", "retries", "queue") if name in found}
    again = result.encode(
        document.task_id,
        document.status,
        document.result,
        traceback=document.traceback,
        children=document.children,
        serializer=serializer,
        parent_id=document.parent_id,
        group_id=document.group_id,
        extra=extra,
    )
    written = _plain(again, serializer)
    if serializer == "pickle" and isinstance(document.result, errors.TaskError):  # ours go as names, for readers without umbel
        assert written.pop("result") == {
            "exc_type": type(document.result).__name__,
            "exc_message": list(document.result.args),
            "exc_module": "celery.exceptions",
        }
        found.pop("result")
    assert repr(dict(sorted(written.items()))) == repr(dict(sorted(found.items())))


def _plain(told, serializer):
    kinds = {"json": "application/json", "pickle": "application/x-python-serialize", "yaml": "application/x-yaml"}
    return loads(told.document, kinds.get(serializer, "application/x-msgpack"), "binary", ALL)


def states(serializer: str, name: str) -> list[tuple[str, object]]:
    return [(one.status, one.result) for one in (result.decode(told, ALL, serializer) for told in documents(serializer, name))]


@pytest.mark.parametrize("serializer", RESULTS)
def test_states_and_values_are_read(serializer):
    assert [state for state, _ in states(serializer, "progress")] == ["STARTED", "PROGRESS", "SUCCESS"]
    assert states(serializer, "success")[-1] == ("SUCCESS", 5)
    assert states(serializer, "progress")[1] == ("PROGRESS", {"percent": 50})


@pytest.mark.parametrize("serializer", RESULTS)
def test_exceptions_are_rebuilt(serializer):
    state, value = states(serializer, "retry")[-1]
    assert (state, repr(value)) == ("RETRY", "ValueError('x')")
    state, value = states(serializer, "expired")[-1]
    assert (state, repr(value)) == ("REVOKED", "TaskRevokedError('expired')")
    assert type(value) is errors.TaskRevokedError


@pytest.mark.parametrize("serializer", ["json", "yaml", "msgpack"])
def test_unknown_exceptions_keep_their_name(serializer):
    state, value = states(serializer, "failure")[-1]
    assert (state, repr(value)) == ("FAILURE", "Trouble('boom', 42)")
    assert states(serializer, "odd_failure")[-1][1].args[:2] == ("<class 'object'>", {"a": 1})


def test_an_unknown_class_in_a_pickle_is_told():
    with pytest.raises(errors.DecodeError, match="are no pickle"):
        result.decode(documents("pickle", "failure")[-1], ALL, "pickle")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("soft_limit", errors.SoftTimeLimitExceeded),
        ("hard_limit", errors.TimeLimitExceeded),
        ("lost", errors.WorkerLostError),
        ("unregistered", errors.NotRegistered),
    ],
)
def test_celerys_exceptions_are_ours(name, kind):
    assert type(states("json", name)[-1][1]) is kind


def test_relatives_are_read():
    first, second = [result.decode(told, ALL) for told in documents("json", "chain") if "SUCCESS" in told.document.decode()]
    assert second.parent_id == first.task_id
    assert first.children == [[[second.task_id, None], None]]
    assert result.decode(documents("json", "group")[-1], ALL).group_id == RESULTS["json"]["group"]["id"]


def test_the_extended_document_is_read():
    document = result.decode(documents("yaml", "success")[-1], ALL, "yaml")
    assert (document.name, document.args, document.kwargs, document.worker, document.retries, document.queue) == (
        "proj.add",
        [2, 3],
        {},
        "w1@host",
        0,
        "celery",
    )


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_results_of_every_type_are_read(serializer):
    (value, _kwargs) = states(serializer, "values")[-1][1]
    assert value.pop("tuple") in ([1, [2, 3]], (1, (2, 3)))
    assert value == VALUES


def test_samples_name_no_machine_and_no_path():
    text = json.dumps(MESSAGES) + str(
        [base64.b64decode(one) for f in RESULTS.values() for n in f.values() for one in n["documents"]]
    )
    assert "/lib/python" not in text
    assert set(_origins()) == {"host"}


def _origins():
    return [one["headers"]["origin"].partition("@")[2] for found in V2.values() for one in found]
