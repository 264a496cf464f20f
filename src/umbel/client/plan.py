"""What is known of a task's calls before there is one: made once, again after a change of settings or attributes."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from umbel.client.arguments import Arguments
from umbel.client.call import prepare

if TYPE_CHECKING:
    from umbel.client.current import App
    from umbel.wire.protocol import Template


class Plan:
    """How calls of one task are checked, written and sent."""

    __slots__ = ("app", "arguments", "conf", "is_eager", "is_ignored", "outbox", "router", "template", "version")

    def __init__(self, task: Any, app: App):
        assert app.tasks is not None  # finalizes the app: nobody sends before those who wait for that are told
        self.app = app
        self.conf = app.conf
        self.version: int = self.conf.version
        """Of the settings that it was made from."""
        self.outbox = app.outbox
        self.router = app.router
        self.arguments = _arguments(task)
        self.is_eager = bool(self.conf.task_always_eager)
        self.is_ignored = bool(task.ignore_result)
        self.template: Template | None = None
        """Set if usual calls differ in nothing but id and arguments."""
        options = task.options_of_calls()
        if not self.is_eager and self.router.is_fixed and "expires" not in options and not task.shadows:
            call = prepare(task.name, "", (), {}, options, conf=self.conf, router=self.router, parent=None, task=task)
            if call.message.headers.expires is None:
                self.template = call.template()


def _arguments(task: Any) -> Arguments:
    """What the function behind `run` takes, without `self` where there is one."""
    run = task.__dict__.get("run")
    if run is not None:  # put there in place of the method, as some tracing tools do
        return Arguments(task.name, run, skip=0)
    for kind in type(task).__mro__:
        run = kind.__dict__.get("run")
        if run is not None:
            break
    if isinstance(run, staticmethod):
        return Arguments(task.name, run.__func__, skip=0)
    return Arguments(task.name, run, skip=1 if isinstance(run, FunctionType) else 0)  # type: ignore[arg-type]  # `Task` has a run
