"""umbel: a task queue. Everything a program needs is here; each name is loaded when it is first used."""

from __future__ import annotations

from umbel.version import __version__

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself would cost more than all else here

_HOMES = {
    "Umbel": "client.app",
    "shared_task": "client.shared",
    "Task": "client.task",
    "Signature": "client.canvas.signature",
    "signature": "client.canvas.signature",
    "subtask": "client.canvas.signature",
    "maybe_signature": "client.canvas.signature",
    "chain": "client.canvas.chain",
    "group": "client.canvas.group",
    "chord": "client.canvas.chord",
    "xmap": "client.canvas.mapped",
    "xstarmap": "client.canvas.mapped",
    "chunks": "client.canvas.mapped",
    "StampingVisitor": "client.canvas.stamping",
    "AsyncResult": "client.results.result",
    "EagerResult": "client.results.eager_result",
    "GroupResult": "client.results.group_result",
    "ResultSet": "client.results.result_set",
    "Results": "client.results.result_set",
    "allow_join_result": "client.results.result",
    "progress": "client.results.progress",
    "current_app": "client.current",
    "current_task": "client.current",
    "get_task_logger": "log",
    "register_serializer": "wire.encoding",
    **dict.fromkeys(
        (
            *("UmbelError", "ImproperlyConfigured", "BrokerError", "BrokerDown", "BrokerRefused", "EncodeError", "DecodeError"),
            *("ContentDisallowed", "NotRegistered", "QueueNotFound", "TimeoutError", "MaxRetriesExceededError"),
            *("TaskRevokedError", "SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Ignore", "Reject", "Retry"),
        ),
        "errors",
    ),
}
_ROOMS = ("errors", "signals", "states")

__all__ = [
    "AsyncResult",
    "BrokerDown",
    "BrokerError",
    "BrokerRefused",
    "ContentDisallowed",
    "DecodeError",
    "EagerResult",
    "EncodeError",
    "GroupResult",
    "Ignore",
    "ImproperlyConfigured",
    "MaxRetriesExceededError",
    "NotRegistered",
    "QueueNotFound",
    "Reject",
    "ResultSet",
    "Results",
    "Retry",
    "Signature",
    "SoftTimeLimitExceeded",
    "StampingVisitor",
    "Task",
    "TaskRevokedError",
    "TimeLimitExceeded",
    "TimeoutError",
    "Umbel",
    "UmbelError",
    "WorkerLostError",
    "__version__",
    "allow_join_result",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "errors",
    "get_task_logger",
    "group",
    "maybe_signature",
    "progress",
    "register_serializer",
    "shared_task",
    "signals",
    "signature",
    "states",
    "subtask",
    "xmap",
    "xstarmap",
]

if TYPE_CHECKING:
    from umbel import errors as errors
    from umbel import signals as signals
    from umbel import states as states
    from umbel.client.app import Umbel as Umbel
    from umbel.client.canvas.chain import chain as chain
    from umbel.client.canvas.chord import chord as chord
    from umbel.client.canvas.group import group as group
    from umbel.client.canvas.mapped import chunks as chunks
    from umbel.client.canvas.mapped import xmap as xmap
    from umbel.client.canvas.mapped import xstarmap as xstarmap
    from umbel.client.canvas.signature import Signature as Signature
    from umbel.client.canvas.signature import maybe_signature as maybe_signature
    from umbel.client.canvas.signature import signature as signature
    from umbel.client.canvas.signature import subtask as subtask
    from umbel.client.canvas.stamping import StampingVisitor as StampingVisitor
    from umbel.client.results.eager_result import EagerResult as EagerResult
    from umbel.client.results.group_result import GroupResult as GroupResult
    from umbel.client.results.progress import progress as progress
    from umbel.client.results.result import AsyncResult as AsyncResult
    from umbel.client.results.result import allow_join_result as allow_join_result
    from umbel.client.results.result_set import Results as Results
    from umbel.client.results.result_set import ResultSet as ResultSet
    from umbel.client.shared import shared_task as shared_task
    from umbel.client.task import Task as Task
    from umbel.errors import BrokerDown as BrokerDown
    from umbel.errors import BrokerError as BrokerError
    from umbel.errors import BrokerRefused as BrokerRefused
    from umbel.errors import ContentDisallowed as ContentDisallowed
    from umbel.errors import DecodeError as DecodeError
    from umbel.errors import EncodeError as EncodeError
    from umbel.errors import Ignore as Ignore
    from umbel.errors import ImproperlyConfigured as ImproperlyConfigured
    from umbel.errors import MaxRetriesExceededError as MaxRetriesExceededError
    from umbel.errors import NotRegistered as NotRegistered
    from umbel.errors import QueueNotFound as QueueNotFound
    from umbel.errors import Reject as Reject
    from umbel.errors import Retry as Retry
    from umbel.errors import SoftTimeLimitExceeded as SoftTimeLimitExceeded
    from umbel.errors import TaskRevokedError as TaskRevokedError
    from umbel.errors import TimeLimitExceeded as TimeLimitExceeded
    from umbel.errors import TimeoutError as TimeoutError
    from umbel.errors import UmbelError as UmbelError
    from umbel.errors import WorkerLostError as WorkerLostError
    from umbel.log import get_task_logger as get_task_logger
    from umbel.wire.encoding import register_serializer as register_serializer

    current_app: Umbel
    current_task: Task


def __getattr__(name: str) -> object:
    """The name, from where it is defined; kept, so that this is asked once."""
    from importlib import import_module

    if name in _ROOMS:
        found: object = import_module(f"umbel.{name}")
    elif name in _HOMES:
        found = getattr(import_module(f"umbel.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'umbel' has no {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
