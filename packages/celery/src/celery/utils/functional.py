"""Functions about functions and iterables."""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")


class LRUCache(OrderedDict[Any, Any]):
    """A dict of so many items; those that were not used for longest go."""

    def __init__(self, limit: int | None = None):
        super().__init__()
        self.limit = limit
        self.mutex = threading.RLock()

    def __getitem__(self, key: Any) -> Any:
        with self.mutex:
            value = super().__getitem__(key)
            self.move_to_end(key)
            return value

    def __setitem__(self, key: Any, value: Any) -> None:
        with self.mutex:
            super().__setitem__(key, value)
            self.move_to_end(key)
            while self.limit and len(self) > self.limit:
                self.popitem(last=False)

    def incr(self, key: Any, delta: int = 1) -> int:
        """Count a value up."""
        with self.mutex:
            value = int(self.pop(key)) + delta
            self[key] = str(value)
            return value


def noop(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def first(predicate: Callable[[Any], Any] | None, it: Iterable[Any]) -> Any:
    """The first that fits; None if none does."""
    return next((each for each in it if (predicate(each) if predicate else each is not None)), None)


def firstmethod(method: str, on_call: Any = None) -> Callable[..., Any]:
    """A function that calls `method` of each in a list, until one gives something."""

    def match(it: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        for obj in it:
            found = getattr(maybe_evaluate(obj), method)
            answer = on_call(found, *args, **kwargs) if on_call else found(*args, **kwargs)
            if answer is not None:
                return answer
        return None

    return match


def chunks(it: Iterator[Any], n: int) -> Iterator[list[Any]]:
    """The items of an iterator in lists of `n`."""
    for item in it:
        yield [item, *islice(it, n - 1)]


def padlist(container: Any, size: int, default: Any = None) -> list[Any]:
    """The first `size` items, made up with `default`."""
    return list(container)[:size] + [default] * (size - len(container))


def mattrgetter(*attrs: str) -> Callable[[Any], dict[str, Any]]:
    """A function that gives attributes as a dict; None for those that are not there."""
    return lambda obj: {attr: getattr(obj, attr, None) for attr in attrs}


def uniq(it: Iterable[Any]) -> Iterator[Any]:
    """Each once, in order."""
    return iter(dict.fromkeys(it))


def lookahead(it: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Each with the next one; the last with None."""
    window: deque[Any] = deque(maxlen=2)
    for each in it:
        window.append(each)
        if len(window) == 2:
            yield window[0], window[1]
    if window:
        yield window[-1], None


class regen(UserList[Any]):  # noqa: N801 - Celery's name
    """An iterable that may be gone through again and again."""

    def __new__(cls, it: Any) -> Any:
        return it if isinstance(it, (list, tuple)) else super().__new__(cls)

    def __init__(self, it: Iterable[Any]):
        self._it = iter(it)
        self._consumed: list[Any] = []
        self._done = False

    @property
    def data(self) -> list[Any]:  # type: ignore[override]  # it is read when it is asked for
        """All of it."""
        self._consumed.extend(self._it)
        self._done = True
        return self._consumed

    def __iter__(self) -> Iterator[Any]:
        position = 0
        while True:
            if position >= len(self._consumed):
                try:
                    self._consumed.append(next(self._it))
                except StopIteration:
                    self._done = True
                    return
            yield self._consumed[position]
            position += 1

    def __bool__(self) -> bool:
        return next(iter(self), self) is not self

    def fully_consumed(self) -> bool:
        """True if all of it was seen."""
        return self._done

    @property
    def concrete(self) -> list[Any]:
        """What was seen of it."""
        return self._consumed

    def __length_hint__(self) -> int:
        return len(self._consumed)

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self._consumed))
        return f"<regen: [{inside}{']' if self._done else ', ...]'}>"

    def __reduce__(self) -> Any:
        return list, (self.data,)

    def __json__(self) -> list[Any]:
        return self.data


def is_list(obj: Any, scalars: Any = (Mapping, str), iters: Any = (Iterable,)) -> bool:
    """True for an iterable that is no text and no mapping."""
    return isinstance(obj, iters) and not isinstance(obj, scalars or ())


def maybe_list(obj: Any, scalars: Any = (Mapping, str)) -> Any:
    """A list of one, if it is none; None stays None."""
    return obj if obj is None or is_list(obj, scalars) else [obj]


def dictfilter(d: Any = None, **kw: Any) -> dict[str, Any]:
    """A dict without what is None."""
    return {key: value for key, value in (kw if d is None else {**d, **kw}).items() if value is not None}


class lazy:  # noqa: N801 - Celery's name
    """A call that is made when it is wanted."""

    def __init__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any):
        self._fun = fun
        self._args = args
        self._kwargs = kwargs

    def __call__(self) -> Any:
        return self.evaluate()

    def evaluate(self) -> Any:
        """Its value."""
        return self._fun(*self._args, **self._kwargs)

    def __str__(self) -> str:
        return str(self())

    def __repr__(self) -> str:
        return repr(self())

    def __eq__(self, rhs: object) -> bool:
        return bool(self() == rhs)

    __hash__ = None  # type: ignore[assignment]  # its value may change

    def __reduce__(self) -> Any:
        return type(self), (self._fun, *self._args)


class mlazy(lazy):  # noqa: N801 - Celery's name
    """A call that is made once, when it is wanted."""

    evaluated = False
    _value: Any = None

    def evaluate(self) -> Any:
        """Its value."""
        if not self.evaluated:
            self._value = super().evaluate()
            self.evaluated = True
        return self._value


def maybe_evaluate(value: Any) -> Any:
    """The value of a call that is made when it is wanted; anything else as it is."""
    return value.evaluate() if isinstance(value, lazy) else value


def memoize(maxsize: int | None = None, keyfun: Any = None, Cache: Any = LRUCache) -> Callable[..., Any]:  # noqa: N803
    """Remember what a function gave for the same arguments."""

    def decorate(fun: Callable[..., Any]) -> Callable[..., Any]:
        cache = Cache(limit=maxsize)
        missing = object()

        @wraps(fun)
        def remember(*args: Any, **kwargs: Any) -> Any:
            key = keyfun(args, kwargs) if keyfun else (*args, missing, *sorted(kwargs.items()))
            if key in cache:
                remember.hits += 1  # type: ignore[attr-defined]  # as Celery's
                return cache[key]
            value = cache[key] = fun(*args, **kwargs)
            remember.misses += 1  # type: ignore[attr-defined]  # as Celery's
            return value

        def clear() -> None:
            cache.clear()
            remember.hits = remember.misses = 0  # type: ignore[attr-defined]  # as Celery's

        remember.hits = remember.misses = 0  # type: ignore[attr-defined]  # as Celery's
        remember.clear = clear  # type: ignore[attr-defined]  # as Celery's
        remember.original_func = fun  # type: ignore[attr-defined]  # as Celery's
        return remember

    return decorate


def head_from_fun(fun: Callable[..., Any], bound: bool = False) -> Any:
    """A function that takes what `fun` takes, and does nothing."""
    signature = inspect.signature(fun)
    if bound:
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])

    def head(*args: Any, **kwargs: Any) -> None:
        signature.bind(*args, **kwargs)

    head.__name__ = getattr(fun, "__name__", type(fun).__name__)
    head.__signature__ = signature  # type: ignore[attr-defined]  # as inspect reads it
    return head


def arity_greater(fun: Callable[..., Any], n: int) -> bool:
    """True if it takes more than `n` positional arguments."""
    spec = inspect.getfullargspec(fun)
    return spec.varargs is not None or len(spec.args) > n


def fun_takes_argument(name: str, fun: Callable[..., Any], position: int | None = None) -> bool:
    """True if it takes an argument of that name, or so many positional ones."""
    spec = inspect.getfullargspec(fun)
    return bool(spec.varkw or (spec.varargs and position is not None) or name in spec.args or name in spec.kwonlyargs)


def fun_accepts_kwargs(fun: Callable[..., Any]) -> bool:
    """True if it takes any keyword."""
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(fun).parameters.values())


def maybe(typ: Any, val: Any) -> Any:
    """The value as that type; None stays None."""
    return None if val is None else typ(val)


def seq_concat_item(seq: Any, item: Any) -> Any:
    """The sequence with one more."""
    return (*seq, item) if isinstance(seq, tuple) else [*seq, item]


def seq_concat_seq(a: Any, b: Any) -> Any:
    """Both sequences, as the kind of the longer."""
    prefer = type(max((a, b), key=len))
    return prefer(a) + prefer(b)


def is_numeric_value(value: Any) -> bool:
    """True for a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
