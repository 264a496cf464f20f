"""Seeing which functions a piece of work enters."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def profiled(look: Callable[[FrameType, str, object], object]) -> Iterator[None]:
    """Show `look` all that this thread does in the block, but not what is cleared away meanwhile of other tests."""
    gc.disable()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)
        gc.enable()
