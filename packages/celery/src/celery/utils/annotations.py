"""Annotations of arguments."""

from __future__ import annotations

import types
import typing
from typing import Any


def is_none_type(value: Any) -> bool:
    """True for the type of None."""
    return value in (None, type(None))


def get_optional_arg(annotation: Any) -> Any:
    """The type that may be None instead; None if it is no such annotation."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    arguments = typing.get_args(annotation)
    others = [each for each in arguments if not is_none_type(each)]
    return others[0] if len(arguments) == 2 and len(others) == 1 else None


def annotation_is_class(annotation: Any) -> bool:
    """True for a class."""
    return isinstance(annotation, type) and typing.get_origin(annotation) is None


def annotation_issubclass(annotation: Any, cls: type) -> bool:
    """True for a subclass."""
    return annotation_is_class(annotation) and issubclass(annotation, cls)
