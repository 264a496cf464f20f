"""What can be called as a task, or as a signature."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any


class CallableTask(ABC, Hashable):
    """What has `delay`, `apply_async` and `apply`."""

    @abstractmethod
    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send it with these arguments."""

    @abstractmethod
    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        """Send it, with options."""

    @abstractmethod
    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Run it here and now."""

    @classmethod
    def __subclasshook__(cls, C: Any) -> Any:  # noqa: N803 - as in collections.abc
        return _has(C, "delay", "apply_async", "apply") if cls is CallableTask else NotImplemented


class CallableSignature(CallableTask):
    """What has the parts of a signature, too."""

    @property
    @abstractmethod
    def name(self) -> Any:
        """The task's name."""

    @property
    @abstractmethod
    def type(self) -> Any:
        """The task."""

    @property
    @abstractmethod
    def app(self) -> Any:
        """The app."""

    @property
    @abstractmethod
    def id(self) -> Any:
        """The id, once it is settled."""

    @property
    @abstractmethod
    def task(self) -> Any:
        """The task's name."""

    @property
    @abstractmethod
    def args(self) -> Any:
        """The arguments."""

    @property
    @abstractmethod
    def kwargs(self) -> Any:
        """The keyword arguments."""

    @property
    @abstractmethod
    def options(self) -> Any:
        """The options."""

    @property
    @abstractmethod
    def subtask_type(self) -> Any:
        """Its kind."""

    @property
    @abstractmethod
    def chord_size(self) -> Any:
        """How many parts a chord has."""

    @property
    @abstractmethod
    def immutable(self) -> Any:
        """True if it takes no further arguments."""

    @abstractmethod
    def clone(self, args: Any = None, kwargs: Any = None) -> Any:
        """A copy."""

    @abstractmethod
    def freeze(
        self, id: Any = None, group_id: Any = None, chord: Any = None, root_id: Any = None, group_index: Any = None
    ) -> Any:
        """Settle the id."""

    @abstractmethod
    def set(self, immutable: Any = None, **options: Any) -> Any:
        """Change options."""

    @abstractmethod
    def link(self, callback: Any) -> Any:
        """Add a callback."""

    @abstractmethod
    def link_error(self, errback: Any) -> Any:
        """Add one for errors."""

    @classmethod
    def __subclasshook__(cls, C: Any) -> Any:  # noqa: N803 - as above
        return _has(C, "delay", "apply_async", "apply", "clone", "freeze", "link", "link_error")


def _has(kind: Any, *names: str) -> Any:
    return all(any(name in each.__dict__ for each in kind.__mro__) for name in names) or NotImplemented
