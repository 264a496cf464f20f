"""Ends the wait of another thread for what connections bring."""

from __future__ import annotations

import os
from collections.abc import Callable


class Bell:
    """To be polled for reading. Once rung it rings on; its descriptors go when nobody holds it any more."""

    def __init__(self) -> None:
        self._ends = os.pipe()

    def fileno(self) -> int:
        """For `poll`."""
        return self._ends[0]

    def ring(self) -> None:
        """Wake who waits."""
        os.write(self._ends[1], b"!")

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # modules are empty when the interpreter ends
        for number in self._ends:
            try:
                close(number)
            except OSError:
                continue
