"""What a fork means for a store: told before it, and on both sides after it."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something that must know when its process forks."""

    def before_fork(self) -> None:
        """Make ready: no thread may be in the middle of anything."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Begin anew, as another process; every other thread is gone."""


_watching: WeakSet[Forked] = WeakSet()


def watch(thing: Forked) -> None:
    """Tell `thing` of every fork from now on, as long as it lives."""
    _watching.add(thing)


def _before() -> None:
    for thing in list(_watching):
        thing.before_fork()


def _after_in_parent() -> None:
    for thing in list(_watching):
        thing.after_fork_in_parent()


def _after_in_child() -> None:
    for thing in list(_watching):
        thing.after_fork_in_child()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
