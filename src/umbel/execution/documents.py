"""The result documents of runs: what is kept of a call for those who ask later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from umbel.errors import EncodeError
from umbel.execution.einfo import ExceptionInfo
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.wire import result
from umbel.wire.brief import brief
from umbel.wire.result import Result


class Documents:
    """Makes documents, all in one serializer; `extended` ones tell also what was called, where and how often."""

    def __init__(self, hostname: str, serializer: str, *, extended: bool):
        self.hostname = hostname
        self.serializer = serializer
        self.extended = extended

    def of_run(self, task: Runnable, request: Request, state: str, value: Any, einfo: ExceptionInfo | None = None) -> Result:
        """The document of a call that was run. Raises EncodeError if the value cannot be serialised."""
        children = request.children if task.trail else ()
        id_, parent, group = str(request.id), request.parent_id, request.group
        if not self.extended:
            return self.document(id_, state, value, einfo, children=children, parent_id=parent, group_id=group)
        facts = {
            "name": request.task,
            "args": request.args,
            "kwargs": request.kwargs,
            "worker": self.hostname,
            "retries": request.retries,
            "queue": (request.delivery_info or {}).get("routing_key"),
        }
        try:
            return self.document(id_, state, value, einfo, children=children, parent_id=parent, group_id=group, extra=facts)
        except EncodeError:  # the arguments may have come by a serializer that can do more; a value at fault fails again
            facts.update(args=brief(request.args), kwargs=brief(request.kwargs))
            return self.document(id_, state, value, einfo, children=children, parent_id=parent, group_id=group, extra=facts)

    def document(
        self,
        id_: str,
        state: str,
        value: Any,
        einfo: ExceptionInfo | None = None,
        *,
        children: Sequence[Any] = (),
        parent_id: str | None = None,
        group_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Result:
        """The document of any call, of which little may be known."""
        return result.encode(
            id_,
            state,
            value,
            traceback=einfo.traceback if einfo else None,
            children=children,
            serializer=self.serializer,
            parent_id=parent_id,
            group_id=group_id,
            extra=extra,
        )
