"""Sets and groups of results."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from functools import partial

import pytest

from umbel import AsyncResult, GroupResult, ImproperlyConfigured, ResultSet, TimeoutError, allow_join_result, states
from umbel.client.results.eager_result import EagerResult
from umbel.client.results.result import result_from_tuple
from umbel.testing.waiting import patience, until
from umbel.wire import result as wire


@pytest.fixture
def add(app):
    @app.task
    def add(x, y):
        return x + y

    return add


def store(app, id_, state, value, **more):
    app.backend.store([wire.encode(id_, state, value, **more)])


@pytest.fixture
def asked(app):
    """What the result store was asked: (method, number of ids)."""
    calls = []
    backend = app.backend

    def listen(name, method, ids, *rest):
        calls.append((name, len(ids)))
        return method(ids, *rest)

    for name in ("fetch", "wait"):
        setattr(backend, name, partial(listen, name, getattr(backend, name)))
    return calls


@pytest.fixture
def group(app):
    """A group of three: one inside another, and whose results are stored by `store`."""
    inner = app.GroupResult("inner", [app.AsyncResult("b"), app.AsyncResult("c")])
    return app.GroupResult("outer", [app.AsyncResult("a"), inner], parent=app.AsyncResult("before"))


def finish(app, *ids):
    for id_ in ids:
        store(app, id_, states.SUCCESS, id_.upper())


def test_values_come_in_the_order_of_the_parts_and_those_of_groups_as_lists(app, group):
    finish(app, "c", "b", "a")
    assert group.get(timeout=patience()) == group.join(timeout=patience()) == group.join_native() == ["A", ["B", "C"]]


def test_a_set_waits_for_what_comes_later(app):
    results = app.ResultSet([app.AsyncResult(id_) for id_ in "abc"])
    finish(app, "b")
    found = results.iterate(timeout=patience())
    assert next(found) == "B"
    for id_ in "ca":
        threading.Timer(0.02, finish, (app, id_)).start()
        assert next(found) == id_.upper()
    assert list(found) == []
    assert [(id_, meta["result"]) for id_, meta in results.iter_native()] == [("a", "A"), ("b", "B"), ("c", "C")]


def test_join_gives_in_order_and_get_as_it_comes(app):
    def told(join):
        results, seen = app.ResultSet([app.AsyncResult(id_) for id_ in "abc"]), []
        with pytest.raises(TimeoutError, match=r"1 of 3 tasks did not end within 0.01 s"):
            getattr(results, join)(timeout=0.01, callback=lambda *both: seen.append(both))
        return seen

    finish(app, "a", "c")
    assert told("join") == [("a", "A")]
    assert told("get") == [("a", "A"), ("c", "C")]
    finish(app, "b")
    results = app.ResultSet([app.AsyncResult(id_) for id_ in "abc"])
    assert results.join(callback=lambda *_: None) == []
    assert results.get(callback=lambda *_: None) is None


def test_the_first_failure_is_raised_before_all_have_ended(app, group):
    store(app, "c", states.FAILURE, KeyError("k"), traceback="tb")
    with pytest.raises(KeyError):
        group.get(timeout=patience())
    with pytest.raises(KeyError):
        group.maybe_throw()
    finish(app, "a", "b")
    a, (b, c) = group.get(timeout=patience(), propagate=False)
    assert (a, b, type(c)) == ("A", "B", KeyError)


def test_a_failure_of_a_step_before_a_part_is_raised(app):
    part = AsyncResult("last", app=app, parent=AsyncResult("middle", app=app, parent=AsyncResult("first", app=app)))
    store(app, "first", states.FAILURE, LookupError("x"))
    with pytest.raises(LookupError):
        app.GroupResult("g", [part]).get(timeout=patience())


def test_states_are_told_of_all_with_one_question(app, asked):
    ids = [str(number) for number in range(3000)]
    results = GroupResult("many", [AsyncResult(id_, app=app) for id_ in ids], app=app)
    finish(app, *ids[:-1])
    assert (results.completed_count(), results.ready(), results.waiting(), results.successful(), results.failed()) == (
        2999,
        False,
        True,
        False,
        False,
    )
    assert asked == [("fetch", 3000), *[("fetch", 1)] * 4]
    store(app, ids[-1], states.FAILURE, ValueError("no"))
    del asked[:]
    assert (results.ready(), results.successful(), results.failed(), results.completed_count()) == (True, False, True, 2999)
    assert len(results.get(propagate=False)) == 3000
    assert asked == [("fetch", 1)]


def test_a_part_that_is_a_group_counts_as_one(app, group):
    finish(app, "b", "c")
    assert group.completed_count() == 1
    finish(app, "a")
    assert (group.completed_count(), group.successful()) == (2, True)
    store(app, "x", states.REVOKED, ValueError("gone"))
    mixed = app.ResultSet([app.GroupResult("g", [app.AsyncResult("x"), app.AsyncResult("a")])])
    assert (mixed.ready(), mixed.successful(), mixed.failed(), mixed.exists()) == (True, False, False, True)


def test_ignored_results_are_none_and_not_waited_for(add):
    results = ResultSet([add.apply_async((1, 2), ignore_result=True)])
    assert results.get(timeout=patience()) == [None]
    assert asyncio.run(results.aget()) == [None]


def test_eager_results_and_others_may_be_mixed(app):
    finish(app, "a")
    results = app.ResultSet([EagerResult("e", 5, states.SUCCESS), app.AsyncResult("a")])
    assert (results.get(timeout=patience()), results.successful()) == ([5, "A"], True)


def test_results_of_several_stores_are_joined(app, make_app):
    other = make_app()
    finish(app, "a")
    threading.Timer(0.02, finish, (other, "b")).start()
    both = ResultSet([AsyncResult("a", app=app), AsyncResult("b", app=other)])
    assert both.get(timeout=patience()) == ["A", "B"]


def test_who_waits_hears_of_states_on_the_way(app):
    seen, ticks = [], []
    result = app.AsyncResult("a")
    store(app, "a", "PROGRESS", {"current": 1})

    def tick():
        ticks.append(1)
        if len(ticks) == 3:
            store(app, "a", "PROGRESS", {"current": 2})
        if len(ticks) == 6:
            finish(app, "a")

    assert result.get(timeout=patience(), interval=0.01, on_message=seen.append, on_interval=tick) == "A"
    assert [(meta["status"], meta["result"]) for meta in seen] == [
        ("PROGRESS", {"current": 1}),
        ("PROGRESS", {"current": 2}),
        ("SUCCESS", "A"),
    ]
    assert {"status", "result", "traceback", "children", "date_done", "task_id"} <= seen[-1].keys()
    finish(app, "b")
    both = app.ResultSet([app.AsyncResult("a"), app.AsyncResult("b")])
    del seen[:]
    both.get(on_message=seen.append)
    assert {meta["task_id"] for meta in seen} == {"a", "b"}


def test_a_set_is_changed_like_a_list_without_doubles(app):
    a, b, c = (app.AsyncResult(id_) for id_ in "abc")
    results = app.ResultSet([a])
    results.add(b)
    results.add(b)
    results.update([a, c])
    assert results.results == [a, b, c]
    assert (len(results), results[1], list(results), results[1:]) == (3, b, [a, b, c], [b, c])
    results.remove("b")
    results.discard("b")
    with pytest.raises(KeyError):
        results.remove(b)
    assert results == ResultSet([a, c])
    assert results != [a, c]
    assert repr(results) == "<ResultSet: [a, c]>"
    results.clear()
    assert len(results) == 0
    assert results.app is app
    assert results.get() == []
    with pytest.raises(TypeError, match="no hash"):
        hash(results)


def test_groups_are_equal_by_id_and_parts(app, group):
    assert group == copy.copy(group) == pickle.loads(pickle.dumps(group)) == result_from_tuple(group.as_tuple(), app)
    assert group == "outer"
    assert group != GroupResult("outer", [])
    assert group != GroupResult("other", group.results, parent=group.parent)
    assert hash(group) == hash("outer")
    assert (bool(group), bool(GroupResult())) == (True, False)
    assert group.children is group.results
    assert group.as_list() == ["outer", "a", "inner", "b", "c", "before"]
    assert group.as_tuple() == (
        ("outer", (("before", None), None)),
        [(("a", None), None), (("inner", None), [(("b", None), None), (("c", None), None)])],
    )
    assert repr(group) == "<GroupResult: outer [a, inner]>"


def test_a_chain_of_thousands_has_its_tuple_list_and_pickle(app):
    result = None
    for number in range(5000):
        result = AsyncResult(str(number), app=app, parent=result)
    assert len(result.as_list()) == 5000
    assert result_from_tuple(result.as_tuple()).as_list() == result.as_list()
    assert pickle.loads(pickle.dumps(result)).as_list() == result.as_list()
    finish(app, "4999")
    assert result.get(timeout=patience()) == "4999"


def test_a_group_is_saved_and_found_again(app, group):
    group.save()
    found = app.GroupResult.restore("outer")
    assert found == group
    assert type(found).bound_app is app
    finish(app, "a", "b", "c")
    assert found.get(timeout=patience()) == ["A", ["B", "C"]]
    group.delete()
    assert app.GroupResult.restore("outer") is None
    assert GroupResult.restore("outer", app=app) is None
    with pytest.raises(ValueError, match="without an id"):
        GroupResult(results=[], app=app).save()


def test_without_a_result_store_a_group_says_so(make_app):
    app = make_app(backend="disabled://")
    for ask in (
        lambda: app.GroupResult("g", []).save(),
        lambda: app.GroupResult.restore("g"),
        lambda: app.GroupResult("g", [app.AsyncResult("a")]).get(timeout=patience()),
    ):
        with pytest.raises(ImproperlyConfigured, match="no results are kept"):
            ask()


def test_a_group_is_forgotten_and_revoked_as_a_whole(app, group, add):
    finish(app, "a", "b", "c")
    assert group.ready()
    group.forget()
    assert not group.exists()
    group.revoke()
    add.apply_async((1, 2), task_id="c")
    (delivery,) = app.broker.reserve(app.queues(), 1, 0.0)
    assert delivery.revoked


def test_a_task_does_not_wait_for_a_set(app, work):
    @app.task
    def waits():
        results = app.ResultSet([app.AsyncResult("a")])
        for wait in (results.get, results.join, lambda: list(results.iterate())):
            with pytest.raises(RuntimeError, match="waits for a result inside a task"):
                wait()
        with allow_join_result():
            return results.get(timeout=patience()), results.join(disable_sync_subtasks=False)

    finish(app, "a")
    result = waits.delay()
    work()
    assert result.get(timeout=patience()) == [["A"], ["A"]]


def test_who_asked_is_called_once_all_have_ended(app, group):
    seen, errors = [], []
    assert group.then(seen.append, on_error=errors.append) is group
    finish(app, "a", "b")
    assert not seen
    store(app, "c", states.FAILURE, ValueError("no"))
    until(lambda: seen == [group])
    single = app.AsyncResult("a")
    single.get()
    single.then(seen.append)
    assert seen == [group, single]
    single.then(lambda _: 1 / 0, on_error=errors.append)
    assert [type(error) for error in errors] == [ZeroDivisionError]

    class Owner:
        def call(self, result):
            seen.append("weakly")

    owner = Owner()
    single.then(owner.call, weak=True)
    assert seen[-1] == "weakly"
    later = app.AsyncResult("later")
    later.then(owner.call, weak=True)
    del owner
    later.then(seen.append)
    finish(app, "later")
    until(lambda: seen[-1] == later)
    assert seen.count("weakly") == 1


# -- asyncio


def test_a_group_is_awaited_and_iterated_while_the_loop_goes_on(app, group):
    finish(app, "b")

    async def main():
        loop = asyncio.get_running_loop()
        next_ = {"b": "c", "c": "a"}
        ended = []
        async for result in group:
            ended.append(result.id)
            if result.id in next_:
                loop.call_later(0.02, finish, app, next_[result.id])
        return ended, await group, [value async for value in group.aiterate()]

    assert asyncio.run(main()) == (["b", "c", "a"], ["A", ["B", "C"]], ["A", "B", "C"])


def test_an_awaited_group_raises_and_times_out(app, group):
    with pytest.raises(TimeoutError, match=r"3 of 3 tasks did not end within 0.01 s"):
        asyncio.run(group.aget(timeout=0.01))
    store(app, "c", states.FAILURE, KeyError("k"))
    with pytest.raises(KeyError):
        asyncio.run(group.aget(timeout=patience()))
    finish(app, "a", "b")
    assert type(asyncio.run(group.aget(propagate=False))[1][1]) is KeyError


def test_an_awaited_step_raises_what_a_step_before_it_raised(app):
    result = AsyncResult("last", app=app, parent=AsyncResult("first", app=app))
    store(app, "first", states.FAILURE, LookupError("x"))
    with pytest.raises(LookupError):
        asyncio.run(result.aget(timeout=patience()))


# -- what hangs on a result


def test_what_hangs_on_a_result_is_collected(app):
    store(app, "root", states.SUCCESS, 1, children=[(("a", None), None), (("g", None), [(("b", None), None)])])
    store(app, "a", states.SUCCESS, 2, children=[(("a", None), None)])
    store(app, "b", states.SUCCESS, 3)
    root = app.AsyncResult("root")
    assert [(str(result.id), value) for result, value in root.collect()] == [
        ("root", 1),
        ("a", 2),
        ("g", [3]),
        ("b", 3),
    ]
    assert root.get_leaf() == 3
    assert [(parent and parent.id, result.id) for parent, result in root.iterdeps()] == [
        (None, "root"),
        ("root", "a"),
        ("root", "g"),
        ("g", "b"),
    ]
    assert {node.id: [child.id for child in hanging] for node, hanging in root.graph.items()} == {
        "root": ["a", "g"],
        "a": [],
        "g": ["b"],
        "b": [],
    }


def test_what_has_not_ended_is_an_incomplete_stream(app):
    from umbel.errors import IncompleteStream

    store(app, "root", states.SUCCESS, 1, children=[(("a", None), None)])
    root = app.AsyncResult("root")
    with pytest.raises(IncompleteStream, match="task a has not ended"):
        list(root.iterdeps())
    with pytest.raises(IncompleteStream):
        _ = root.graph
    assert [result.id for _, result in root.iterdeps(intermediate=True)] == ["root", "a"]
    assert list(root.build_graph(intermediate=True)) == ["root", "a"]
