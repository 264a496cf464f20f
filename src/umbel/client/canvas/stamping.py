"""Who walks through a canvas and puts stamps on its calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class StampingVisitor(ABC):
    """Gives the stamps of each part of a canvas, as a dict; its `stamped_headers` lists which are stamps, else all are."""

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any]:
        """Called before the calls of a group."""
        return {}

    def on_group_end(self, group: Any, **headers: Any) -> None:  # noqa: B027 - as Celery's
        """Called after them."""

    def on_chain_start(self, chain: Any, **headers: Any) -> dict[str, Any]:
        """Called before the steps of a chain."""
        return {}

    def on_chain_end(self, chain: Any, **headers: Any) -> None:  # noqa: B027 - as Celery's
        """Called after them."""

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        """Called with each single call."""

    def on_chord_header_start(self, sig: Any, **header: Any) -> dict[str, Any]:
        """Called before the calls that stand before the body of a chord."""
        return {}

    def on_chord_header_end(self, sig: Any, **header: Any) -> None:  # noqa: B027 - as Celery's
        """Called after them."""

    def on_chord_body(self, sig: Any, **header: Any) -> dict[str, Any]:
        """Called before the body of a chord."""
        return {}

    def on_callback(self, callback: Any, **header: Any) -> dict[str, Any]:
        """Called with each callback."""
        return {}

    def on_errback(self, errback: Any, **header: Any) -> dict[str, Any]:
        """Called with each errback."""
        return {}
