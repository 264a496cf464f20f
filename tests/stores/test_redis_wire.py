"""What stands in the lists: Celery's bytes, read and written."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from umbel import clock
from umbel.stores.broker import Conclusion, Depth
from umbel.stores.redis import bindings, cemetery, element, leftovers
from umbel.stores.url import open_broker
from umbel.testing.given import LEASE, drain, envelope, ids, recovered
from umbel.wire import protocol
from umbel.wire.encoding import accept_types

MESSAGES = json.loads((Path(__file__).parent.parent / "wire" / "celery" / "messages.json").read_text())
ALL = accept_types(["json", "msgpack", "yaml", "pickle"])
SEP = b"\x06\x16"


@pytest.fixture
def broker(redis_url):
    broker = open_broker(redis_url)
    yield broker
    broker.close()


def elements(server, key: bytes) -> list[dict]:
    """The list of that name, the next to be taken last."""
    count = int(server.ask("LLEN", key)[1:])
    raw = [server.ask("LINDEX", key, str(index)) for index in range(count)]
    return [json.loads(each.partition(b"\r\n")[2]) for each in raw]


def kinds(value):
    """The shape of a JSON value: names and types."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    return "null" if value is None else type(value).__name__


@pytest.mark.parametrize("name", MESSAGES)
def test_what_celery_sent_is_reserved_and_decoded(redis_server, broker, name):
    for sample in MESSAGES[name]:
        queue = sample["properties"]["delivery_info"]["routing_key"]
        redis_server.ask("LPUSH", queue, json.dumps(sample))
        (held,) = broker.reserve([queue], 10, 1)
        assert held.envelope.id == sample["properties"]["correlation_id"]
        assert held.envelope.body == base64.b64decode(sample["body"])
        assert json.loads(held.envelope.headers) == sample["headers"]
        assert held.envelope.due is None
        message = protocol.decode(held.envelope, ALL)
        assert message.headers.id == held.envelope.id
        assert broker.conclude([Conclusion(held)]) == []


@pytest.mark.parametrize("name", [name for name, found in MESSAGES.items() if "task" in found[0]["headers"]])
def test_what_celery_sent_and_umbel_sends_on_is_the_same_but_for_the_tag(redis_server, broker, name):
    sample = MESSAGES[name][0]
    queue = sample["properties"]["delivery_info"]["routing_key"]
    redis_server.ask("LPUSH", queue, json.dumps(sample))
    (held,) = broker.reserve([queue], 10, 1)
    broker.send([held.envelope])
    (again,) = [
        each for step in (b"", SEP + b"3", SEP + b"6", SEP + b"9") for each in elements(redis_server, queue.encode() + step)
    ]
    assert again["properties"].pop("delivery_tag") != sample["properties"]["delivery_tag"]
    assert again == {**sample, "properties": {k: v for k, v in sample["properties"].items() if k != "delivery_tag"}}
    broker.purge(queue)


def test_a_message_of_umbels_has_the_shape_of_celerys(redis_server, broker):
    decoded = protocol.decode(element.read(json.dumps(MESSAGES["chain"][0]).encode(), "celery", "0")[0], ALL)
    broker.send([protocol.encode(decoded, queue="celery", reply_to="me")])
    (ours,) = elements(redis_server, b"celery")
    assert kinds(ours) == kinds(MESSAGES["chain"][0])
    assert list(ours) == ["body", "content-encoding", "content-type", "headers", "properties"]


def test_celerys_tools_see_the_queue(redis_server, broker):
    broker.send([envelope("a", "mail")])
    reply = redis_server.ask("SMEMBERS", "_kombu.binding.mail")
    assert b"mail" + SEP + SEP + b"mail" in reply


def test_a_queue_is_known_again_after_the_server_was_emptied(redis_server, redis_url, broker):
    sender = open_broker(redis_url)
    sender.send([envelope("a")])
    drain(broker)
    redis_server.ask("FLUSHALL")
    assert drain(broker) == []
    sender.send([envelope("b")])
    assert sender.queues() == ["q"]
    sender.close()


@pytest.mark.parametrize("prefix", ["", "p*[x]:"])
def test_queues_that_only_celery_has_used_are_known(redis_server, redis_url, prefix):
    broker = open_broker(redis_url, options={"global_keyprefix": prefix, "sep": "::"})
    assert broker.queues() == []
    members = {
        "mail": [b"mail::::mail"],
        "shop": [b"a::::bills", b"b.#::^b::letters"],
        "w.pidbox": [b"::::w1"],
        "celeryev": [b"#::::ev"],
    }
    for exchange, found in members.items():
        redis_server.ask("SADD", f"{prefix}_kombu.binding.{exchange}", *found)
    for queue in ("mail", "letters", "w1", "ev"):
        redis_server.ask("LPUSH", f"{prefix}{queue}", json.dumps(celery_like("a")))
    redis_server.ask("LPUSH", f"{prefix}bills::6", json.dumps(celery_like("a")))
    redis_server.ask("LPUSH", "else", json.dumps(celery_like("a")))
    assert broker.queues() == ["bills", "letters", "mail"]
    assert broker.depth(["bills"]) == {"bills": Depth(ready=1)}
    broker.close()


def scans(server) -> int:
    """How many steps of walks through all keys there were."""
    found = re.search(rb"cmdstat_scan:calls=(\d+)", server.ask("INFO", "commandstats"))
    return int(found[1]) if found else 0


def test_a_long_walk_through_all_keys_is_not_made_again_at_once(redis_server, broker, monkeypatch):
    monkeypatch.setattr(bindings, "AT_ONCE", 10)
    redis_server.ask("MSET", *[word for number in range(100) for word in (f"celery-task-meta-{number}", "x")])
    broker.send([envelope("mine", "mine")])
    redis_server.ask("SADD", "_kombu.binding.theirs", b"theirs" + SEP * 2 + b"theirs")
    assert broker.queues() == ["mine"]
    walked = scans(redis_server)
    redis_server.ask("LPUSH", "theirs", json.dumps(celery_like("a")))
    for _ in range(5):
        assert broker.queues() == ["mine", "theirs"]
    assert scans(redis_server) == walked > 0
    monkeypatch.setattr(broker._bindings, "_walk_again", 0.0)
    broker.queues()
    assert scans(redis_server) > walked


def test_the_age_of_a_queue_is_that_of_its_oldest_message_that_tells_it(redis_server, broker):
    redis_server.ask("LPUSH", "q", json.dumps(celery_like("a")))
    assert broker.depth(["q"])["q"].oldest is None
    broker.send([envelope("mine")])
    redis_server.ask("LPUSH", "q", json.dumps(celery_like("b")))
    oldest = broker.depth(["q"])["q"].oldest
    assert oldest is not None
    assert 0 <= oldest < 60


def test_the_plain_list_holds_what_has_no_priority(redis_server, broker):
    broker.send([envelope("none"), envelope("urgent", priority=9), envelope("low", properties={"priority": 4})])
    assert [each["properties"]["priority"] for each in elements(redis_server, b"q")] == [0]
    assert [each["properties"]["priority"] for each in elements(redis_server, b"q" + SEP + b"3")] == [4]
    assert [each["properties"]["correlation_id"] for each in elements(redis_server, b"q" + SEP + b"+9")] == ["urgent"]
    assert ids(drain(broker)) == ["urgent", "none", "low"]


def test_celerys_steps_are_served_in_kombus_order(redis_server, broker):
    for step in (9, 3, 6):
        redis_server.ask("LPUSH", b"q" + SEP + b"%d" % step, json.dumps(celery_like(str(step), priority=step)))
    redis_server.ask("LPUSH", "q", json.dumps(celery_like("0")))
    assert ids(drain(broker)) == ["0", "3", "6", "9"]


def celery_like(id: str, body: str = "W10=", **properties) -> dict:
    known = {"correlation_id": id, "delivery_info": {"exchange": "", "routing_key": "q"}, "body_encoding": "base64"}
    return {
        "body": body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"id": id, "task": "t"},
        "properties": {**known, "delivery_tag": f"tag-{id}", "delivery_mode": 2, "priority": 0, **properties},
    }


def test_with_workers_of_celerys_all_goes_where_they_look(redis_server, redis_url):
    broker = open_broker(redis_url, options={"celery_workers": True})
    broker.send([envelope("urgent", priority=9), envelope("later", due=clock.now() + 60)])
    assert len(elements(redis_server, b"q")) == 2
    held = drain(broker)
    assert ids(held) == ["urgent", "later"]
    broker.release(held[1:], delay=60)
    assert broker.depth(["q"])["q"].later == 1
    broker.close()


def test_further_properties_come_and_go(broker):
    sent = envelope("a", properties={"expiration": "500", "correlation_id": "other", "delivery_mode": 1, "x": None})
    sent.headers = b'{"id":"a","task":"t"}'
    broker.send([sent])
    (held,) = drain(broker)
    assert held.envelope == sent


@pytest.mark.parametrize("encoding", ["utf-8", None, 7])
def test_a_body_that_is_not_base64_is_text(redis_server, broker, encoding):
    redis_server.ask("LPUSH", "q", json.dumps(celery_like("a", '[[1, "é"], {}, {}]', body_encoding=encoding)))
    (held,) = drain(broker)
    assert held.envelope.body.decode() == '[[1, "é"], {}, {}]'


STRANGE = [
    b"",
    b"\0\xff\xfe",
    b"hello",
    b"{",
    b"5",
    b"null",
    b"[]",
    b"{}",
    b'{"umbel":[1,0,null,null],"x":1}',
    b'{"umbel":"no"}',
    json.dumps({**celery_like("a"), "headers": [1]}).encode(),
    json.dumps({**celery_like("a"), "headers": {"id": 5}}).encode(),
    json.dumps({**celery_like("a"), "properties": 1}).encode(),
    json.dumps(celery_like("a", "no base64!")).encode(),
    json.dumps(celery_like("a", reply_to=["x"])).encode(),
    json.dumps(celery_like("a", delivery_info="x")).encode(),
    b"[" * 100_000,
]


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
def test_what_is_no_message_is_buried_with_the_reason_and_the_next_is_served(redis_server, broker, strange):
    redis_server.ask("LPUSH", "q", strange)
    broker.send([envelope("good")])
    assert ids(drain(broker)) == ["good"]
    (letter,) = broker.buried("q")
    assert "no message" in letter.reason
    assert letter.envelope.body == strange
    assert broker.depth(["q"]) == {"q": Depth(held=1, dead=1)}
    assert broker.revive([letter.key]) == 1
    assert drain(broker) == []
    assert len(broker.buried()) == 1


def test_long_letters_are_read_some_at_a_time(broker, monkeypatch):
    """Those of 6 MB go into several replies, and a list of them ends where it gets too long for its reader."""
    bodies = [bytes([number]) * (6 << 20) for number in range(5)]
    broker.send([envelope(str(number), body=body) for number, body in enumerate(bodies)])
    broker.conclude([Conclusion(each, buried="too long") for each in drain(broker)])
    assert [letter.envelope.body for letter in broker.buried()] == bodies
    monkeypatch.setattr(cemetery, "MOST_BYTES", 10 << 20)
    read: list[bytes] = []
    page = broker.buried(limit=100)
    while page:
        assert len(page) < 5
        read += [letter.envelope.body for letter in page]
        page = broker.buried(limit=100, after=page[-1].key)
    assert read == bodies


def test_what_is_no_message_is_buried_even_if_its_finder_dies(redis_server, redis_url, broker, monkeypatch):
    dying = open_broker(redis_url, lease=LEASE)
    redis_server.ask("LPUSH", "q", "{strange", "strange")
    monkeypatch.setattr(type(dying._hands), "read", lambda self, taken: [])
    assert dying.reserve(["q"], 5, 0) == []
    monkeypatch.undo()
    assert recovered(broker).returned == 2
    assert drain(broker) == []
    assert len(broker.buried()) == 2
    dying.close()


def unacked(server, id: str, age: float, prefix: str = "", exchange: str = "", routing_key: str = "q", **properties) -> None:
    """Leave behind what a worker of Celery's held when it died."""
    server.ask("HSET", f"{prefix}unacked", f"tag-{id}", json.dumps([celery_like(id, **properties), exchange, routing_key]))
    server.ask("ZADD", f"{prefix}unacked_index", str(clock.now() - age), f"tag-{id}")


def test_what_dead_workers_of_celerys_held_comes_back(redis_server, redis_url):
    broker = open_broker(redis_url, options={"visibility_timeout": 100, "global_keyprefix": "p:"})
    unacked(redis_server, "old", 101, "p:")
    unacked(redis_server, "young", 99, "p:")
    redis_server.ask("SADD", "p:_kombu.binding.ex", b"rk" + SEP + SEP + b"bound")
    unacked(redis_server, "routed", 500, "p:", "ex", "rk")
    assert broker.recover().returned == 2
    assert broker.recover().returned == 0
    (old,) = drain(broker)
    assert old.envelope.id == "old"
    assert json.loads(old.envelope.headers)["redelivered"] is True
    assert ids(drain(broker, "bound")) == ["routed"]
    assert redis_server.ask("HLEN", "p:unacked") == b":1\r\n"
    assert redis_server.ask("EXISTS", "p:unacked_mutex") == b":0\r\n"
    broker.close()


def test_what_comes_back_goes_where_kombu_would_send_it(redis_server, broker):
    """Checked against kombu 5.7: the list of its priority, and each queue that is bound by the key or by a pattern."""
    unacked(redis_server, "low", 99_999, priority=9)
    unacked(redis_server, "odd", 99_999, priority="high")
    pattern = rb"^a\.[^\.]+$"
    bound = [b"a.#" + SEP + pattern + SEP + b"one", b"a.*" + SEP + pattern + SEP + b"two", b"b" + SEP + b"*bad" + SEP + b"three"]
    redis_server.ask("SADD", "_kombu.binding.topic", *bound)
    unacked(redis_server, "many", 99_999, exchange="topic", routing_key="a.b")
    unacked(redis_server, "astray", 99_999, exchange="nowhere", routing_key="bills")
    assert broker.recover().returned == 5
    assert [each["headers"]["id"] for each in elements(redis_server, b"q" + SEP + b"9")] == ["low"]
    assert [ids(drain(broker, queue)) for queue in ("q", "one", "two", "bills")] == [
        ["odd", "low"],
        ["many"],
        ["many"],
        ["astray"],
    ]


UNREADABLE = [
    b"",
    b"\xff",
    b"[" * 100_000,
    b"5",
    b'[{"headers": {}}, ""]',
    json.dumps([{}, "", "q"]).encode(),
    json.dumps([{"headers": {}, "properties": {"delivery_info": {}}}, "", ""]).encode(),
    json.dumps([{"headers": {}, "properties": {"delivery_info": {}}}, None, 5]).encode(),
]


def test_what_nobody_can_read_of_celerys_leftovers_is_buried_and_hinders_none(redis_server, broker, monkeypatch):
    monkeypatch.setattr(leftovers, "AT_ONCE", 3)
    for number, packed in enumerate(UNREADABLE):
        redis_server.ask("HSET", "unacked", f"bad{number}", packed)
        redis_server.ask("ZADD", "unacked_index", str(number), f"bad{number}")
    redis_server.ask("ZADD", "unacked_index", "20", "the hash knows no such tag")
    unacked(redis_server, "good", 99_999)
    while redis_server.ask("ZCARD", "unacked_index") != b":0\r\n":
        broker.recover()
    assert redis_server.ask("EXISTS", "unacked") == b":0\r\n"
    assert ids(drain(broker)) == ["good"]
    letters = broker.buried()
    assert sorted(letter.envelope.body for letter in letters) == sorted(UNREADABLE)
    assert all(letter.queue == "unacked.unreadable" and "no message" in letter.reason for letter in letters)
    assert max(len(letter.reason) for letter in letters) < 300
    assert broker.queues() == ["q", "unacked.unreadable"]


def test_kombus_mutex_is_respected(redis_server, broker):
    unacked(redis_server, "old", 99_999)
    redis_server.ask("SET", "unacked_mutex", "theirs")
    assert broker.recover().returned == 0
    redis_server.ask("DEL", "unacked_mutex")
    assert broker.recover().returned == 1


def test_what_umbel_gave_back_is_still_an_envelope_for_kombu(redis_server, redis_url, broker):
    dying = open_broker(redis_url, lease=LEASE)
    dying.send([envelope("a")])
    assert dying.reserve(["q"], 1, 0)
    recovered(broker)
    (back,) = elements(redis_server, b"q")
    assert back.pop("umbel") == [1, 0, None, None]
    assert set(back) == {"body", "content-encoding", "content-type", "headers", "properties"}
    redis_server.ask("RPOP", "q")
    back["headers"]["redelivered"] = True  # as kombu does, with its own spaces
    redis_server.ask("LPUSH", "q", json.dumps({"umbel": [1, 0, None, None], **back}))
    again = open_broker(redis_url, lease=LEASE)
    assert again.reserve(["q"], 1, 0)[0].attempt == 2
    recovered(broker)
    assert drain(broker)[0].attempt == 3
    for each in (dying, again):
        each.close()


def test_queues_that_nobody_has_used_for_a_week_are_forgotten_with_their_bindings(redis_server, broker):
    def aged(queue: str) -> None:
        redis_server.ask("ZINCRBY", "umbel.queues", str(-2 * 8 * 86400), queue)

    redis_server.ask("SADD", "_kombu.binding.celerys", b"celerys" + SEP * 2 + b"celerys")
    names = ["old", "full", "dead", "celerys", "used"]
    broker.send([envelope("a", queue=name) for name in names])
    broker.conclude([Conclusion(each) for each in broker.reserve(["old", "celerys", "used"], 9, 0)])
    broker.conclude([Conclusion(each, buried="ill") for each in broker.reserve(["dead"], 1, 0)])
    for name in names[:4]:
        aged(name)
    assert broker.recover().returned == 0
    assert redis_server.ask("EXISTS", *(f"_kombu.binding.{name}" for name in names)) == b":4\r\n"
    assert redis_server.ask("EXISTS", "_kombu.binding.old") == b":0\r\n"
    assert broker.queues() == ["dead", "full"]
    assert redis_server.ask("ZCARD", "umbel.queues") == b":3\r\n"


def test_who_looks_into_a_queue_or_sends_now_and_then_keeps_it_known(redis_server, redis_url, broker):
    sender = open_broker(redis_url)
    sender.send([envelope("a")])
    drain(broker)
    for use in (lambda: sender.send([envelope("a")]), lambda: broker.reserve(["q"], 1, 0)) * 3:
        redis_server.ask("ZINCRBY", "umbel.queues", str(-2 * 5 * 86400), "q")
        sender._declare_again = 0.0  # a day has passed
        use()
        drain(broker)
        broker.recover()
        assert redis_server.ask("ZCARD", "umbel.queues") == b":1\r\n"
    sender.close()
