"""Signals: who is told of what, and what becomes of receivers that fail."""

from __future__ import annotations

import functools
import gc
import logging
import timeit

import pytest

from umbel import signals
from umbel.signals import Signal


@pytest.fixture
def signal():
    return Signal("happened", ("what",))


@pytest.fixture
def told():
    return []


@pytest.fixture
def receiver(told):
    def receive(sender, **arguments):
        told.append((sender, arguments))
        return "thanks"

    return receive


def test_a_receiver_gets_signal_sender_and_arguments(signal, receiver, told):
    signal.connect(receiver)
    assert signal.send("me", what=1) == [(receiver, "thanks")]
    assert told == [("me", {"signal": signal, "what": 1})]


def test_receivers_are_called_in_the_order_in_which_they_were_connected(signal):
    order = []
    first, second = lambda **_: order.append(1), lambda **_: order.append(2)
    signal.connect(first)
    signal.connect(second)
    signal.send(None)
    assert order == [1, 2]


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, ValueError])
def test_what_is_only_told_ends_nobody(signal, raised, caplog):
    def leave(**_):
        raise raised

    signal.connect(leave)
    signal.tell("me", what=1)
    assert raised.__name__ in caplog.text


def test_connect_is_a_decorator_with_and_without_arguments(signal):
    @signal.connect
    def one(**_):
        return 1

    @signal.connect(sender="me")
    def two(**_):
        return 2

    assert signal.send("me") == [(one, 1), (two, 2)]


def test_a_receiver_of_one_sender_hears_nothing_of_others(signal, receiver, told):
    signal.connect(receiver, sender=str(b"me", "ascii"))
    assert signal.send("you") == []
    signal.send("me")
    assert [sender for sender, _ in told] == ["me"]


def test_connecting_twice_is_the_same_as_once(signal, receiver, told):
    signal.connect(receiver)
    signal.connect(receiver)
    signal.send(None)
    assert len(told) == 1


def test_a_receiver_may_be_connected_for_two_senders(signal, receiver, told):
    signal.connect(receiver, sender=1)
    signal.connect(receiver, sender=2)
    signal.send(1)
    signal.send(2)
    assert [sender for sender, _ in told] == [1, 2]


def test_a_dispatch_uid_names_the_connection(signal):
    signal.connect(lambda **_: "old", weak=False, dispatch_uid="greeter")
    signal.connect(lambda **_: "new", weak=False, dispatch_uid="greeter")
    assert [answer for _, answer in signal.send(None)] == ["new"]
    assert signal.disconnect(dispatch_uid="greeter")
    assert not signal.receivers


def test_disconnect_says_whether_the_receiver_was_connected(signal, receiver):
    signal.connect(receiver, sender="me")
    assert not signal.disconnect(receiver)
    assert signal.disconnect(receiver, sender="me")
    assert not signal.disconnect(receiver, sender="me")


def test_a_weak_receiver_is_forgotten_with_its_last_reference(signal):
    def receive(**_):
        pass

    signal.connect(receive)
    assert signal.has_listeners()
    del receive
    gc.collect()
    assert not signal.has_listeners()
    assert signal.send(None) == []
    assert signal.receivers == ()


def test_a_strong_receiver_stays(signal):
    signal.connect(lambda **_: 1, weak=False)
    gc.collect()
    assert [answer for _, answer in signal.send(None)] == [1]


def test_a_bound_method_lives_as_long_as_its_object(signal):
    class Listener:
        def hear(self, **_):
            return id(self)

    listener = Listener()
    signal.connect(listener.hear)
    signal.connect(listener.hear)
    assert [answer for _, answer in signal.send(None)] == [id(listener)]
    assert signal.disconnect(listener.hear)
    signal.connect(listener.hear)
    del listener
    gc.collect()
    assert signal.send(None) == []


def test_an_error_of_a_receiver_is_logged_and_the_others_are_told(signal, receiver, caplog):
    def fail(**_):
        raise ValueError("no")

    signal.connect(fail)
    signal.connect(receiver)
    with caplog.at_level(logging.ERROR, "umbel.signals"):
        (_, error), (_, answer) = signal.send(None)
    assert isinstance(error, ValueError)
    assert answer == "thanks"
    assert "happened" in caplog.text
    assert "ValueError: no" in caplog.text


def test_a_receiver_connected_with_retry_is_called_until_it_succeeds(signal, monkeypatch, caplog):
    pauses = []
    monkeypatch.setattr(signals.time, "sleep", pauses.append)
    tries = iter([ValueError, ValueError, None])

    def receive(**_):
        if error := next(tries):
            raise error
        return "at last"

    signal.connect(receive, retry=True)
    assert [answer for _, answer in signal.send(None)] == ["at last"]
    assert pauses == [2, 4]


def test_a_retried_receiver_is_given_up_some_time(signal, monkeypatch, caplog):
    pauses = []
    monkeypatch.setattr(signals.time, "sleep", pauses.append)

    def receive(**_):
        raise ValueError

    signal.connect(receive, retry=True)
    ((_, answer),) = signal.send(None)
    assert isinstance(answer, ValueError)
    assert sum(pauses) < 100


def test_a_receiver_without_kwargs_is_refused_at_once(signal):
    with pytest.raises(ValueError, match=r"must accept keyword arguments"):
        signal.connect(lambda sender: None)


def test_a_decorated_receiver_is_asked_for_its_own_arguments(signal):
    def plain(sender):
        pass

    @functools.wraps(plain)
    def wrapper(*args, **kwargs):
        return "wrapped"

    signal.connect(wrapper)
    assert [answer for _, answer in signal.send(None)] == ["wrapped"]


def test_objects_and_partials_can_be_receivers(signal):
    class Callable:
        def __call__(self, **_):
            return 1

    both = Callable(), functools.partial(lambda n, **_: n, 2)
    for receiver in both:
        signal.connect(receiver)
    signal.connect(dict)
    assert [answer for _, answer in signal.send(None, what=3)][:2] == [1, 2]


def test_what_cannot_be_called_is_no_receiver(signal):
    with pytest.raises(TypeError, match="callable"):
        signal.connect(7)


def test_a_signal_tells_its_name(signal):
    assert repr(signal) == "<Signal: happened providing_args=['what']>"


def test_every_signal_bears_its_own_name():
    named = {name: value for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert all(name == value.name for name, value in named.items())
    assert {"task_prerun", "task_postrun", "task_failure", "worker_process_init", "before_task_publish"} <= named.keys()


def test_sending_to_nobody_costs_next_to_nothing(signal):
    seconds = min(timeit.repeat(lambda: signal.receivers and signal.send(None), number=10_000, repeat=5)) / 10_000
    assert seconds < 1e-6
