"""What crosses the connection to Redis is cut by bytes: slow links carry it in the end, and no script holds the server up."""

from __future__ import annotations

import re

import pytest
from tests.servers.proxy import standing_before

from umbel import Umbel, clock
from umbel.errors import BrokerDown
from umbel.stores.broker import Conclusion, Recovered
from umbel.stores.slices import MOST_BYTES
from umbel.stores.url import open_backend, open_broker
from umbel.testing.given import LEASE, drain, envelope, ids, recovered
from umbel.testing.waiting import until
from umbel.wire.result import Result

LONG = b"x" * 100_000
COUNT = 3 * MOST_BYTES // len(LONG)


@pytest.fixture
def broker(redis_url):
    broker = open_broker(redis_url)
    yield broker
    broker.close()


@pytest.fixture
def slow(redis_server):
    """A URL of the server behind a link that carries 4 MB/s: what may go in one exchange takes longer than anybody waits."""
    with standing_before(redis_server.port, rate=4e6) as proxy:
        yield f"redis://127.0.0.1:{proxy.port}/0?socket_timeout=0.5"


NAMES = [f"{number:03}" for number in range(COUNT)]


def long_ones():
    return [envelope(name, body=LONG) for name in NAMES]


def scripts_run(server) -> int:
    return int(re.search(rb"cmdstat_evalsha:calls=(\d+)", server.ask("INFO", "commandstats"))[1])


def in_the_end(work, batch):
    """Try until all is done: each attempt goes on behind what was accepted, or with less."""
    attempts = 0
    while batch:
        try:
            work(batch)
            break
        except BrokerDown as error:
            attempts += 1
            assert attempts < 100, "it does not get further"
            batch = batch[error.accepted :]


def test_results_arrive_over_a_slow_link(redis_url, slow):
    results = [Result(f"{number}", "SUCCESS", LONG) for number in range(COUNT // 2)]
    sender, reader = open_backend(slow, expires=60), open_backend(redis_url, expires=60)
    in_the_end(sender.store, results)
    assert len(reader.fetch([each.id for each in results])) == COUNT // 2
    sender.close()
    reader.close()


def test_conclusions_arrive_over_a_slow_link(redis_url, slow, broker):
    backend, worker = open_backend(slow, expires=60), open_broker(slow)
    assert worker.keeps(backend)
    broker.send([envelope(f"{number}") for number in range(COUNT // 2)])
    held = worker.reserve(["q"], COUNT, 0)
    done = [Conclusion(each, [Result(each.envelope.id, "SUCCESS", LONG)]) for each in held]
    in_the_end(worker.conclude, done)
    assert broker.queues() == []
    reader = open_backend(redis_url, expires=60)
    assert len(reader.fetch(ids(held))) == COUNT // 2
    for each in (reader, backend, worker):
        each.close()


def test_what_was_taken_of_a_batch_is_told(redis_url, slow, broker):
    sender, batch = open_broker(slow), long_ones()
    with pytest.raises(BrokerDown) as caught:
        sender.send(batch, within=0.3)
    accepted = caught.value.accepted
    assert 0 < accepted < COUNT
    assert [id for id in ids(drain(broker)) if int(id) < accepted] == NAMES[:accepted]
    sender.close()


def test_a_batch_that_takes_longer_than_the_publish_timeout_goes_on_while_some_of_it_is_taken(redis_url, slow, broker):
    app = Umbel("sender", broker=slow, broker_publish_timeout=0.6, task_publish_retry_policy={"max_retries": None})
    add = app.task(name="add")(lambda text: text)
    with app.batch():
        for _ in range(COUNT // 2):
            add.delay("x" * 100_000)
    sent = drain(broker, "celery")
    assert len({each.envelope.id for each in sent}) == COUNT // 2
    assert len(sent) < COUNT  # at most a part or two came twice, whose answer was late
    app.close()


def test_reserve_gives_no_more_at_once_than_goes_over_a_connection(broker):
    broker.send(long_ones())
    assert sum(len(each.envelope.body) for each in broker.reserve(["q"], COUNT, 0)) < 1.5 * MOST_BYTES


def test_long_ones_behind_short_ones_are_given_a_few_at_a_time_and_in_order(broker):
    sizes = [10] * 50 + [MOST_BYTES // 3] * 10 + [10] * 5 + [2 * MOST_BYTES] * 2
    names = [f"{number:02}" for number in range(len(sizes))]
    for name, size in zip(names, sizes, strict=True):
        broker.send([envelope(name, body=b"x" * size)])
    given = []
    while found := broker.reserve(["q"], 100, 0):
        given += ids(found)
        assert sum(len(each.envelope.body) for each in found[:-1]) < MOST_BYTES
    assert given == names


def test_long_ones_that_are_due_are_put_in_line_a_few_at_a_time_and_in_order(broker):
    sizes = [10] * 50 + [MOST_BYTES // 3] * 10 + [10] * 5
    names, due = [f"{number:02}" for number in range(len(sizes))], clock.now() + 600
    for name, size in zip(names, sizes, strict=True):
        broker.send([envelope(name, body=b"x" * size, due=due)])
    in_one_script, _ = broker._link.run(broker._scripts.hasten("q", "+700"))
    assert 50 < in_one_script < 55
    broker.hasten(["q"], 700)
    given = []
    while found := broker.reserve(["q"], 100, 0):
        given += ids(found)
    assert given == names


def test_dead_letters_are_taken_up_in_parts_and_in_order(redis_server, broker):
    broker.send(long_ones())
    while found := broker.reserve(["q"], COUNT, 0):
        broker.conclude([Conclusion(each, buried="dead") for each in found])
    keys = []
    while letters := broker.buried(limit=50, after=keys[-1] if keys else ""):
        keys += [letter.key for letter in letters]
    before = scripts_run(redis_server)
    assert broker.revive(keys) == COUNT
    assert scripts_run(redis_server) - before >= 3
    assert [each for _ in range(5) for each in ids(broker.reserve(["q"], COUNT, 0))] == NAMES


def test_what_a_dead_owner_held_comes_back_in_parts_and_in_order(redis_server, redis_url, broker):
    dying = open_broker(redis_url, lease=LEASE)
    broker.send(long_ones())
    while dying.reserve(["q"], COUNT, 0):
        pass
    before = scripts_run(redis_server)
    assert recovered(broker).returned == COUNT
    assert scripts_run(redis_server) - before >= 4
    again = [each for _ in range(4) for each in broker.reserve(["q"], COUNT, 0)]
    assert ids(again) == NAMES
    assert {each.attempt for each in again} == {2}
    assert broker.recover() == Recovered()
    dying.close()


def test_an_owner_that_comes_back_while_it_is_taken_from_keeps_what_is_new(redis_url, broker):
    dying = open_broker(redis_url, lease=LEASE)
    broker.send(long_ones())
    old = []
    while some := dying.reserve(["q"], COUNT, 0):
        old += some
    done = Recovered()
    until(lambda: not broker._recover(done) or done.returned)
    assert 0 < done.returned < COUNT
    assert not dying.renew(30)
    broker.send([envelope("new", queue="other")])
    new = dying.reserve(["other"], 1, 0)
    assert done.returned + broker.recover().returned == COUNT
    assert dying.conclude([Conclusion(each) for each in old]) == old
    assert dying.conclude([Conclusion(each) for each in new]) == []
    assert broker.depth(["q"])["q"].ready == COUNT
    dying.close()


def test_the_stranded_come_in_parts_too(redis_url, broker):
    dying = open_broker(redis_url, lease=LEASE)
    broker.send(long_ones())
    while some := dying.reserve(["q"], COUNT, 0):
        dying.started(some)
    found = recovered(broker)
    assert (found.returned, len(found.stranded)) == (0, COUNT)
    assert broker.conclude([Conclusion(each) for each in found.stranded]) == []
    assert broker.queues() == []
    dying.close()


@pytest.mark.parametrize("how", ["close", "release"])
def test_what_is_given_back_in_parts_keeps_its_order(redis_server, redis_url, broker, how):
    leaving = open_broker(redis_url)
    broker.send(long_ones())
    held = []
    while some := leaving.reserve(["q"], COUNT, 0):
        held += some
    before = scripts_run(redis_server)
    if how == "release":
        leaving.release(held)
    leaving.close()
    assert scripts_run(redis_server) - before >= 4
    again = [each for _ in range(4) for each in broker.reserve(["q"], COUNT, 0)]
    assert [(each.envelope.id, each.attempt) for each in again] == [(name, 1) for name in NAMES]
