"""Results as they go into scripts and come out of the server."""

from __future__ import annotations

import re

from umbel import states
from umbel.wire.result import Result

_STATE = re.compile(rb"status[^A-Za-z0-9_]+([A-Z_]+)")
_YAML_STATE = re.compile(rb"\nstatus: ([A-Z_]+)\n")
_OURS = {state: b'{"status":"%b"' % state.encode() for state in states.READY_STATES}
"""How nearly all documents begin."""
_NONE = b"no document"
CLEAR = 80
"""A state is told in so many first bytes of a document that JSON, pickle or msgpack wrote: it begins with it. YAML sorts the
keys, and tells it in a line of its own."""


def state_in(document: bytes) -> str | None:
    """The state that the document tells in the clear, as the scripts read it too."""
    found = _STATE.search(document[:CLEAR]) or _YAML_STATE.search(document)
    return found[1].decode() if found else None


def end_in(told: bytes) -> str | None:
    """The final state of a document that was told on its channel, if that is beyond doubt: written as JSON by Celery or here."""
    state = state_in(told) if told.startswith(b'{"status"') and told.endswith(b"}") else None
    return state if state in states.READY_STATES else None


def as_arguments(result: Result) -> tuple[str, str, bytes, int]:
    """Id, state, document, and whether the document tells the state in the clear."""
    state, document = result.state, result.document
    return result.id, state, document, int(document.startswith(_OURS.get(state, _NONE)) or state_in(document) == state)


def is_plain(result: Result) -> bool:
    """True of a success that the document tells in the clear, as of nearly all."""
    return result.state == states.SUCCESS and result.document.startswith(_OURS[states.SUCCESS])


def life(expires: float | None) -> str:
    """Milliseconds; nothing if it lasts for ever."""
    return "" if expires is None else str(max(int(expires * 1000), 1))
