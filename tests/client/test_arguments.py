from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.client.arguments import Arguments


def plain(a, b=1): ...


def nothing(): ...


def many(a, *rest): ...


def words(a, **more): ...


def keyword_only(a, *, b, c=1): ...


def optional_keyword(a, *, b=1): ...


def positional_only(a, b, /, c=2): ...


def everything(a, b=1, *rest, c=2, **more): ...


def doubly_default(a=1, b=2): ...


FUNCTIONS = [plain, nothing, many, words, keyword_only, optional_keyword, positional_only, everything, doubly_default]
names = st.sampled_from(["a", "b", "c", "d"])


@given(st.sampled_from(FUNCTIONS), st.lists(st.integers(), max_size=4), st.dictionaries(names, st.integers(), max_size=3))
def test_what_fits_is_what_python_would_take(function, args, kwargs):
    try:
        inspect.signature(function).bind(*args, **kwargs)
        good = True
    except TypeError:
        good = False
    arguments = Arguments("task", function, skip=0)
    if arguments.fit(args, kwargs):
        assert good
    elif good:
        arguments.check(args, kwargs)  # a closer look says that they fit
    else:
        with pytest.raises(TypeError, match=r"^task: "):
            arguments.check(args, kwargs)


def test_the_task_itself_is_not_the_callers_to_give():
    arguments = Arguments("task", lambda self, x: x, skip=1)
    assert arguments.fit((1,), {})
    assert arguments.fit((), {"x": 1})
    assert arguments.names == ("x",)
    with pytest.raises(TypeError, match=r"task: missing a required argument: 'x'; it takes \(x\)"):
        arguments.check((), {})


def test_the_usual_call_needs_no_closer_look():
    assert Arguments("t", plain, skip=0).fit((1, 2), {})
    assert Arguments("t", plain, skip=0).fit((1,), {"b": 2})
    assert Arguments("t", words, skip=0).fit((1,), {"zzz": 2})
    assert Arguments("t", optional_keyword, skip=0).fit((1,), {"b": 2})


def test_callables_that_are_no_functions_are_looked_at_closely():
    arguments = Arguments("t", functools.partial(plain, 1), skip=0)
    assert not arguments.fit((5,), {})
    arguments.check((5,), {})
    with pytest.raises(TypeError, match="too many positional"):
        arguments.check((1, 2, 3), {})


def test_a_built_in_that_says_nothing_of_itself_takes_anything():
    builtin: Any = dict
    Arguments("t", builtin, skip=0).check((1, 2, 3), {"x": 1})
