"""Looks at the face from inside its environment: what of the table of names does not hold, as lines."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import warnings
from typing import Any

from celery._names import rows

PLAIN = re.compile(r"<[^<>]*(<[^<>]*>[^<>]*)*>|re\.compile\('.*?'\)(?=[,)])|(frozenset|set)\(\{?[^()]*\}?\)")
Parameter = tuple[str, str | None]


def read(text: str) -> tuple[list[Parameter], list[Parameter], bool, bool]:
    """The parameters that a signature's text names: positional ones, keywords, and whether it takes any more of either."""
    text = PLAIN.sub("...", re.sub(r"->.*$", "", text))
    found = ast.parse(f"def f{text.strip()}: pass").body[0].args  # type: ignore[attr-defined]  # a function
    positional = [each.arg for each in (*found.posonlyargs, *found.args)]
    without = len(positional) - len(found.defaults)
    defaults = [None] * without + [ast.unparse(each) for each in found.defaults]
    keywords = [(a.arg, d and ast.unparse(d)) for a, d in zip(found.kwonlyargs, found.kw_defaults, strict=True)]
    return list(zip(positional, defaults, strict=True)), keywords, found.vararg is not None, found.kwarg is not None


def same(wanted: str | None, default: str | None) -> bool:
    if wanted is None or default is None:
        return wanted is default
    return "..." in (wanted, default) or wanted == default or _value(wanted) == _value(default)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def misfit(wanted: str, ours: str) -> str | None:
    """What a caller by the signature `wanted` would miss in `ours`; None if nothing. Ours may take more."""
    they, their_words, any_more, any_word = read(wanted)
    we, our_words, we_any_more, we_any_word = read(ours)
    for number, (name, default) in enumerate(they):
        if number >= len(we) or we[number][0] != name:
            return f"argument {number + 1} is not {name}"
        if not same(default, we[number][1]):
            return f"the default of {name} is {we[number][1]}, not {default}"
    if any(default is None for _, default in we[len(they) :]):
        return "it wants more arguments"
    known = dict([*we, *our_words])
    for name, default in their_words:
        if name not in known or not same(default, known[name]):
            return f"the keyword {name} is missing, or has another default"
    if any_more and not we_any_more:
        return "it takes no further arguments"
    return "it takes no further keywords" if any_word and not we_any_word else None


def find(module: str, name: str) -> Any:
    """The object as it stands in its class: functions with `self`."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        if isinstance(found, type):
            static = inspect.getattr_static(found, part)
            found = static.__func__ if isinstance(static, (classmethod, staticmethod)) else static
        else:
            found = getattr(found, part)
    return found


def problem(row: dict[str, str]) -> str | None:
    """What is wrong with a row; None if nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = find(row["module"], row["name"])
    except (ImportError, AttributeError) as missing:
        told = str(missing)
        if row["status"] == "ours" or (row["status"] == "later" and row["reached"]):
            return f"it is not there: {told}"
        if "." not in row["name"] and row["status"] not in told and "not there yet" not in told:
            return f"it does not say what becomes of it: {told}"
        return None
    if row["status"] == "not offered" and "." not in row["name"]:
        return "it is there"
    is_promised = row["status"] == "ours" or (row["status"] == "later" and (row["reached"] or "." not in row["name"]))
    if row["signature"] and callable(found) and is_promised:
        try:
            return misfit(row["signature"], str(inspect.signature(found)))
        except ValueError:
            return None  # built in: no signature to look at
    return None


if __name__ == "__main__":
    for row in rows():
        wrong = problem(row)
        if wrong:
            print(f"{row['module']}.{row['name']} ({row['status']}): {wrong}")
    print(f"{sys.version_info[0]}: looked at {len(rows())} names", file=sys.stderr)
