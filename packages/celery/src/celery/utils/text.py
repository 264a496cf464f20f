"""Text."""

from __future__ import annotations

import re
from functools import partial
from textwrap import fill
from typing import Any

RE_FORMAT = re.compile(r"%(\w)")


def str_to_list(s: Any) -> Any:
    """The words between commas."""
    return s.split(",") if isinstance(s, str) else s


def dedent_initial(s: str, n: int = 4) -> str:
    """Without `n` blanks in front, if they are there."""
    return s[n:] if s[:n] == " " * n else s


def dedent(s: str, sep: str = "\n") -> str:
    """Each line so."""
    return sep.join(dedent_initial(line) for line in s.splitlines())


def fill_paragraphs(s: str, width: int, sep: str = "\n") -> str:
    """Each line broken."""
    return sep.join(fill(line, width) for line in s.split(sep))


def join(l: Any, sep: str = "\n") -> str:  # noqa: E741 - Celery's name
    """What is not empty, joined."""
    return sep.join(each for each in l if each)


def ensure_sep(sep: str, s: str, n: int = 2) -> str:
    """With at least so many separators at the end."""
    return s + sep * (n - s.count(sep))


ensure_newlines = partial(ensure_sep, "\n")


def abbr(S: str, max: int, ellipsis: Any = "...") -> str:  # noqa: N803 - Celery's name
    """Cut to a length."""
    if S is None:
        return "???"
    if len(S) > max:
        return S[: max - len(ellipsis)] + ellipsis if ellipsis else S[:max]
    return S


def _least(size: int) -> int:
    return max(0, size)


def abbrtask(S: str, max: int) -> str:  # noqa: N803 - Celery's name
    """A task's name cut to a length: its module first."""
    if S is None:
        return "???"
    if len(S) > max:
        module, _, name = S.rpartition(".")
        return f"{abbr(module, _least(max - len(name)), ellipsis=False)}[.]{name}"
    return S


def indent(t: str, indent: int = 0, sep: str = "\n") -> str:
    """Each line with blanks in front."""
    return sep.join(" " * indent + line for line in t.split(sep))


def truncate(s: str, maxlen: int = 128, suffix: str = "...") -> str:
    """Cut to a length."""
    return s[:maxlen].rsplit(" ", 1)[0] + suffix if maxlen and len(s) >= maxlen else s


def pluralize(n: float, text: str, suffix: str = "s") -> str:
    """The word, in the plural if there are several."""
    return text + suffix if n != 1 else text


def match_case(s: str, other: str) -> str:
    """In capitals if the other is."""
    return s.upper() if other.isupper() else s.lower()


def simple_format(s: Any, keys: Any, pattern: Any = RE_FORMAT, expand: str = r"\1") -> Any:
    """Text with `%x` replaced by `keys["x"]`, which may be functions."""
    if not s:
        return s
    known = {"%": "%", **keys}

    def resolve(match: re.Match[str]) -> str:
        key = match.expand(expand)
        try:
            found = known[key]
        except KeyError as problem:
            raise ValueError(f"%{key} in {s!r} stands for nothing; write %% for a percent sign") from problem
        return found() if callable(found) else found  # type: ignore[no-any-return]  # text

    return re.sub(pattern, resolve, s)


def remove_repeating(substr: str, s: str) -> str:
    """The text with one of several `substr` in a row."""
    index = s.find(substr)
    if index < 0:
        return s
    head, rest = s[: index + len(substr)], s[index + len(substr) :]
    while rest.startswith(substr):
        rest = rest[len(substr) :]
    return head + rest


class WhateverIO:
    """A stream for text and bytes."""

    def __init__(self, v: Any = None):
        self._text = ""
        if v is not None:
            self.write(v)

    def write(self, data: Any) -> int:
        """Add to it."""
        self._text += data.decode() if isinstance(data, bytes) else data
        return len(data)

    def getvalue(self) -> str:
        """All of it."""
        return self._text


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
