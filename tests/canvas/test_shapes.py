"""What `|` and `chain` make of signatures of every shape: what Celery 5.7 makes of them, as it was recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from umbel import Signature, Umbel, chain, chord, group, signature, xmap

RECORDED = [line.split("\t") for line in Path(__file__).with_name("celery_shapes.tsv").read_text().splitlines()[1:]]
BETTER = {"t g0", "t g1c", "ch g0", "chc g0", "chg g0", "m g0", "m g1c", "ch0 g0", "t g0 t", "ch g0 t"}
"""Where an operator of Celery's keeps an empty group, or a chain in a chain, that its own `chain` does not: neither does ours."""


@pytest.fixture(scope="module")
def pieces() -> dict[str, Callable[[int], Any]]:
    """Makes of each shape one, numbered from there."""
    app = Umbel("shapes", broker="memory://shapes", set_as_current=False)

    @app.task(name="a")
    def add(x: int, y: int = 0) -> int:
        return x + y

    @app.task(name="x")
    def xsum(values: list[int]) -> int:
        return sum(values)

    def a(number: int) -> Any:
        return add.s(number)

    return {
        "t": a,
        "g0": lambda n: group(app=app),
        "g1": lambda n: group(a(n)),
        "g2": lambda n: group(a(n), a(n + 1)),
        "c0": lambda n: chain(app=app),
        "c1": lambda n: chain(a(n)),
        "c2": lambda n: chain(a(n), a(n + 1)),
        "cg": lambda n: chain(a(n), group(a(n + 1), a(n + 2))),
        "cc": lambda n: chain(a(n), chord([a(n + 1)], xsum.s())),
        "ch": lambda n: chord([a(n), a(n + 1)], xsum.s()),
        "chc": lambda n: chord([a(n)], xsum.s() | a(n + 1)),
        "chg": lambda n: chord([a(n)], group(a(n + 1), a(n + 2))),
        "ch0": lambda n: chord([], xsum.s()),
        "gc": lambda n: group(a(n) | a(n + 1), a(n + 2)),
        "gg": lambda n: group(group(a(n), a(n + 1)), a(n + 2)),
        "g1g": lambda n: group(group(a(n), a(n + 1))),
        "g1c": lambda n: group(a(n) | a(n + 1)),
        "m": lambda n: xmap(xsum.s(), [[1]]),
    }


def shape(sig: Any) -> str:
    """A canvas as the record writes it, from its JSON."""
    found = json.loads(json.dumps(sig))
    words, what = found["kwargs"], found["subtask_type"]
    if what in ("chain", "group"):
        return f"{what}[{','.join(map(shape, words['tasks']))}]"
    if what == "chord":
        before = words["header"]["kwargs"]["tasks"] if isinstance(words["header"], dict) else words["header"]
        return f"chord[{','.join(map(shape, before))}->{shape(words['body'])}]"
    return found["task"].removeprefix("celery.") + (str(found["args"][0]) if found["args"] else "")


@pytest.mark.parametrize(("words", "joined", "chained"), RECORDED, ids=[row[0] for row in RECORDED])
def test_joined_signatures_have_the_shape_that_celery_gives_them(pieces: Any, words: str, joined: str, chained: str) -> None:
    names = words.split()
    given = [pieces[name](1 + 10 * place) for place, name in enumerate(names)]
    before = json.dumps(given)
    found = given[0]
    for each in given[1:]:
        found = found | each
    if words not in BETTER:
        assert shape(found) == joined
    assert shape(chain(*given)) == (chained or joined)
    assert json.dumps(given) == before, "composing changes none of its parts"


def test_the_json_of_each_shape_makes_the_same_again(pieces: Any) -> None:
    for make in pieces.values():
        text = json.dumps(make(1))
        again = signature(json.loads(text))
        assert json.loads(json.dumps(again)) == json.loads(text)
        if again.subtask_type:
            assert type(again) is type(make(1))


@pytest.mark.parametrize("other", [{"a": 1}, {}, None, 3, "a", [1]])
def test_what_is_no_signature_is_never_merged_in(pieces: Any, other: Any) -> None:
    for name in ("t", "g2", "c2", "ch"):
        with pytest.raises(TypeError, match="joins signatures"):
            pieces[name](1) | other
        with pytest.raises(TypeError):
            other | pieces[name](1)


def test_a_task_in_a_chain_is_told_how_to_be_a_signature(pieces: Any) -> None:
    task = pieces["t"](1).type
    with pytest.raises(TypeError, match=r"write a\.s\(…\)"):
        pieces["t"](1) | task


@pytest.mark.parametrize("other", [{"a": 1}, {}, 3, "a", [1]])
def test_what_is_no_signature_is_refused_wherever_a_canvas_has_one(pieces: Any, other: Any) -> None:
    a = pieces["t"]
    for make in (
        lambda: chain(a(1), other),
        lambda: group([a(1), other]),
        lambda: chord([a(1), other], a(2)),
        lambda: chord([a(1)], other),
        lambda: chord([a(1)])(other),
        lambda: setattr(chord([a(1)]), "body", other),
        *(lambda dump=dump: signature(dump(other)) for dump in DUMPS),
    ):
        with pytest.raises(TypeError, match=r"a canvas is made of signatures, and .* is none"):
            make()


DUMPS = (
    lambda other: dict(chain(STEP, STEP), kwargs={"tasks": [STEP, other]}),
    lambda other: dict(group(STEP), kwargs={"tasks": [other]}),
    lambda other: dict(chord([STEP], STEP), kwargs={"header": [STEP], "body": other}),
)
"""Canvases that came as dicts, with that inside."""
STEP = {"task": "a"}


@pytest.mark.parametrize("made_of", [3, [1], object()])
def test_a_signature_is_of_a_task_or_of_its_name(made_of: Any) -> None:
    with pytest.raises(TypeError, match="a signature is made of a task or of its name, and not of"):
        signature(made_of)


def test_a_signature_without_a_task_is_told(pieces: Any) -> None:
    app = pieces["t"](1).app
    with pytest.raises(TypeError, match=r"a signature has a task, and \{'kwargs': \{\}\} has none"):
        signature({"kwargs": {}})
    for name in (None, 3, "", b"a"):
        with pytest.raises(ValueError, match=r"a task is sent by its name, and .* is none"):
            app.send_task(name)
    with pytest.raises(ValueError, match="a task is sent by its name"):
        app.signature(None).delay()


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ({"task": "celery.chain", "subtask_type": "chain"}, "chain: its kwargs hold 'tasks', and those of {"),
        ({"task": "celery.group", "subtask_type": "group", "kwargs": {}}, "group: its kwargs hold 'tasks', and those of {"),
        ({"task": "celery.group", "subtask_type": "group", "kwargs": {"tasks": 3}}, "group: 'tasks' is a list, not 3"),
        ({"task": "celery.chain", "subtask_type": "chain", "kwargs": {"tasks": None}}, "chain: 'tasks' is a list, not None"),
        ({"task": "celery.chord", "subtask_type": "chord"}, "chord: its kwargs hold 'header', and those of {"),
        ({"task": "celery.map"}, "xmap: its kwargs hold 'task', and those of {"),
        ({"task": "celery.starmap", "kwargs": {"task": {"task": "t"}, "it": 3}}, "xstarmap: 'it' is a list, not 3"),
        ({"task": "celery.chunks", "kwargs": {"task": {"task": "t"}, "it": []}}, "chunks: its kwargs hold 'n', and those of {"),
        ({"task": "t", "args": 3}, "args of a signature are a list, not 3: {'task': 't', 'args': 3}"),
        ({"task": "t", "kwargs": [1]}, "kwargs of a signature are a dict, not [1]"),
        ({"task": "t", "options": 3}, "options of a signature are a dict, not 3"),
    ],
)
def test_a_dict_that_is_no_signature_is_told_when_it_is_read(pieces: Any, described: dict[str, Any], told: str) -> None:
    app = pieces["t"](1).app
    for read in (lambda: signature(described, app=app), lambda: group([described]), lambda: chain(pieces["t"](1), described)):
        with pytest.raises(TypeError, match=re.escape(told)):
            read()


def test_plus_and_times_are_groups(pieces: Any) -> None:
    t, g = pieces["t"], pieces["g2"]
    assert shape(t(1) + t(2)) == "group[a1,a2]"
    assert shape(g(1) + t(3) + g(4)) == "group[a1,a2,a3,a4,a5]"
    assert shape(t(1) * 3) == shape(3 * t(1)) == "group[a1,a1,a1]"
    with pytest.raises(TypeError):
        t(1) * 1.5


def test_steps_and_members_have_places(pieces: Any) -> None:
    assert pieces["c2"](1)[1].args == (2,)
    assert [each.args for each in pieces["g2"](1)[:]] == [(1,), (2,)]
    assert isinstance(pieces["cg"](1)[-1], Signature)
    assert len(pieces["cg"](1)) == 2


@pytest.mark.parametrize("odd", [None, 3, "abc", object()])
def test_what_is_no_signature_makes_no_canvas(pieces: Any, odd: Any) -> None:
    for make in (lambda: group([odd]), lambda: chord([odd], pieces["t"](1)), lambda: chain(pieces["t"](1), odd)):
        with pytest.raises(TypeError, match="signatures"):
            make()
    with pytest.raises(TypeError, match=r"write a\.s\(…\)"):
        group([pieces["t"](1).type])
