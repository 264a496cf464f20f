"""What Python tells a script, and what the script takes it for, is the same."""

import inspect
import re
from pathlib import Path

import pytest

import umbel.stores.redis
from umbel.stores.redis.script import Script, arguments, definitions, read
from umbel.stores.redis.scripts import ChannelScripts, ResultScripts, ScheduleScripts, Scripts

FILES = {path.stem for path in Path(umbel.stores.redis.__path__[0]).glob("*.lua")}
LIBRARIES = {"insist", "joins", "keep", "keys", "schedule"}
ALL = {
    Scripts: Scripts({"P": "", "SEP": "|", "ORDER": ["0"]}),
    ResultScripts: ResultScripts({"P": "", "R": ""}),
    ScheduleScripts: ScheduleScripts({"P": "", "NAME": ""}),
    ChannelScripts: ChannelScripts({"P": "", "SEP": "|"}),
}
METHODS = {
    f"schedule_{name}" if kind is ScheduleScripts else name: getattr(scripts, name)
    for kind, scripts in ALL.items()
    for name in vars(kind)
    if not name.startswith("_") and name != "keep_results"
}
VALUES = {"bool": (False, True), "str": ("a", "b"), "int": (1, 2), "float": (1.5, 2.5), "float | str": (1.5, 2.5)}
VALUES["int | str"] = VALUES["int"]


def parameters(name):
    """Those that a script is told of, and what they are."""
    known = inspect.signature(METHODS[name]).parameters
    return {each.name: each.annotation for each in known.values() if each.kind is not each.KEYWORD_ONLY}


def told(name, **changed):
    """What the script is told, ARGV's first first; one value for each argument but those changed."""
    kinds = parameters(name)
    usual = {each: VALUES[kind][0] if kind in VALUES else () if "[" in kind else b"a" for each, kind in kinds.items()}
    script, *given = METHODS[name](**{**usual, **changed})
    assert isinstance(script, Script)
    return given


def test_each_script_has_its_method():
    assert set(METHODS) == FILES - LIBRARIES


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_has_the_parameters_that_its_script_names(name):
    assert [each.removesuffix("...") for each in arguments(read(name))] == list(parameters(name))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_each_argument_stands_where_the_script_looks_for_it(name):
    given = told(name)
    for place, (each, kind) in enumerate(parameters(name).items()):
        if "[" in kind:
            break
        other = VALUES[kind][1] if kind in VALUES else b"b"
        changed = told(name, **{each: other})
        assert [number for number, value in enumerate(changed) if value != given[number]] == [place]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_lists_stand_behind_the_others_each_but_the_last_with_its_count(name):
    heads = arguments(read(name))
    lists = [each.removesuffix("...") for each in heads if each.endswith("...")]
    assert heads[len(heads) - len(lists) :] == [f"{each}..." for each in lists]
    rows = {"met": 2, "kept": 3}
    items = {each: [f"{each}{number}" for number in range(2 * rows.get(each, 1))] for each in lists}
    counted = [part for each in lists[:-1] for part in (2, *items[each])]
    assert told(name, **items)[len(heads) - len(lists) :] == [*counted, *(items[lists[-1]] if lists else ())]


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_script_knows_an_argument_by_its_number(name):
    assert not re.search(r"ARGV\[\d", read(name))


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_libraries_are_definitions_and_nothing_else(name):
    text = read(name)
    code = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))
    assert "".join(part.text for part in definitions(name)) == code.lstrip()


def test_a_script_comes_with_what_it_needs_and_no_more():
    script, *_ = METHODS["holding"]([])
    assert re.findall(r"^local (?:function )?(\w+)", script.text, re.MULTILINE) == [
        "P",
        "held",
        "place",
        "count_held",
        "LISTS",
        "counts",
    ]
