"""The calls that a task serves here and now, as a stack: for those who run a task's code without a worker."""

from __future__ import annotations

from typing import Any

from umbel.execution import request as requests


class Stack:
    """Those of one task."""

    def __init__(self, task: Any):
        self._task = task

    @property
    def top(self) -> Any:
        """The innermost one; None if there is none."""
        return requests.find(self._task)

    @property
    def stack(self) -> list[Any]:
        """All of them, the outermost first."""
        found, here = [], requests.current.get()
        while here is not None:
            if here.owner is self._task:
                found.append(requests.opened(here))
            here = here.outer
        return found[::-1]

    def push(self, request: Any) -> None:
        """Let a request count as the one that is served."""
        request.owner = self._task
        _tokens.append((self._task, requests.push(request)))

    def pop(self) -> Any:
        """End that; gives the request."""
        for number in range(len(_tokens) - 1, -1, -1):
            if _tokens[number][0] is self._task:
                top = self.top
                requests.current.reset(_tokens.pop(number)[1])
                return top
        return None

    def __len__(self) -> int:
        return len(self.stack)


_tokens: list[tuple[Any, Any]] = []
