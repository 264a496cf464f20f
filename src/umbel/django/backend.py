"""A backend for `django.tasks` (Django 6, or the package django-tasks with those before): its tasks run in umbel's workers.

TASKS = {"default": {"BACKEND": "umbel.django.backend.UmbelBackend"}}
"""

from __future__ import annotations

import datetime
import json
from typing import Any

from django.utils import timezone
from django.utils.module_loading import import_string

try:
    from django.tasks import base, exceptions, signals
    from django.tasks.backends.base import BaseTaskBackend
except ImportError:  # before Django 6
    from django_tasks import base, exceptions, signals
    from django_tasks.backends.base import BaseTaskBackend

from umbel import states
from umbel.client.current import running
from umbel.django import project
from umbel.wire.ids import new_id
from umbel.wire.result import Result
from umbel.wire.typed_json import from_json

RUN = "umbel.django.run"
"""The task that runs all of Django's."""
NOTE = "DJANGO"
"""State of the record in which Django's view of a task is kept beside its result."""
_STATUS = {
    states.STARTED: base.TaskResultStatus.RUNNING,
    states.SUCCESS: base.TaskResultStatus.SUCCESSFUL,
    states.FAILURE: base.TaskResultStatus.FAILED,
    states.REVOKED: base.TaskResultStatus.FAILED,
}


class UmbelBackend(BaseTaskBackend):
    """Sends tasks to the project's app.

    The queue `default` is the app's default queue, others go by their names. Priorities from -100 to 100 become umbel's from 0 to
    9, `run_after` an eta. What became of a task is known if the app keeps results.
    """

    supports_defer = True
    supports_async_task = True
    supports_priority = True

    @property
    def supports_get_result(self) -> bool:
        """True if the app keeps results."""
        return project.app.result_store is not None

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Send it."""
        self.validate_task(task)
        call: dict[str, Any] = json.loads(json.dumps({"args": list(args), "kwargs": dict(kwargs)}))
        told = {**call, "path": task.module_path, "backend": self.alias, "enqueued": timezone.now().isoformat(), "worked": []}
        told |= {"priority": task.priority, "queue": task.queue_name, "after": _iso(task.run_after)}
        id = new_id()
        _keep(id, told)  # first: a worker may have it at once
        options: dict[str, Any] = {"task_id": id, "shadow": task.module_path, "eta": task.run_after}
        options["priority"] = round((task.priority + 100) * 9 / 200)
        if task.queue_name != base.DEFAULT_TASK_QUEUE_NAME:
            options["queue"] = task.queue_name
        project.app.send_task(RUN, [task.module_path, call["args"], call["kwargs"], self.alias], **options)
        made = _seen(id, told, task)
        signals.task_enqueued.send(type(self), task_result=made)
        return made

    def get_result(self, result_id: str) -> Any:
        """How far it is."""
        store = project.app.result_store
        found = store.fetch([result_id, _note_id(result_id)]) if store is not None else {}
        note = found.get(_note_id(result_id))
        if note is None:
            raise exceptions.TaskResultDoesNotExist(result_id)
        return _seen(result_id, from_json(note.document), None, found.get(result_id))


def run(path: str, args: list[Any], kwargs: dict[str, Any], alias: str) -> Any:
    """Run one of Django's tasks, inside of one of umbel's; gives what it returned, as JSON has it."""
    task = import_string(path).using(backend=alias)
    request = running().request
    store = project.app.result_store
    known = store.fetch([_note_id(request.id)]) if store is not None else {}
    note = known.get(_note_id(request.id))
    told: dict[str, Any] = from_json(note.document) if note else {"path": path, "args": args, "kwargs": kwargs, "worked": []}
    told["worked"] = [*told["worked"], [timezone.now().isoformat(), str(request.hostname)]]
    told |= {"backend": alias}
    _keep(request.id, told)
    seen = _seen(request.id, told, task)
    object.__setattr__(seen, "status", base.TaskResultStatus.RUNNING)
    sender = type(task.get_backend())
    signals.task_started.send(sender, task_result=seen)
    context = (base.TaskContext(task_result=seen),) if task.takes_context else ()
    try:
        value = json.loads(json.dumps(task.call(*context, *args, **kwargs)))
    except BaseException:
        _finish(seen, sender, base.TaskResultStatus.FAILED)
        raise
    object.__setattr__(seen, "_return_value", value)
    _finish(seen, sender, base.TaskResultStatus.SUCCESSFUL)
    return value


def _finish(seen: Any, sender: Any, status: Any) -> None:
    object.__setattr__(seen, "status", status)
    object.__setattr__(seen, "finished_at", timezone.now())
    signals.task_finished.send(sender, task_result=seen)


def _note_id(id: str) -> str:
    return f"{id}:django"


def _keep(id: str, told: dict[str, Any]) -> None:
    """Keep Django's view of a task beside its result."""
    store = project.app.result_store
    if store is not None:
        store.store([Result(_note_id(id), NOTE, json.dumps(told).encode())])


def _seen(id: str, told: dict[str, Any], task: Any, result: Result | None = None) -> Any:
    """The view of a task that `django.tasks` shows."""
    if task is None:
        task = import_string(told["path"])
        options = {"priority": told["priority"], "queue_name": told["queue"], "run_after": _moment(told["after"])}
        task = task.using(backend=told["backend"], **options)
    status = _STATUS.get(result.state, base.TaskResultStatus.READY) if result else base.TaskResultStatus.READY
    worked = [_moment(at) for at, _ in told["worked"]]
    document = from_json(result.document) if result else {}
    is_over = status in (base.TaskResultStatus.FAILED, base.TaskResultStatus.SUCCESSFUL)
    made = base.TaskResult(
        task=task,
        id=id,
        status=status,
        enqueued_at=_moment(told.get("enqueued")),
        started_at=worked[0] if worked else None,
        finished_at=_moment(document.get("date_done")) if is_over else None,
        last_attempted_at=worked[-1] if worked else None,
        args=told["args"],
        kwargs=told["kwargs"],
        backend=told["backend"],
        errors=[_error(document)] if status == base.TaskResultStatus.FAILED else [],
        worker_ids=[worker for _, worker in told["worked"]],
    )
    if status == base.TaskResultStatus.SUCCESSFUL:
        object.__setattr__(made, "_return_value", document.get("result"))
    return made


def _error(document: dict[str, Any]) -> Any:
    told = document.get("result")
    kind, module = (told.get("exc_type"), told.get("exc_module")) if isinstance(told, dict) else (None, None)
    return base.TaskError(exception_class_path=f"{module or 'builtins'}.{kind or 'Exception'}", traceback=_trace(document))


def _trace(document: dict[str, Any]) -> str:
    return str(document.get("traceback") or "")


def _iso(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)
