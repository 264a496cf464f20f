"""Threads, and what belongs to each."""

from __future__ import annotations

import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident as get_ident
from typing import Any

from celery.local import Proxy

TIMEOUT_MAX = threading.TIMEOUT_MAX
USE_FAST_LOCALS = os.environ.get("USE_FAST_LOCALS")


@contextmanager
def default_socket_timeout(timeout: float | None) -> Iterator[None]:
    """Sockets made inside `with` give up after that."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


class bgThread(threading.Thread):  # noqa: N801 - Celery's name
    """A thread that calls `body` again and again until it is stopped."""

    def __init__(self, name: str | None = None, **kwargs: Any):
        super().__init__(name=name or type(self).__name__, daemon=True, **kwargs)
        self._is_shutdown = threading.Event()
        self._is_stopped_now = threading.Event()

    def body(self) -> None:
        """What it does; subclasses say."""
        raise NotImplementedError(f"{type(self).__name__} needs a body()")

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Called when `body` has raised something."""
        sys.stderr.write(f"{msg.format(*fmt)}\n")
        traceback.print_exc(None, sys.stderr)

    def run(self) -> None:
        """Its life."""
        try:
            while not self._is_shutdown.is_set():
                try:
                    self.body()
                except Exception as problem:
                    self.on_crash("{0!r} ends with {1!r}", self.name, problem)
                    break
        finally:
            self._is_stopped_now.set()

    def stop(self) -> None:
        """Stop it, and wait for that."""
        self._is_shutdown.set()
        self._is_stopped_now.wait()
        if self.is_alive():
            self.join(TIMEOUT_MAX)


def release_local(local: Any) -> None:
    """Forget what belongs to this thread."""
    local.__release_local__()


class Local:
    """Attributes that belong to each thread."""

    __slots__ = ("__ident_func__", "__storage__")

    def __init__(self) -> None:
        object.__setattr__(self, "__storage__", {})
        object.__setattr__(self, "__ident_func__", get_ident)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__storage__.items())

    def __call__(self, proxy: str) -> Any:
        return Proxy(getattr, (self, proxy))

    def __release_local__(self) -> None:
        self.__storage__.pop(self.__ident_func__(), None)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__storage__[self.__ident_func__()][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__storage__.setdefault(self.__ident_func__(), {})[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self.__storage__[self.__ident_func__()][name]
        except KeyError:
            raise AttributeError(name) from None


class _LocalStack:
    """A stack that belongs to each thread."""

    def __init__(self) -> None:
        self._local = Local()

    def __release_local__(self) -> None:
        self._local.__release_local__()

    @property
    def __ident_func__(self) -> Callable[[], Any]:
        return self._local.__ident_func__  # type: ignore[no-any-return]  # a function

    def __call__(self) -> Any:
        return Proxy(self._current)

    def _current(self) -> Any:
        if self.top is None:
            raise RuntimeError("the stack of this thread is empty")
        return self.top

    def push(self, obj: Any) -> list[Any]:
        """Put something on it."""
        stack: list[Any] = [*getattr(self._local, "stack", []), obj]
        self._local.stack = stack
        return stack

    def pop(self) -> Any:
        """Take off what is on top; None if it is empty."""
        stack = getattr(self._local, "stack", None)
        if not stack:
            return None
        if len(stack) == 1:
            release_local(self._local)
        else:
            self._local.stack = stack[:-1]
        return stack[-1]

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def stack(self) -> list[Any]:
        """All that is on it."""
        return getattr(self._local, "stack", [])

    @property
    def top(self) -> Any:
        """What is on top; None if it is empty."""
        stack = self.stack
        return stack[-1] if stack else None


LocalStack = _LocalStack
_FastLocalStack = _LocalStack


class LocalManager:
    """Several of them."""

    def __init__(self, locals: Any = None, ident_func: Any = None):
        self.locals = [] if locals is None else locals if isinstance(locals, list) else [locals]
        self.ident_func = ident_func or get_ident

    def get_ident(self) -> Any:
        """The thread's id."""
        return self.ident_func()

    def cleanup(self) -> None:
        """Forget what belongs to this thread."""
        for local in self.locals:
            release_local(local)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} storages: {len(self.locals)}>"


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
