"""Whether the arguments of a call fit the task, found out before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # flags of code objects, which need no import of `inspect`


class Arguments:
    """What a task's function takes. `fit` costs a fraction of a microsecond for calls that are right."""

    def __init__(self, name: str, function: Callable[..., Any], *, skip: int):
        self._name = name
        self._function = function
        self._skip = skip
        """How many leading parameters are not the caller's: 1 for the task itself."""
        self.names: tuple[str, ...] = ()
        """The parameters that may be given by position."""
        self.least, self.most = 0, -1
        """How many arguments fit without keywords, at a quick look."""
        code = getattr(function, "__code__", None)
        if isinstance(function, FunctionType) and isinstance(code, CodeType):
            self._look(function, code)

    def _look(self, function: FunctionType, code: CodeType) -> None:
        self.names = code.co_varnames[self._skip : code.co_argcount]
        defaults = len(function.__defaults__ or ())
        needed = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        if needed == 0:
            self.least = max(0, len(self.names) - defaults)
            self.most = 1_000_000 if code.co_flags & _VARARGS else len(self.names)
            if code.co_posonlyargcount == 0:
                self._keywords = frozenset(code.co_varnames[self._skip : code.co_argcount + code.co_kwonlyargcount])
            self._is_open = bool(code.co_flags & _VARKEYWORDS)

    _keywords: frozenset[str] = frozenset()
    _is_open = False

    def takes(self, count: int) -> bool:
        """True if `count` arguments and no keywords fit, at a quick look."""
        return self.least <= count <= self.most

    def fit(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """True if a quick look says that they fit; False means: look closely (`check`)."""
        count = len(args)
        if not kwargs:
            return self.least <= count <= self.most
        if count > self.most or not (
            all(isinstance(name, str) for name in kwargs) if self._is_open else self._keywords.issuperset(kwargs)
        ):
            return False
        # Each parameter at most once, and all that have no default. (Positional-only names are looked at closely.)
        return not any(name in kwargs for name in self.names[:count]) and all(
            name in kwargs for name in self.names[count : self.least]
        )

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError, naming the task and what is wrong, if they do not fit."""
        import inspect

        try:
            signature = inspect.signature(self._function, follow_wrapped=False)
        except (TypeError, ValueError):  # a built-in that says nothing of itself
            return
        mine = signature.replace(parameters=list(signature.parameters.values())[self._skip :])
        try:
            mine.bind(*args, **kwargs)
        except TypeError as problem:
            raise TypeError(f"{self._name}: {problem}; it takes {mine.replace(return_annotation=signature.empty)}") from None
