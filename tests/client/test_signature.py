from __future__ import annotations

import copy
import enum
import json
import pickle

import pytest

from umbel import Signature, chain, chord, group, signature
from umbel.client.canvas.signature import maybe_signature


@pytest.fixture
def add(app):
    @app.task(name="add")
    def add(x, y=0):
        return x + y

    return add


def test_a_signature_is_the_dict_that_travels(add):
    sig = add.s(1, y=2)
    assert sig == {
        "task": "add",
        "args": (1,),
        "kwargs": {"y": 2},
        "options": {},
        "subtask_type": None,
        "immutable": False,
    }
    assert json.loads(json.dumps(sig))["task"] == "add"
    assert (sig.task, sig.name, sig.args, sig.kwargs, sig.options, sig.immutable, sig.type) == (
        "add",
        "add",
        (1,),
        {"y": 2},
        {},
        False,
        add,
    )
    assert repr(sig) == "add(1, y=2)"


def test_arguments_given_later_come_first(add, work):
    result = add.s(1).delay(10)
    work()
    assert result.get() == 11
    assert add.s(1)(5) == 6
    assert add.s(1).apply((5,)).get() == 6


def test_an_immutable_one_takes_no_more(add, work):
    sig = add.si(1, 2)
    result = sig.delay(100, y=100)
    work()
    assert result.get() == 3
    assert sig.immutable
    assert add.s(1).set(immutable=True).clone((5,)).args == (1,)
    assert add.s(1).set_immutable(True).immutable


def test_options_given_later_win_but_for_the_group(add, sent):
    sig = add.s(1, 2).set(queue="a", priority=1, group_id="g")
    sig.apply_async(queue="b", group_id="other")
    ((envelope, message),) = sent()
    assert (envelope.queue, envelope.priority, message.headers.group) == ("b", 1, "g")


def test_a_signature_of_an_unknown_task_is_sent_by_its_name(app, sent):
    app.signature("elsewhere.job", args=(1,), kwargs={"a": 2}, countdown=0).apply_async()
    ((_, message),) = sent()
    assert (message.headers.task, list(message.args), message.kwargs) == ("elsewhere.job", [1], {"a": 2})
    assert message.headers.ignore_result is None


def test_a_clone_shares_nothing_with_its_original(add):
    sig = add.s(1)
    sig.link(add.s(2))
    other = sig.clone((5,), {"y": 3}, queue="q")
    other.link(add.s(9))
    assert (sig.args, other.args) == ((1,), (5, 1))
    assert (len(sig.options["link"]), len(other.options["link"])) == (1, 2)
    assert copy.copy(sig) == copy.deepcopy(sig) == sig
    assert pickle.loads(pickle.dumps(sig)) == sig


def test_replace_puts_new_parts_in_place(add):
    sig = add.s(1, y=2).set(queue="q").replace(args=(7,), kwargs={}, options={"priority": 1})
    assert (sig.args, sig.kwargs, sig.options) == ((7,), {}, {"priority": 1})
    assert add.s(1).replace().args == (1,)


def test_links_are_kept_once_each(add):
    sig = add.s(1)
    assert sig.link(add.s(2)) == add.s(2)
    sig.link(add.s(2))
    assert sig.on_error(add.s(3)) is sig
    sig.extend_list_option("link", [add.s(4)])
    sig.append_to_list_option("link", add.s(4))
    assert sig.options["link"] == [add.s(2), add.s(4)]
    assert sig.options["link_error"] == [add.s(3)]
    assert [each["args"] for each in sig.flatten_links()] == [(1,), (2,), (4,)]
    assert add.s().set(link=add.s(1)).link(add.s(2)) == add.s(2)


def test_freeze_settles_the_id(add, work):
    sig = add.s(1, 2)
    result = sig.freeze(root_id="r", parent_id="p", group_id=None)
    assert (sig.id, sig.root_id, sig.parent_id) == (result.id, "r", "p")
    assert sig.freeze().id == result.id
    assert add.s(1, 2).freeze("mine").id == "mine"
    sig.apply_async()
    work()
    assert result.get() == 3


def test_a_signature_is_made_of_a_task_a_name_or_a_dict(app, add):
    assert signature(add, (1,)) == signature("add", args=(1,)) == signature({"task": "add", "args": (1,)})
    assert isinstance(signature({"task": "add"}), Signature)
    assert signature({"task": "add", "kwargs": None})["kwargs"] == {}
    sig = add.s(1)
    assert signature(sig) == sig
    assert signature(sig) is not sig
    assert Signature(None, type=add).task == "add"
    assert maybe_signature(None) is None
    assert maybe_signature(dict(sig), app, clone=True) == sig
    assert signature("add", app=app).app is app
    assert add.signature((1,), {"y": 2}, immutable=True, queue="q") == {**add.si(1, y=2), "options": {"queue": "q"}}


@pytest.mark.parametrize("option", ["task_id", "countdown", "link_error", "chain", "chord", "headers"])
@pytest.mark.parametrize(
    "canvas",
    [
        lambda one, odd: chord([one, one], odd),
        lambda one, odd: chord((each for each in [one, one]), odd),
        lambda one, odd: chord([one], chain(one, odd)),
        lambda one, odd: chord([one], group([one, odd])),
        lambda one, odd: chain(one, chord([one, one], odd)),
        lambda one, odd: chain(one, chord([one, odd], one)),
        lambda one, odd: chain(one, group([one, odd])),
        lambda one, odd: group([one, chain(one, odd)]),
    ],
)
def test_what_cannot_be_sent_later_in_a_canvas_is_refused_at_once(add, work, canvas, option):
    with pytest.raises(ValueError, match=f"^add: {option} must be|that cannot be sent: add: {option} must be"):
        canvas(add.si(1), add.si(2).set(**{option: 5.5 if option != "countdown" else "soon"})).apply_async()
    work()
    assert add.delay(1).status == "PENDING"


@pytest.mark.parametrize("place", ["link", "link_error"])
@pytest.mark.parametrize(
    "canvas",
    [
        lambda one, odd: chain(one, odd),
        lambda one, odd: group([one, odd]),
        lambda one, odd: chord([one, odd], one),
        lambda one, odd: chord([one], chain(one, odd)),
        lambda one, odd: one.set(link=chain(one, odd)),
    ],
)
def test_what_cannot_be_sent_later_in_a_canvas_that_follows_a_call_is_refused_with_the_call(add, canvas, place):
    behind = canvas(add.si(1), add.si(2).set(priority="urgent"))
    for send in (add.apply_async, lambda args, **options: chain(add.si(*args), add.si(1)).apply_async(**options)):
        with pytest.raises(ValueError, match=f"{place} holds a call that cannot be sent: .*add: priority must be a whole number"):
            send((1,), **{place: behind})


def test_a_canvas_without_tasks_is_no_link(add):
    with pytest.raises(ValueError, match=r"^add: link must be a signature, or a list of them, not .*'celery\.chain'"):
        add.apply_async((1,), link={"task": "celery.chain", "subtask_type": "chain", "args": [], "kwargs": {}, "options": {}})


def test_members_of_an_enum_are_the_queues_of_bodies_as_of_calls(app, add):
    class Queue(enum.Enum):
        FAST = "fast"

    body = add.si(3).set(queue=Queue.FAST)
    chord([add.si(1)], body).apply_async()
    assert body.options["queue"] is Queue.FAST
    (delivery,) = app.broker.reserve(["celery"], 1, 0)
    assert json.loads(delivery.envelope.body)[2]["chord"]["options"]["queue"] == "fast"
