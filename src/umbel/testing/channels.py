"""That a channel keeps its contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from umbel.stores.channel import MOST, Channel, Note, Subscription
from umbel.stores.url import open_channel
from umbel.testing.given import in_a_child
from umbel.testing.waiting import NEVER, patience, until

Another = Callable[[], Channel]


def note(body: bytes, topic: str = "news", key: str = "", **fields: object) -> Note:
    """A small note."""
    return Note(topic, key, body, **fields)  # type: ignore[arg-type]  # the fields are those of a note


def heard(subscription: Subscription, count: int) -> list[bytes]:
    """The bodies of the next notes, as many as that."""
    found: list[bytes] = []
    end = time.monotonic() + patience()
    while len(found) < count:
        assert time.monotonic() < end, f"only {len(found)} of {count} notes came"
        found += [each.body for each in subscription.receive(1)]
    return found


class ChannelContract:
    """Override `url`; override also `make` if the store is not known to `umbel.stores.url`."""

    shared_by_processes = True
    """False if a forked child finds an empty store of its own."""

    @pytest.fixture
    def url(self) -> str:
        """Where the channel of this test is; nobody listens there, and no other test does."""
        raise AssertionError("override the fixture `url`")

    def make(self, url: str) -> Channel:
        """One more channel at the place."""
        return open_channel(url)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Another]:
        """Opens one more channel, and closes it when the test is over."""
        opened: list[Channel] = []

        def open_one() -> Channel:
            opened.append(self.make(url))
            return opened[-1]

        yield open_one
        for channel in opened:
            channel.close()

    @pytest.fixture
    def channel(self, another: Another) -> Channel:
        return another()

    def test_all_who_listen_get_all_of_it_in_order(self, channel: Channel, another: Another) -> None:
        with channel.subscribe(["news"]) as one, another().subscribe(["weather", "news"]) as two:
            sender = another()
            assert sender.publish([note(b"a"), note(b"b", key="x.y"), note(b"c")]) == 2
            sender.publish([note(b"d")])
            assert heard(one, 4) == heard(two, 4) == [b"a", b"b", b"c", b"d"]

    def test_a_note_comes_as_it_was_told(self, channel: Channel) -> None:
        told = Note("news", "worker.online", b'\x00{"a": "\xc3\xa9"}', {"hostname": "w1@x", "n": [1, None]}, "application/x", "b")
        with channel.subscribe(["news"]) as subscription:
            channel.publish([told])
            (found,) = subscription.receive(patience())
            found.delivery_mode = told.delivery_mode
            assert found == told

    def test_where_nobody_listens_nobody_is_reached_and_nothing_is_kept(self, channel: Channel, another: Another) -> None:
        assert channel.publish([note(b"a")]) == 0
        assert channel.publish([]) == 0
        with another().subscribe(["news"]) as subscription:
            assert channel.publish([note(b"b", "weather")]) == 0
            assert subscription.receive(0) == []
            assert channel.publish([note(b"c")]) == 1
            assert heard(subscription, 1) == [b"c"]
        assert channel.publish([note(b"d")]) == 0

    def test_a_topic_may_be_narrowed_by_the_key(self, channel: Channel) -> None:
        with channel.subscribe(["events/worker.*"]) as workers, channel.subscribe(["events"]) as all_of_it:
            channel.publish([note(b"a", "events", "worker.online"), note(b"b", "events", "task.sent"), note(b"c", "events")])
            channel.publish([note(b"d", "events2", "worker.online"), note(b"e", "events", "worker.offline")])
            assert heard(workers, 2) == [b"a", b"e"]
            assert heard(all_of_it, 4) == [b"a", b"b", b"c", b"e"]

    def test_names_are_not_patterns(self, channel: Channel) -> None:
        with channel.subscribe(["a*[b]?"]) as subscription:
            channel.publish([note(b"a", "axbx"), note(b"b", "a*[b]?"), note(b"c", "axbx", "k"), note(b"d", "a*[b]?", "k")])
            assert heard(subscription, 2) == [b"b", b"d"]

    def test_who_waits_is_woken(self, channel: Channel, another: Another) -> None:
        with channel.subscribe(["news"]) as one, another().subscribe(["news"]) as two:
            found: list[list[Note]] = []
            threads = [threading.Thread(target=lambda each=each: found.append(each.receive(NEVER))) for each in (one, two)]
            for thread in threads:
                thread.start()
            another().publish([note(b"a")])
            for thread in threads:
                thread.join(patience())
            assert [[each.body for each in notes] for notes in found] == [[b"a"], [b"a"]]

    def test_close_ends_a_wait_at_once_and_may_come_twice(self, channel: Channel) -> None:
        for subscription in (channel.subscribe(["news"]), channel.box()):
            found: list[list[Note]] = []
            thread = threading.Thread(target=lambda each=subscription, into=found: into.append(each.receive(NEVER)))
            thread.start()
            subscription.close()
            thread.join(patience())
            assert found == [[]]
            subscription.close()
            assert subscription.receive(NEVER) == []

    def test_a_wait_for_nothing_ends_in_time_and_costs_nothing(self, channel: Channel) -> None:
        with channel.subscribe(["news"]) as subscription, channel.box() as box:
            subscription.receive(0)
            box.receive(0)
            before = time.process_time()
            assert subscription.receive(0.3) == box.receive(0.3) == []
            assert time.process_time() - before < 0.1

    def test_answers_reach_the_one_who_has_asked(self, channel: Channel, another: Another) -> None:
        with channel.box("answers") as box, another().box("answers") as other:
            assert box.address != other.address
            sender = another()
            sender.reply("answers", box.address, [note(b"a", headers={"ticket": "t"}), note(b"b")])
            sender.reply("answers", other.address, [note(b"c")])
            sender.reply("answers", "nobody", [note(b"d")])
            sender.reply("elsewhere", box.address, [note(b"e")])
            sender.reply("answers", box.address, [])
            first = box.receive(patience())[0]
            assert (first.body, first.headers, first.topic, first.key) == (b"a", {"ticket": "t"}, "answers", box.address)
            assert heard(other, 1) == [b"c"]
        sender.reply("answers", box.address, [note(b"late")])

    def test_answers_wait_for_one_who_is_busy(self, channel: Channel, another: Another) -> None:
        with channel.box() as box:
            sender = another()
            for number in range(20):
                sender.reply(box.exchange, box.address, [note(b"%d" % number)])
            assert heard(box, 20) == [b"%d" % number for number in range(20)]
            assert box.receive(0) == []

    def test_a_slow_reader_gets_what_the_bounds_allow_and_nobody_waits_for_it(self, channel: Channel, another: Another) -> None:
        with channel.subscribe(["news"]) as slow:
            sender = another()
            for start in range(0, 30_000, 1000):
                sender.publish([note(b"%d" % number) for number in range(start, start + 1000)])
            found: list[Note] = []
            while not found or found[-1].body != b"29999":
                notes = slow.receive(patience())
                assert 0 < len(notes) <= MOST
                found += notes
            assert [int(each.body) for each in found] == sorted({int(each.body) for each in found})
            assert len(found) + slow.lost >= 30_000

    def test_many_threads_publish_and_nothing_is_lost(self, channel: Channel, another: Another) -> None:
        with channel.subscribe(["news"]) as subscription:
            sender = another()

            def send(name: int) -> None:
                for number in range(50):
                    sender.publish([note(b"%d %d" % (name, number))])

            threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
            for thread in threads:
                thread.start()
            found = heard(subscription, 200)
            for thread in threads:
                thread.join(patience())
            for name in range(4):
                assert [each for each in found if each.startswith(b"%d " % name)] == [b"%d %d" % (name, n) for n in range(50)]

    def test_a_forked_child_publishes(self, channel: Channel) -> None:
        if not self.shared_by_processes:
            pytest.skip("each process has a store of its own")
        with channel.subscribe(["news"]) as subscription:
            channel.publish([note(b"before")])
            assert in_a_child(lambda: channel.publish([note(b"child")]) == 1)
            channel.publish([note(b"after")])
            assert heard(subscription, 3) == [b"before", b"child", b"after"]

    def test_it_may_be_used_again_after_close(self, channel: Channel) -> None:
        channel.close()
        with channel.subscribe(["news"]) as subscription:
            until(lambda: channel.publish([note(b"a")]) == 1)
            assert heard(subscription, 1) == [b"a"]
