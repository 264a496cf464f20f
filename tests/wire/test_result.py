from __future__ import annotations

import datetime
import json
import sys
import traceback
import types

import pytest

from umbel import clock, errors
from umbel.errors import ContentDisallowed, DecodeError, EncodeError
from umbel.wire import encoding
from umbel.wire.encoding import accept_types
from umbel.wire.failure import exception_out
from umbel.wire.result import Result, decode, encode

ALL = accept_types(["json", "msgpack", "yaml", "pickle"])
JSON = accept_types(["json"])


@pytest.fixture(autouse=True)
def _noon(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: 1_700_000_000.25)


NOW = "2023-11-14T22:13:20.250000+00:00"


@pytest.mark.parametrize("micros", [0, 1, 250_000, 999_999])
@pytest.mark.parametrize("second", [1_700_000_000, 1_700_000_001, 0, 951_782_400])
def test_the_end_is_told_as_isoformat_spells_it(monkeypatch, second, micros):
    moment = datetime.datetime.fromtimestamp(second, datetime.UTC).replace(microsecond=micros)
    monkeypatch.setattr(clock, "now", moment.timestamp)
    for value in (1, object):
        told = encode("i", "SUCCESS", value, serializer="json" if value == 1 else "pickle")
        assert decode(told, ALL, "json" if value == 1 else "pickle").date_done == moment.isoformat()


@pytest.mark.parametrize("value", [5, None, "é \ud800", [1, {"a": 2.5}], {"x": datetime.date(2024, 1, 1)}, float("inf"), 'q"'])
def test_the_document_of_a_success_has_the_six_keys(value):
    told = encode("an-id", "SUCCESS", value)
    assert (told.id, told.state) == ("an-id", "SUCCESS")
    document = encoding.loads(told.document, "application/json", "utf-8", ALL)
    assert document == {
        "status": "SUCCESS",
        "result": value,
        "traceback": None,
        "children": [],
        "date_done": NOW,
        "task_id": "an-id",
    }
    assert decode(told, JSON).result == value


@pytest.mark.parametrize("state", ["STARTED", "RETRY", "PROGRESS", "PENDING"])
def test_only_final_states_have_a_date(state):
    assert decode(encode("i", state, None), JSON).date_done is None
    assert json.loads(encode("i", "REVOKED", 1).document)["date_done"] == NOW


def test_optional_keys_are_there_where_given():
    extra = {"name": "n", "args": [1], "kwargs": {"a": 1}, "worker": "w", "retries": 2, "queue": "q", "stamp": "s"}
    told = encode("i", "SUCCESS", 1, children=[[["c", None], None]], parent_id="p", group_id="g", extra=extra)
    found = decode(told, JSON)
    assert json.loads(told.document)["stamp"] == "s"
    assert (found.parent_id, found.group_id, found.children) == ("p", "g", [[["c", None], None]])
    assert (found.name, found.args, found.kwargs, found.worker, found.retries, found.queue) == ("n", [1], {"a": 1}, "w", 2, "q")


@pytest.mark.parametrize("value", [1, {"a": datetime.date(2024, 1, 1)}])
def test_children_may_be_unknown(value):
    assert json.loads(encode("i", "REVOKED", value, children=None).document)["children"] is None


@pytest.mark.parametrize("serializer", ["json", "msgpack", "yaml", "pickle"])
def test_each_serializer_keeps_values_and_exceptions(serializer):
    assert decode(encode("i", "SUCCESS", [1, "é"], serializer=serializer), ALL, serializer).result == [1, "é"]
    failure = decode(encode("i", "FAILURE", ValueError("x", 1), serializer=serializer, traceback="tb"), ALL, serializer)
    assert (repr(failure.result), failure.traceback, failure.date_done) == ("ValueError('x', 1)", "tb", NOW)


def test_a_value_that_cannot_travel_is_named():
    with pytest.raises(EncodeError, match=r"result\['a'\] cannot be sent as json: <object") as caught:
        encode("i", "SUCCESS", {"a": object()})
    assert "During handling" not in "".join(traceback.format_exception(caught.value))


def picky(value):
    if isinstance(value, dict):
        raise ValueError("no objects")
    return b""


def test_a_document_that_cannot_travel_is_told_though_its_parts_can(monkeypatch):
    monkeypatch.setattr(encoding, "_by_name", dict(encoding._by_name))
    monkeypatch.setattr(encoding, "by_type", dict(encoding.by_type))
    encoding.register_serializer("picky", picky, bytes, "application/x-picky")
    with pytest.raises(EncodeError, match="value cannot be sent as picky"):
        encode("i", "SUCCESS", 1, serializer="picky")


def test_what_is_not_accepted_is_refused():
    with pytest.raises(ContentDisallowed):
        decode(encode("i", "SUCCESS", 1, serializer="pickle"), JSON, "pickle")


class Simple(Exception):
    pass


class Demanding(Exception):
    def __init__(self, one, two):
        self.one = one
        super().__init__(f"{one} {two}")


class Tells(Exception):
    def __init__(self, one, two):
        self.one = one
        super().__init__(f"{one} {two}")

    def __str__(self):
        return self.one


class Changed(Exception):
    def __new__(cls, *args):
        return 5


class Frozen(Exception):
    def __setattr__(self, name, value):
        raise TypeError("frozen")


class Outer:
    class Inner(Exception):
        pass


class NoException:
    def __init__(self, *args):
        raise AssertionError("must never run")


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    """This file under a name that it can be found by."""
    module = types.ModuleType("known_here")
    for kind in (Simple, Frozen, Demanding, Tells, Changed, Outer, NoException):
        monkeypatch.setattr(kind, "__module__", "known_here")
        setattr(module, kind.__name__, kind)
    monkeypatch.setattr(Outer.Inner, "__module__", "known_here")
    monkeypatch.setitem(sys.modules, "known_here", module)


def through(failure, state="FAILURE", serializer="json"):
    return decode(encode("i", state, failure, serializer=serializer), ALL, serializer).result


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("x", 1),
        KeyError("k"),
        Simple(),
        Outer.Inner("deep"),
        OSError(2, "no such file"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        SystemExit(3),
        errors.NotRegistered("t"),
        errors.SoftTimeLimitExceeded(),
        errors.Reject("why", requeue=True),
        errors.MaxRetriesExceededError("m"),
        errors.BrokerDown("gone"),
    ],
)
@pytest.mark.parametrize("serializer", ["json", "msgpack", "pickle"])
def test_known_exceptions_are_rebuilt(failure, serializer):
    built = through(failure, serializer=serializer)
    if serializer == "msgpack" and isinstance(failure, UnicodeDecodeError):
        assert built.args == failure.args
    assert type(built) is type(failure)
    assert str(built) == str(failure)


@pytest.mark.parametrize(
    ("failure", "module"),
    [
        (errors.NotRegistered("t"), "celery.exceptions"),
        (errors.Retry("m"), "celery.exceptions"),
        (errors.ImproperlyConfigured("m"), "celery.exceptions"),
        (errors.WorkerLostError("m"), "billiard.exceptions"),
        (errors.TimeLimitExceeded(1), "billiard.exceptions"),
        (errors.BrokerDown("m"), "umbel.errors"),
        (ValueError("m"), "builtins"),
    ],
)
def test_our_exceptions_have_celerys_names(failure, module):
    told = json.loads(encode("i", "FAILURE", failure).document)["result"]
    assert (told["exc_type"], told["exc_module"]) == (type(failure).__name__, module)


def stored(told):
    """The exception of a document in which it is told so."""
    document = {"status": "FAILURE", "result": told, "traceback": None, "children": [], "date_done": None, "task_id": "i"}
    return decode(Result("i", "FAILURE", json.dumps(document).encode()), JSON).result


def raised(failure, source=None, *, context=None):
    """The exception as it is once it was raised, from another or while another was handled."""
    try:
        if context is None:
            raise failure from source
        try:
            raise context
        except type(context):
            raise failure  # noqa: B904 - what is tested
    except BaseException as error:
        return error


@pytest.mark.parametrize("serializer", ["json", "msgpack"])
def test_what_an_exception_came_from_comes_along(serializer):
    first = raised(LookupError("first"), context=KeyError("while"))
    first.add_note("a note")
    built = through(raised(Simple("second"), first), serializer=serializer)
    assert (type(built), str(built), built.__suppress_context__) == (Simple, "second", True)
    cause = built.__cause__
    assert (type(cause), str(cause), cause.__notes__, cause.__cause__) == (LookupError, "first", ["a note"], None)
    assert (repr(cause.__context__), cause.__suppress_context__) == ("KeyError('while')", False)
    hidden = raised(ValueError("x"), context=KeyError("k"))
    hidden.__suppress_context__ = True
    assert through(hidden, serializer=serializer).__context__ is None


@pytest.mark.parametrize("serializer", ["json", "msgpack", "pickle"])
def test_groups_of_exceptions_are_rebuilt(serializer):
    inner = ExceptionGroup("inner", [KeyError("k"), Simple("s")])
    built = through(ExceptionGroup("outer", [ValueError("v"), inner]), serializer=serializer)
    assert (type(built), built.message) == (ExceptionGroup, "outer")
    first, second = built.exceptions
    assert (repr(first), type(second), [repr(each) for each in second.exceptions]) == (
        "ValueError('v')",
        ExceptionGroup,
        ["KeyError('k')", "Simple('s')"],
    )
    caught = []
    try:
        raise built
    except* KeyError as part:
        caught.append(part)
    except* (ValueError, Simple):
        pass
    assert len(caught) == 1
    base = through(BaseExceptionGroup("base", [KeyboardInterrupt()]), serializer=serializer)
    assert type(base.exceptions[0]) is KeyboardInterrupt


def test_a_group_that_is_not_known_or_is_none_stays_a_group():
    told = {"exc_message": ["text"], "exc_group": [{"exc_type": "KeyError", "exc_message": ["k"], "exc_module": "builtins"}]}
    for kind, module in (("Unheard", "nowhere.known"), ("ValueError", "builtins"), ("NoException", "known_here")):
        built = stored({**told, "exc_type": kind, "exc_module": module})
        assert (isinstance(built, BaseExceptionGroup), type(built).__name__) == (True, kind)
        assert repr(built.exceptions) == "(KeyError('k'),)"


@pytest.mark.parametrize("found", ["text", 5, None, [5, "x"], {"exc_type": 5}, [{"exc_type": None}]])
def test_odd_causes_and_members_are_passed_over(found):
    told = {"exc_type": "ValueError", "exc_message": ["v"], "exc_module": "builtins"}
    keys = ("exc_cause", "exc_context", "exc_group")
    assert repr(stored({**told, **dict.fromkeys(keys, found)})) == "ValueError('v')"
    assert repr(stored({**told, "exc_notes": found})) == "ValueError('v')"


def test_of_long_and_round_chains_a_part_is_told():
    first = failure = ValueError(0)
    for number in range(1, 1000):
        failure = raised(ValueError(number), failure)
    first.__cause__ = failure
    wide = ExceptionGroup("wide", [ValueError(number) for number in range(1000)])
    built, length = through(failure), 0
    while built is not None:
        built, length = built.__cause__, length + 1
    assert length == 21
    assert len(through(wide).exceptions) == 99
    deep = {"exc_type": "ValueError", "exc_message": [], "exc_module": "builtins"}
    for _ in range(100):
        deep = {**deep, "exc_cause": deep}
    assert type(stored(deep)) is ValueError


def test_an_exception_that_is_frozen_has_its_cause():
    built = through(raised(Frozen("f"), ValueError("v")))
    assert (type(built), repr(BaseException.__dict__["__cause__"].__get__(built))) == (Frozen, "ValueError('v')")


def test_past_a_constructor_that_wants_other_arguments():
    built = through(Demanding("a", "b"))
    assert (type(built), built.args) == (Demanding, ("a b",))


def test_an_exception_that_cannot_tell_itself_becomes_a_stranger():
    built = through(Tells("a", "b"))
    assert (type(built).__name__, str(built)) == ("Tells", "a b")
    assert type(built) is not Tells


def test_a_constructor_that_gives_something_else_becomes_a_stranger():
    told = {"exc_type": "Changed", "exc_message": ["x"], "exc_module": "known_here"}
    assert repr(_read(told)) == "Changed('x')"


def test_arguments_that_cannot_travel_become_text():
    assert through(Simple({1}, 5)).args == ("{1}", 5)


def test_arguments_are_what_the_exception_was_made_of_whatever_its_class_calls_so():
    class Raising(Simple):
        @property
        def args(self):
            raise LookupError

    class Counted(Simple):
        args = 5

    for kind in (Raising, Counted):
        assert exception_out(kind("a", 1), "json")["exc_message"] == ["a", 1]


def test_an_exception_that_no_pickle_takes_goes_as_text():
    built = through(Simple(lambda: 1), serializer="pickle")
    assert type(built) is Simple
    assert built.args[0].startswith("<function")


def test_an_exception_that_pickle_changes_goes_as_text():
    assert type(through(Demanding("a", "b"), serializer="pickle")) is Demanding


def _read(told, state="FAILURE"):
    return decode(Result("i", state, json.dumps({"status": state, "result": told}).encode()), JSON).result


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("nowhere.to.be.found", "Odd"),
        ("known_here", "Missing"),
        ("known_here", "NoException"),
        ("known_here", "Outer.Missing"),
        ("known_here", "Missing.Inner"),
        ("os", "system"),
        ("os", "path.join"),
        ("", "Odd"),
        (None, "Odd"),
        (5, "Odd"),
    ],
)
def test_unknown_classes_become_strangers_of_that_name(module, name):
    built = _read({"exc_type": name, "exc_message": ["touch /tmp/x"], "exc_module": module})
    assert (type(built).__qualname__, type(built).__name__, built.args) == (name, name.split(".")[-1], ("touch /tmp/x",))
    assert type(built).__mro__[1] is Exception


def test_nothing_is_imported():
    assert "antigravity" not in sys.modules
    _read({"exc_type": "Odd", "exc_message": [], "exc_module": "antigravity"})
    assert "antigravity" not in sys.modules


def test_no_attribute_hook_runs(monkeypatch):
    module = types.ModuleType("lazy_here")
    module.__getattr__ = lambda name: pytest.fail("the module's hook ran")
    monkeypatch.setitem(sys.modules, "lazy_here", module)
    monkeypatch.setitem(sys.modules, "odd_here", object())
    assert repr(_read({"exc_type": "Odd", "exc_message": [1], "exc_module": "lazy_here"})) == "Odd(1)"
    assert repr(_read({"exc_type": "Odd", "exc_message": [1], "exc_module": "odd_here"})) == "Odd(1)"


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", ""])
def test_odd_names_are_no_trouble(name):
    assert isinstance(_read({"exc_type": name, "exc_message": [], "exc_module": "m"}), Exception)


@pytest.mark.parametrize(("message", "args"), [("text", ("text",)), (None, ()), (5, (5,)), ({"a": 1}, ({"a": 1},))])
def test_the_message_need_not_be_an_array(message, args):
    assert _read({"exc_type": "ValueError", "exc_message": message, "exc_module": "builtins"}).args == args


@pytest.mark.parametrize("value", ["text", None, 5, {"no": "type"}, {"exc_type": 5}])
def test_what_is_no_exception_stays_itself(value):
    assert _read(value) == value


def test_values_of_other_states_are_no_exceptions():
    told = {"exc_type": "ValueError", "exc_message": [], "exc_module": "builtins"}
    assert _read(told, "SUCCESS") == told


def test_the_state_and_id_of_the_result_fill_in():
    found = decode(Result("i", "SUCCESS", b"{}"), JSON)
    assert (found.task_id, found.status, found.result) == ("i", "SUCCESS", None)


def test_a_date_may_be_a_datetime():
    moment = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    _, _, data = encoding.dumps({"status": "SUCCESS", "date_done": moment}, "pickle")
    assert decode(Result("i", "SUCCESS", data), ALL, "pickle").date_done == moment.isoformat()


@pytest.mark.parametrize(
    "document",
    ["[]", "5", '{"status": 5}', '{"task_id": []}', '{"traceback": 5}', '{"retries": "x"}', '{"date_done": 5}', "{", ""],
)
def test_bad_documents_are_told(document):
    with pytest.raises(DecodeError):
        decode(Result("i", "SUCCESS", document.encode()), JSON)


def test_names_in_a_document_are_text():
    _, _, data = encoding.dumps({1: 2}, "pickle")
    with pytest.raises(DecodeError, match="no object"):
        decode(Result("i", "SUCCESS", data), ALL, "pickle")
