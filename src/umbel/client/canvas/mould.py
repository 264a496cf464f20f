"""The short way of many calls in one group: all bytes that they share are made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umbel.canvas.unfold import Call
from umbel.client.current import App
from umbel.client.plain import is_plain
from umbel.errors import EncodeError
from umbel.wire.envelope import Envelope

if TYPE_CHECKING:
    from umbel.client.shortcut import Shortcut
    from umbel.wire.protocol import Template

_SHARED = frozenset({"task_id", "group_id", "group_index", "chord"})
"""Options of a call that may take the short way."""
_HOLE = 2**31 - 1
"""Stands in the shared headers where each call's own place is."""
_MARK = b'"group_index":%d,' % _HOLE

Mould = tuple["Shortcut", "Template"]


class Moulds:
    """What calls of a canvas share, by task, group and chord."""

    def __init__(self, app: App):
        self._app = app
        self._known: dict[tuple[str, str | None, int], Mould | None] = {}

    def cast(self, call: Call) -> Envelope | None:
        """The message of a usual call; None of one that is to be sent with all that may have been put around that."""
        options = call.options
        if not options.keys() <= _SHARED:
            return None
        gid, chord = options.get("group_id"), options.get("chord")
        key = call.task, gid, id(chord)  # all parts of a chord hold the same body
        if key not in self._known:
            self._known[key] = self._mould(call.task, gid, chord)
        mould = self._known[key]
        if mould is None:
            return None
        short, template = mould
        args, kwargs = call.args, call.kwargs
        fits = short.arguments
        if short.task.typing and (kwargs or not fits.least <= len(args) <= fits.most) and not fits.fit(args, kwargs):
            fits.check(args, kwargs)
        try:
            envelope = template.fill(options["task_id"], args, kwargs)  # type: ignore[arg-type]  # any mapping is read alike
        except EncodeError as problem:
            raise short.blamed(problem) from problem
        if gid is not None:
            index = options.get("group_index")
            place = b'"group_index":null,' if index is None else b'"group_index":%d,' % index
            envelope.headers = envelope.headers.replace(_MARK, place, 1)
        return envelope

    def _mould(self, name: str, gid: str | None, chord: Any) -> Mould | None:
        task = self._app.tasks.get(name)
        if task is None or not is_plain(task.apply_async):
            return None
        short: Shortcut = task.shortcut
        if short.template is None:
            return None
        shared = {} if gid is None else {"group_id": gid, "group_index": _HOLE}
        template = short._template(shared if chord is None else {**shared, "chord": chord})
        return None if template is None else (short, template)
