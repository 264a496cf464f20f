"""What follows from a run, sent through the methods of task and app where somebody has put his own in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umbel.canvas.unfold import Call
from umbel.client.current import App
from umbel.client.outbox import call_all
from umbel.client.plain import is_plain
from umbel.execution.request import Request
from umbel.execution.retry import once_more
from umbel.messages.complete import Parent
from umbel.wire.envelope import Envelope


class Relay:
    """Makes callbacks, steps of chains and retries into messages, which leave with the outcome of the run."""

    def __init__(self, app: App):
        self._app = app

    def follow(self, step: Call, *, task: Any, parent: Parent) -> list[Envelope]:
        """The messages of a call that follows from the run of `parent`: one, unless whoever overrides has it otherwise."""
        app = self._app
        if self._is_short(task):
            return app.writer.follow(step, task=task, parent=parent)
        line = {"root_id": parent.root_id or parent.id, "parent_id": parent.id}
        options = {**{key: value for key, value in step.options.items() if value is not None}, **line}
        with app.outbox.diverted() as batch:
            if task is None:
                app.send_task(step.task, step.args, step.kwargs, **options)
            else:
                task.apply_async(step.args, step.kwargs, **options)
        call_all(batch.then)
        return batch.envelopes

    def is_alone(self, task: Any) -> bool:
        """True if nobody else sees or makes the messages of such calls."""
        return self._is_short(task) and self._app.writer.is_alone(task)

    def _is_short(self, task: Any) -> bool:
        return is_plain(self._app.send_task) and (task is None or is_plain(task.apply_async))

    def order(self, step: Call, *, parent: Parent) -> Envelope:
        """The message of an order for a worker itself, of which nobody is told."""
        return self._app.writer.order(step, parent=parent)

    def again(self, task: Any, request: Request, args: Any, kwargs: Any, options: Mapping[str, Any]) -> list[Envelope]:
        """The messages of a retry, with `options` as `Task.retry` was given them."""
        if is_plain(task.signature_from_request) and is_plain(task.signature):
            return self.follow(once_more(task.name, request, args, kwargs, options), task=task, parent=request)
        with self._app.outbox.diverted() as batch:
            task.signature_from_request(request, args, kwargs, **options).apply_async()
        call_all(batch.then)
        return batch.envelopes
