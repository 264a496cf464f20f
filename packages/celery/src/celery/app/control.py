"""Remote control: what is told to workers, and what they answer."""

from __future__ import annotations

import warnings
from typing import Any

from celery.exceptions import DuplicateNodenameWarning
from umbel.client.remote.control import Control as ControlOf
from umbel.client.remote.inspect import Inspect as InspectOf


def flatten_reply(reply: Any) -> dict[str, Any]:
    """Replies of several nodes as one dict."""
    nodes: dict[str, Any] = {}
    for item in reply:
        for name, value in item.items():
            if name in nodes:
                warnings.warn(f"Two nodes are called {name}", DuplicateNodenameWarning, stacklevel=2)
            nodes[name] = value
    return nodes


class Inspect(InspectOf):
    """Asks workers what they do."""

    def _merged(self, replies: Any) -> dict[str, Any]:
        return flatten_reply(replies)


class Control(ControlOf):
    """Tells workers what to do; what is revoked is left in the store as well, for workers that are started later."""

    @property
    def Mailbox(self) -> Any:  # noqa: N802 - Celery's name
        """kombu's mailbox."""
        from kombu.pidbox import Mailbox

        return Mailbox

    def __init__(self, app: Any = None):
        from celery.app import app_or_default

        super().__init__(app_or_default(app))
        self.app = self._app

    @property
    def inspect(self) -> Any:
        """Asks workers what they do."""
        return self.app._part("Inspect", lambda: self.app.subclass_with_self(Inspect, reverse="control.inspect"))


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
