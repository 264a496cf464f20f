"""Asks the installed Celery, real or not, about results of many tasks; prints its answers as JSON."""

import copy
import json
import pickle
from types import SimpleNamespace

from celery import Celery
from celery.result import AsyncResult, EagerResult, GroupResult, ResultBase, ResultSet, result_from_tuple
from celery.utils.graph import DOT, CycleError, DependencyGraph

app = Celery("answers", broker="memory://", backend="cache+memory://")
app.set_default()


def kept(id_, value, state="SUCCESS", children=()):
    request = SimpleNamespace(id=id_, children=[AsyncResult(each) for each in children], group=None, parent_id=None)
    request.get = lambda name, default=None: getattr(request, name, default)
    app.backend.store_result(id_, value, state, request=request)
    return app.AsyncResult(id_)


a, b, bad, none = (
    kept("a", 1, children=["b"]),
    kept("b", {"two": 2}),
    kept("bad", ValueError("no", 1), "FAILURE"),
    AsyncResult("none"),
)
kept("going", {"done": 1}, "PROGRESS")
kept("gone", ValueError("gone"), "REVOKED")
inner = GroupResult("inner", [AsyncResult("a"), AsyncResult("b")], parent=AsyncResult("before"))


def group(*ids):
    return GroupResult("g", [AsyncResult(id_) for id_ in ids])


def raised(ask):
    try:
        return ask()
    except Exception as problem:
        return [type(problem).__name__, repr(problem.args)]


def told(join, found):
    seen = []
    return [getattr(found, join)(callback=lambda *both: seen.append(both)), sorted(seen, key=repr)]


def states_of(found):
    return [found.ready(), found.successful(), found.failed(), found.waiting(), found.completed_count()]


def changed():
    found = ResultSet([a])
    found.add(a)
    found.add(b)
    found.update([a, none])
    seen = [len(found), [each.id for each in found]]
    found.remove(b)
    found.discard(AsyncResult("b"))
    return [*seen, found[1].id, raised(lambda: found.remove(b))[0], found.clear(), len(found), found == ResultSet([]), found != 5]


def saved():
    inner.save()
    found = GroupResult.restore("inner")
    seen = [found == inner, found.id, found.get(), type(found).__name__]
    inner.delete()
    return [*seen, GroupResult.restore("inner"), app.GroupResult.restore("nothing")]


def eager(state, **options):
    found = EagerResult("e", 5, state, **options)
    return [found.ready(), found.successful(), found.failed(), found.state, found.result, repr(found), raised(found.get)]


def revoked():
    found = EagerResult("e", 5, "SUCCESS")
    found.revoke()
    return [found.state, type(found.result).__name__]


GRAPH = DependencyGraph([("A", ["B", "D"]), ("B", ["C"]), ("C", []), ("D", [])])
SMALL = DependencyGraph([("A", ["B"]), ("B", [])])

QUESTIONS = {
    "a group": lambda: [repr(group("a", "b")), str(group()), bool(group()), bool(GroupResult()), len(inner), inner[1].id],
    "parts": lambda: [
        [each.id for each in inner],
        inner.children == inner.results,
        inner.parent.id,
        hash(inner) == hash("inner"),
    ],
    "equal": lambda: [group("a") == group("a"), group("a") == group("b"), inner != 5, hash(AsyncResult("a")) == hash("a")],
    "tuples": lambda: [inner.as_tuple(), AsyncResult("x", parent=inner).as_tuple(), AsyncResult("x", parent=a).as_list()],
    "from tuples": lambda: [
        result_from_tuple(inner.as_tuple()) == inner,
        result_from_tuple(AsyncResult("x", parent=inner).as_tuple()).parent == inner,
        repr(result_from_tuple([["x", ["y", None]], None])),
        repr(result_from_tuple(json.loads(json.dumps(inner.as_tuple())))),
        result_from_tuple(inner) is inner,
    ],
    "copies": lambda: [copy.copy(a) == a, pickle.loads(pickle.dumps(inner)).id, pickle.loads(pickle.dumps(a)).id],
    "kinds": lambda: [isinstance(inner, ResultSet), isinstance(a, ResultBase), isinstance(inner, ResultBase)],
    "all well": lambda: [
        states_of(group("a", "b")),
        group("a", "b").get(),
        group("a", "b").join(),
        group("a", "b").join_native(),
    ],
    "one bad": lambda: [states_of(group("a", "bad")), raised(group("a", "bad").get), raised(group("a", "bad").join)],
    "bad as a value": lambda: [repr(group("a", "bad").get(propagate=False)), raised(group("a", "bad").maybe_throw)],
    "some going": lambda: [states_of(group("a", "going")), states_of(group("none")), states_of(group("gone", "b"))],
    "empty": lambda: [states_of(group()), group().get(), group().join(), ResultSet([]).get()],
    "in time": lambda: raised(lambda: group("a", "none").join(timeout=0.01, interval=0.01))[0],
    "callbacks": lambda: [told("get", group("a", "b")), told("join", group("a", "b"))],
    "documents": lambda: sorted([id_, meta["status"], meta["result"]] for id_, meta in group("a", "b").iter_native()),
    "nested": lambda: [GroupResult("o", [a, inner]).ready(), GroupResult("o", [a, inner]).join(), inner.completed_count()],
    "sets": changed,
    "repr": lambda: [repr(ResultSet([a, b])), repr(inner), repr(ResultSet([]))],
    "saved": saved,
    "what hangs": lambda: [
        [[each.id, value] for each, value in AsyncResult("a").collect()],
        AsyncResult("a").get_leaf(),
        [[parent and parent.id, each.id] for parent, each in AsyncResult("a").iterdeps()],
        [each.id for each in AsyncResult("a").children],
        sorted(each.id for each in AsyncResult("a").graph),
    ],
    "what has not ended": lambda: [raised(lambda: list(none.iterdeps()))[0], [e.id for _, e in none.iterdeps(intermediate=True)]],
    "throwing": lambda: [raised(bad.maybe_throw), bad.maybe_throw(propagate=False).args, a.maybe_throw(), raised(bad.get)],
    "a custom state": lambda: [app.AsyncResult("going").state, app.AsyncResult("going").info, app.AsyncResult("going").ready()],
    "eager": lambda: [
        eager("SUCCESS"),
        eager("FAILURE"),
        eager("RETRY"),
        eager("REVOKED"),
        eager("FOO", name="n", traceback="t"),
    ],
    "eager and revoked": revoked,
    "eager and others": lambda: [EagerResult("e", 5, "SUCCESS").as_tuple(), EagerResult("e", 5, "SUCCESS").children],
    "eager group": lambda: [
        ResultSet([EagerResult("e", 5, "SUCCESS")]).join(),
        ResultSet([EagerResult("e", 5, "SUCCESS")]).ready(),
    ],
    "supports": lambda: [a.supports_native_join, EagerResult("e", 5, "SUCCESS").supports_native_join],
    "ids": lambda: [raised(lambda: AsyncResult(None))[0], AsyncResult("x") == "x", str(AsyncResult("x")), a.task_id],
    "graph": lambda: [
        GRAPH.topsort(),
        list(GRAPH.edges()),
        dict(GRAPH.items()),
        GRAPH.valency_of("A"),
        GRAPH["A"],
        "A" in GRAPH,
        len(GRAPH),
    ],
    "graph as text": lambda: [repr(GRAPH), GRAPH.repr_node("B"), list(GRAPH)],
    "an unknown node": lambda: raised(lambda: SMALL.add_edge("Z", "Q"))[0],
    "names": lambda: [sorted(name for name in dir(DOT) if name.isupper()), issubclass(CycleError, Exception)],
}


def plain(value):
    return repr(value)


print(json.dumps({name: raised(question) for name, question in QUESTIONS.items()}, default=plain))
