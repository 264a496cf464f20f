"""The result documents of runs: what is kept of a call for those who ask later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from umbel.errors import EncodeError
from umbel.execution.einfo import ExceptionInfo
from umbel.execution.request import Request
from umbel.execution.runnable import Runnable
from umbel.wire import result
from umbel.wire.brief import brief
from umbel.wire.result import Result


def is_ignored(task: Runnable | None, asked: bool | None) -> bool:
    """True if nobody wants the result: as the message has `asked`, else as the task has it."""
    return bool(asked if asked is not None or task is None else task.ignore_result)


class Documents:
    """Makes documents, all in one serializer; `extended` ones tell also what was called, where and how often.

    With `facts` they tell all that a request says of its call, for stores that keep it in columns of their own.
    """

    def __init__(self, hostname: str, serializer: str, *, extended: bool, facts: bool = False):
        self.hostname = hostname
        self.serializer = serializer
        self.extended = extended or facts
        self.facts = facts

    def of_run(self, task: Runnable, request: Request, state: str, value: Any, einfo: ExceptionInfo | None = None) -> Result:
        """The document of a call that was run. Raises EncodeError if the value cannot be serialised."""
        told: dict[str, Any] = {"parent_id": request.parent_id, "group_id": request.group}
        told["children"] = request.children if task.trail else ()
        told["extra"] = facts = self._facts(request) if self.extended else None
        try:
            return self.document(str(request.id), state, value, einfo, **told)
        except EncodeError:
            if facts is None:
                raise
            # The arguments may have come by a serializer that can do more; a value at fault fails again.
            facts.update(args=brief(request.args), kwargs=brief(request.kwargs))
            return self.document(str(request.id), state, value, einfo, **told)

    def _facts(self, request: Request) -> dict[str, Any]:
        facts = {
            "name": request.task,
            "args": request.args,
            "kwargs": request.kwargs,
            "worker": self.hostname,
            "retries": request.retries,
            "queue": (request.delivery_info or {}).get("routing_key"),
        }
        if self.facts:
            facts |= {name: value for name in _FACTS if (value := request.get(name)) is not None}
        return facts

    def of_lost(
        self, ids: Iterable[str], state: str, value: Any, einfo: ExceptionInfo | None = None, *, parent_id: str | None
    ) -> list[Result]:
        """Those of calls that are never made, each once."""
        return [self.document(id_, state, value, einfo, parent_id=parent_id) for id_ in dict.fromkeys(ids)]

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


_FACTS = (
    *("argsrepr", "kwargsrepr", "root_id", "group_index", "shadow", "origin", "periodic_task_name", "stamped_headers", "stamps"),
    *("headers", "properties", "delivery_info", "correlation_id", "reply_to"),
)
