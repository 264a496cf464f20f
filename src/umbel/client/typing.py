"""What `@app.task` and `@shared_task` make of a function, in the words of a type checker."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, overload

from umbel.client.task import Task

P = ParamSpec("P")
R = TypeVar("R")


class Plain(Protocol):
    """A decorator for functions that are called with the message's arguments."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class Bound(Protocol):
    """The same for functions whose first argument is the task."""

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...


class Decorate(Protocol):
    """A decorator with or without parentheses."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def __call__(self, *, bind: Literal[True], **options: Any) -> Bound: ...

    @overload
    def __call__(self, *, bind: Literal[False] = ..., **options: Any) -> Plain: ...


class Periodic(Protocol):
    """A decorator for tasks, which stay what they are, and for functions, which become tasks."""

    @overload
    def __call__(self, task: Task[P, R], /) -> Task[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...
