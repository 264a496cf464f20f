"""Which methods are the house's own: what somebody has overridden or patched is entered, what nobody has may be passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_own: set[Any] = set()


def plain(function: F) -> F:
    """Count a method as nobody's override; for those of a face over umbel, too, that do no more than umbel's.

    Functions are known by themselves, not by a mark, which `functools.wraps` would copy to whoever stands in their place.
    """
    _own.add(function)
    return function


def is_plain(method: Any) -> bool:
    """True if a method, as it is found on its object now, is one of those."""
    return getattr(method, "__func__", None) in _own
