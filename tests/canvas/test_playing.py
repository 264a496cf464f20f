"""Canvases of all shapes come to the same end on every store, eagerly, and by `apply`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.canvas.conftest import Stand

from umbel import EagerResult, Signature, chain, chord, group, signature
from umbel.errors import ChordError, ImproperlyConfigured, TaskRevokedError
from umbel.stores.memory.room import room
from umbel.testing.waiting import patience, until

CANVASES: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "a chain": (lambda t: t.add.s(1, 2) | t.add.s(3) | t.add.s(4), 10),
    "a chain of one": (lambda t: chain(t.add.s(1, 2)), 3),
    "immutable steps": (lambda t: t.add.s(1, 2) | t.add.si(3, 4) | t.add.s(1), 8),
    "a group": (lambda t: group(t.add.s(n, n) for n in range(4)), [0, 2, 4, 6]),
    "an empty group": (lambda t: group([], app=t.app), []),
    "a group of groups": (lambda t: group(t.add.s(1, 2), group(t.add.s(3, 4), t.add.s(5, 6)), t.add.s(7, 8)), [3, 7, 11, 15]),
    "a chord": (lambda t: chord([t.add.s(1, 2), t.add.s(3, 4)], t.total.s()), 10),
    "a chord of a generator": (lambda t: chord((t.add.s(n, n) for n in range(5)), t.same.s()), [0, 2, 4, 6, 8]),
    "a chord of nothing": (lambda t: chord([], t.total.s()), 0),
    "a chord of one": (lambda t: chord([t.add.s(1, 1)], t.same.s()), [2]),
    "a group, then a task": (lambda t: group(t.add.s(1, 2), t.add.s(3, 4)) | t.total.s(), 10),
    "a group, then a group": (lambda t: group(t.add.s(1, 2), t.add.s(3, 4)) | group(t.total.s(), t.same.s()), [10, [3, 7]]),
    "a group between tasks": (lambda t: t.add.s(1, 2) | group(t.add.s(3), t.add.s(4)) | t.total.s() | t.add.s(100), 113),
    "a group at the end": (lambda t: t.add.s(1, 2) | group(t.add.s(3), t.add.s(4)), [6, 7]),
    "two chords": (
        lambda t: chord([t.add.s(1, 2), t.add.s(3, 4)], t.total.s()) | chord([t.add.s(1), t.add.s(2)], t.same.s()),
        [11, 12],
    ),
    "a chord in a chord": (
        lambda t: chord([chord([t.add.s(1, 2), t.add.s(3, 4)], t.total.s()), t.add.s(5, 6)], t.same.s()),
        [10, 11],
    ),
    "chains in a chord": (lambda t: chord([t.add.s(1, 2) | t.add.s(3), t.add.s(4, 5)], t.same.s()), [6, 9]),
    "a chain with a group at its end in a chord": (
        lambda t: chord([t.add.s(1, 2) | group(t.add.s(1), t.add.s(2)), t.add.s(3, 4)], t.same.s()),
        [[4, 5], 7],
    ),
    "a group in a chord": (
        lambda t: chord([t.add.s(0, 0), group(t.add.s(1, 2), t.add.s(3, 4)), t.add.s(4, 0)], t.same.s()),
        [0, 3, 7, 4],
    ),
    "a body of steps": (lambda t: chord([t.add.s(1, 2), t.add.s(3, 4)], t.total.s() | t.add.s(5) | t.add.s(6)), 21),
    "a body that is a group": (lambda t: chord([t.add.s(1, 2)], group(t.total.s(), t.same.s())), [3, [3]]),
    "a body that is a chord": (lambda t: chord([t.add.s(1, 2)], chord([t.total.s(), t.same.s()], t.same.s())), [3, [3]]),
    "a chord whose body is a group in a chord": (
        lambda t: chord([chord([t.add.s(1, 1)], group(t.total.s(), t.same.s())), t.add.s(5, 6)], t.same.s()),
        [[2, [2]], 11],
    ),
    "five chords": (
        lambda t: chain(*(step for _ in range(5) for step in (group(t.add.s(1), t.add.s(2)), t.total.s()))).clone(args=(1,)),
        125,
    ),
    "deep": (
        lambda t: (
            group(
                chain(t.add.s(1, 2), group(t.add.s(3), t.add.s(4)), t.total.s()),
                chord([t.add.s(1, 2)], t.total.s()),
                t.add.s(5, 6),
            )
            | t.same.s()
            | group(t.same.s(), t.total.s())
        ),
        [[13, 3, 11], 27],
    ),
    "a map": (lambda t: t.total.map([[1, 2], [3]]) | t.total.s(), 6),
    "a starmap": (lambda t: t.add.starmap([(1, 2), (3, 4)]), [3, 7]),
    "chunks": (lambda t: t.add.chunks(zip(range(5), range(5), strict=True), 2), [[0, 2], [4, 6], [8]]),
    "chunks in a chain": (lambda t: chain(t.same.s(1), t.add.chunks([(1, 2), (3, 4)], 1).group(), t.same.s()), [[3], [7]]),
    "retries": (lambda t: chord([t.second_time.s(1), t.add.s(1, 1)], t.same.s()) | t.second_time.s(), [1, 2]),
    "what is replaced by a task": (lambda t: t.twice.s(3) | t.add.s(1), 7),
    "what is replaced by a group": (lambda t: t.spread.s(5) | t.total.s(), 13),
    "what is replaced in a chord": (lambda t: chord([t.spread.s(1), t.twice.s(4)], t.same.s()), [[2, 3], 8]),
    "callbacks": (lambda t: t.add.s(1, 2).set(link=[t.add.s(1) | t.add.s(2), group(t.add.s(1), t.add.s(2))]), 3),
}


@pytest.mark.parametrize("name", CANVASES)
def test_it_comes_to_its_end(stand: Stand, name: str) -> None:
    make, expected = CANVASES[name]
    assert make(stand).apply_async().get(timeout=patience()) == expected


@pytest.mark.parametrize("name", CANVASES)
def test_it_comes_to_the_same_eagerly_and_by_apply(eager: Stand, name: str) -> None:
    make, expected = CANVASES[name]
    assert make(eager).apply_async().get() == expected
    eager.app.conf.task_always_eager = False
    assert make(eager).apply().get() == expected


@pytest.mark.parametrize("name", CANVASES)
def test_it_comes_to_the_same_from_its_json(eager: Stand, name: str) -> None:
    import json

    make, expected = CANVASES[name]
    assert signature(json.loads(json.dumps(make(eager))), app=eager.app).apply_async().get() == expected


def failures(t: Any) -> dict[str, tuple[Any, type[Exception], str]]:
    """Canvases in which something goes wrong, and what their end raises."""
    app, gone = t.app, {"expires": -1}
    return {
        "a step": (t.add.s(1, 1) | t.fail.s() | t.add.s(1) | t.add.s(2), ValueError, "no"),
        "a part": (chord([t.add.s(1, 1), t.fail.s()], t.total.s()), ChordError, r"Dependency \S+ raised ValueError\('no'\)"),
        "a part of a part": (
            chord([chord([t.fail.s(), t.add.s(1, 1)], t.total.s()), t.add.s(1, 1)], t.total.s() | t.add.s(1)),
            ChordError,
            r"Dependency .* raised ChordError.*Dependency .* raised ValueError",
        ),
        "a step before a part": (chord([t.fail.s() | t.add.s(1), t.add.s(1, 1)], t.total.s()), ChordError, "ValueError"),
        "a step before a group": (chord([t.fail.s() | group(t.add.s(1), t.add.s(2))], t.total.s()), ChordError, "ValueError"),
        "what a part is replaced by": (chord([t.twice.s("a") | t.total.s()], t.same.s()), ChordError, "TypeError"),
        "an expired part": (chord([t.add.s(1, 1).set(**gone), t.add.s(1, 1)], t.total.s()), ChordError, "expired"),
        "an expired step": (t.add.s(1, 1) | t.add.s(1).set(**gone) | t.add.s(2), TaskRevokedError, "expired"),
        "an ignored part": (chord([t.ignore.s(), t.add.s(1, 1)], t.total.s()), ChordError, "ignored"),
        "an ignored step": (t.ignore.s() | t.add.s(1), TaskRevokedError, "ignored"),
        "a rejected part": (chord([t.reject.s(), t.add.s(1, 1)], t.total.s()), ChordError, "unwanted"),
        "arguments that do not fit": (chord([t.add.s(1, 1)], t.add.si(1, 2, 3).set()), TypeError, "add"),
        "a body": (chord([t.add.s(1, 1)], t.fail.s() | t.add.s(1)), ValueError, "no"),
        "a part of a generator": (chord((each.s() for each in (t.fail, t.fail)), t.total.s(), app=app), ChordError, "no"),
    }


@pytest.mark.parametrize("name", failures(Stand("names", broker="memory://names")))
def test_whatever_goes_wrong_the_end_is_told(stand: Stand, name: str) -> None:
    canvas, kind, text = failures(stand)[name]
    with pytest.raises(kind, match=text):
        canvas.apply_async().get(timeout=patience())


@pytest.mark.parametrize("name", failures(Stand("names", broker="memory://names")))
def test_it_is_told_eagerly_too(eager: Stand, name: str) -> None:
    if "expired" in name:
        pytest.skip("what runs at once does not expire")
    canvas, kind, text = failures(eager)[name]
    with pytest.raises(kind, match=text):
        canvas.apply_async().get()


def test_all_steps_never_reached_are_told(stand: Stand) -> None:
    canvas = stand.fail.s() | group(stand.add.s(1), stand.add.s(2)) | stand.total.s() | stand.add.s(1)
    result = canvas.apply_async()
    seen = []
    while result is not None:
        for each in getattr(result, "results", [result]):
            with pytest.raises(ValueError, match="no"):
                each.get(timeout=patience(), follow_parents=False)
            seen.append(each.id)
        result = result.parent
    assert len(set(seen)) == 5


def test_each_errback_of_a_body_is_called_once(stand: Stand) -> None:
    stand.heard.clear()
    body = stand.total.s().on_error(stand.hear.s()).on_error(stand.hear_all.s())
    result = chord([stand.fail.s(), stand.fail.s(), stand.add.s(1, 1)], body).apply_async()
    with pytest.raises(ChordError):
        result.get(timeout=patience())
    until(lambda: len(stand.heard) == 2)
    ids = sorted(each[0] for each in stand.heard)
    assert ids == [result.id, result.id]


def test_parts_are_added_behind_those_that_were_there(stand: Stand) -> None:
    first, own, *added = chord([stand.add.s(1, 1), stand.more.s(5)], stand.same.s()).apply_async().get(timeout=patience())
    assert (first, own, sorted(added)) == (2, 5, [105, 205])


def test_what_is_no_part_of_a_chord_cannot_grow_one(eager: Stand) -> None:
    with pytest.raises(ValueError, match="is no part of a chord"):
        eager.more.delay(1).get()


def test_a_revoked_part_ends_its_chord(stand: Stand) -> None:
    canvas = chord([stand.add.s(1, 1), stand.add.s(2, 2).set(countdown=1)], stand.total.s())
    result = canvas.apply_async()
    result.parent.results[1].revoke()
    with pytest.raises(ChordError, match="revoked"):
        result.get(timeout=patience())


def test_a_part_that_nobody_knows_ends_its_chord(stand: Stand) -> None:
    stand.app.conf.task_unknown_ttl = 600.0
    parts = [stand.add.s(1, 1), Signature("nobody.knows", app=stand.app)]
    result = chord(parts, stand.total.s(), app=stand.app).apply_async()
    result.parent.results[1].revoke()
    with pytest.raises(ChordError):
        result.get(timeout=patience())


def test_root_parent_and_group_are_those_of_celery(stand: Stand) -> None:
    result = (stand.seen.s() | stand.seen.si() | group(stand.seen.si(), stand.seen.si())).apply_async()
    first, second = result.parent.parent, result.parent
    assert result.get(timeout=patience()) == [[first.id, second.id, result.id]] * 2
    assert second.get(timeout=patience()) == [first.id, first.id, None]


def test_a_long_chain_and_a_large_chord_are_small_messages(stand: Stand) -> None:
    steps = chain([stand.add.s(0, 0), *(stand.add.s(1) for _ in range(300))])
    assert steps.apply_async().get(timeout=patience()) == 300
    body = stand.total.s() | chain([stand.add.s(1) for _ in range(200)])
    assert chord([stand.add.s(1, 0)] * 50, body).apply_async().get(timeout=patience()) == 250


def test_a_long_chain_that_fails_tells_its_end(stand: Stand) -> None:
    steps = chain(
        [stand.add.s(0, 0), *(stand.add.s(1) for _ in range(100)), stand.fail.s(), *(stand.add.s(1) for _ in range(200))]
    )
    result = steps.apply_async()
    with pytest.raises(ValueError, match="no"):
        result.get(timeout=patience())
    for _ in range(150):
        result = result.parent
    with pytest.raises(ValueError, match="no"):
        result.get(timeout=patience(), follow_parents=False)


LONG = "x" * 3_000
"""So much that the body of a chord with some parts is kept."""
LOSSES: dict[str, Callable[[Stand], Any]] = {
    "the rest of a chain": lambda t: steps_of(t),
    "the rest of a chain with a group at its end": lambda t: steps_of(t) | group(t.add.s(1), t.add.s(2)),
    "the rest of a part": lambda t: chord([t.add.s(1, 1), steps_of(t)], t.same.s().on_error(t.hear.s())),
    "the rest of a part that ends in a group": lambda t: chord(
        [t.add.s(1, 1), steps_of(t) | group(t.add.s(1), t.add.s(2))], t.same.s().on_error(t.hear.s())
    ),
    "the rest of a part that fails": lambda t: chord(
        [t.add.s(1, 1), chain(t.fail.si(), steps_of(t))], t.same.s().on_error(t.hear.s())
    ),
    "a body": lambda t: chord([t.add.s(1, 1)] * 50, t.add.s(LONG)),
    "the body of a part": lambda t: chord(
        [t.add.s(1, 1), chord([t.add.s(1, 1)] * 50, t.add.s(LONG))], t.same.s().on_error(t.hear.s())
    ),
    "the body of a part that fails": lambda t: chord(
        [t.add.s(1, 1), chord([t.fail.s()] * 50, t.add.s(LONG))], t.same.s().on_error(t.hear.s())
    ),
    "the rest of a part whose chord has a long body": lambda t: chord([t.add.s(1, 1), steps_of(t)], t.add.s(LONG)),
    "the body of a part of a part": lambda t: chord(
        [t.add.s(1, 1), chord([t.add.s(1), chord([t.add.s(1, 1)] * 50, t.add.s(LONG))], t.add.s(LONG))],
        t.same.s().on_error(t.hear.s()),
    ),
}


def steps_of(stand: Stand) -> Any:
    """A chain so long that most of it is kept."""
    return chain([stand.add.s(0, 0), *(stand.add.s(1) for _ in range(150))])


@pytest.mark.parametrize("lost", LOSSES)
def test_what_the_store_has_lost_of_a_canvas_ends_it(lost: str) -> None:
    name = f"lost {lost}"
    stand = Stand(name, broker=f"memory://{name}", backend=f"memory://{name}")
    result = LOSSES[lost](stand).apply_async()
    kept = room(name).groups
    assert kept
    kept.clear()
    with stand:
        for each in getattr(result, "results", [result]):
            with pytest.raises((ChordError, ValueError), match=r"gone from the store|no$"):
                each.get(timeout=patience(), follow_parents=False)
        if "link_error" in json.dumps(dict(LOSSES[lost](stand))):
            until(lambda: stand.heard)
            assert [each[0] for each in stand.heard] == [result.id]
        until(lambda: not room(name).chords._chords)


def test_a_group_of_a_generator_is_sent_once(stand: Stand) -> None:
    found = group(stand.add.s(n, n) for n in range(3))
    assert found.apply_async().get(timeout=patience()) == [0, 2, 4]
    with pytest.raises(RuntimeError, match="is used up"):
        found.apply_async()


def test_a_frozen_canvas_is_sent_with_the_ids_that_it_has(stand: Stand) -> None:
    for canvas in (
        stand.add.s(1, 1) | stand.add.s(2),
        group(stand.add.s(1, 1), stand.add.s(2, 2)),
        chord([stand.add.s(1, 1)], stand.total.s() | stand.add.s(1)),
        stand.add.s(1, 1) | group(stand.add.s(1), stand.add.s(2)) | stand.total.s(),
    ):
        promised = canvas.freeze()
        assert canvas.apply_async().as_tuple() == promised.as_tuple()
        promised.get(timeout=patience())


def test_a_name_given_names_the_end(eager: Stand) -> None:
    for canvas in (eager.add.s(1, 1) | eager.add.s(2), chord([eager.add.s(1, 1)], eager.total.s())):
        assert canvas.apply_async(task_id="mine").id == "mine"
    assert group(eager.add.s(1, 1)).apply_async(task_id="ours").id == "ours"
    assert (eager.twice.s(1)).apply_async(task_id="theirs").id == "theirs"
    assert isinstance(eager.twice.apply_async((1,), task_id="his"), EagerResult)


def test_a_chord_without_results_says_what_is_missing() -> None:
    stand = Stand("bare", broker="memory://bare", backend="disabled://")
    with pytest.raises(ImproperlyConfigured, match="result_backend"):
        chord([stand.add.s(1, 1)], stand.total.s()).apply_async()


def test_a_chord_waits_for_parts_longer_than_results_are_kept() -> None:
    may_end = threading.Event()
    with Stand("brief", broker="memory://brief", backend="memory://brief", result_expires=0.05) as stand:

        @stand.app.task
        def wait(value: int) -> int:
            assert may_end.wait(patience())
            return value

        chord([stand.add.s(1, 1), wait.s(3)], stand.hear.s()).apply_async()
        many = chord((stand.add.s(1, n) if n else wait.s(1) for n in range(700)), stand.hear.s()).apply_async()
        store, early = stand.app.result_store, many.parent.results[1].id
        assert store is not None
        until(lambda: store.parts(many.parent.id).arrived)
        until(lambda: not store.fetch([early]))
        may_end.set()
        until(lambda: len(stand.heard) == 2)
        assert sorted(heard[0] for heard in stand.heard) == [[1, *range(2, 701)], [2, 3]]


def test_a_chord_needs_a_body(eager: Stand) -> None:
    with pytest.raises(TypeError, match="a body"):
        chord([eager.add.s(1, 1)]).apply_async()
    assert chord([eager.add.s(1, 1)])(eager.total.s()).get() == 2


def test_what_replaces_a_task_stands_for_itself(eager: Stand) -> None:
    app = eager.app

    @app.task(bind=True, throws=(ImproperlyConfigured,))
    def wrongly(self: Any, how: str) -> Any:
        sig = chain(app=app) if how == "empty" else eager.add.s(1).set(chord=eager.total.s())
        return self.replace(sig)

    for how in ("empty", "chord"):
        with pytest.raises(ImproperlyConfigured):
            wrongly.delay(how).get()


def test_orders_need_no_declared_queue_and_obey_no_route() -> None:
    settings = {"task_create_missing_queues": False, "task_queues": ["only"], "task_default_queue": "only"}
    routes = {"umbel.*": {"queue": "only", "priority": 9}}
    for shared in (False, True):
        name = f"declared{shared}"
        urls = {"broker": f"memory://{name}", "backend": f"memory://{name}"}
        with Stand(name, **urls, **settings, task_routes=routes, task_shared_with_celery=shared) as stand:
            result = chord([stand.add.s(1, 1), stand.add.s(2, 2)], stand.total.s()).apply_async()
            assert result.get(timeout=patience()) == 6
