"""The picture that events draw: which workers there are, which tasks, and what became of each. In bounded memory.

`State.event` takes one event in. Tasks and workers are kept as long as there is room, the last told of the longest. All of it can
be pickled, and subclasses may add what they like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from threading import RLock
from typing import Any
from weakref import WeakSet

from umbel.events import seen
from umbel.events.recent import Recent

MOST_NAMES = 10_000
"""Names of tasks, or of workers, for which it is known which tasks they have: the unused are dropped when there are more."""


class _ByName(dict[str, Any]):
    """Sets of tasks by a name, which can also be called: then they come in order, the last told of first."""

    def __init__(self, ordered: Callable[..., Iterator[tuple[str, seen.Task]]]):
        super().__init__()
        self._ordered = ordered

    def __missing__(self, name: str) -> Any:
        if len(self) >= MOST_NAMES:
            for other in [other for other, tasks in self.items() if not tasks]:
                del self[other]
        made = self[name] = WeakSet()
        return made

    def __call__(self, name: str, limit: int | None = None) -> Iterator[tuple[str, seen.Task]]:
        return self._ordered(self.get(name, ()), limit)

    def ids(self) -> dict[str, list[str]]:
        """The ids of those tasks."""
        return {name: [task.uuid for task in tasks] for name, tasks in list(self.items())}


class State:
    """All workers and tasks that events told of, as many as there is room for. Any thread may use it."""

    Worker = seen.Worker
    Task = seen.Task
    event_count = 0
    task_count = 0
    heap_multiplier = 4

    def __init__(
        self,
        callback: Callable[[State, dict[str, Any]], Any] | None = None,
        workers: Any = None,
        tasks: Any = None,
        taskheap: Any = None,
        max_workers_in_memory: int = 5000,
        max_tasks_in_memory: int = 10000,
        on_node_join: Callable[[seen.Worker], Any] | None = None,
        on_node_leave: Callable[[seen.Worker], Any] | None = None,
        tasks_by_type: Mapping[str, Iterable[str]] | None = None,
        tasks_by_worker: Mapping[str, Iterable[str]] | None = None,
    ):
        """`callback` is told of each event. `on_node_join` of each new worker, `on_node_leave` of each that says goodbye."""
        self.event_callback = callback
        self.workers: Recent[str, seen.Worker] = _recent(workers, max_workers_in_memory)
        self.tasks: Recent[str, seen.Task] = _recent(tasks, max_tasks_in_memory)
        self.max_workers_in_memory = max_workers_in_memory
        self.max_tasks_in_memory = max_tasks_in_memory
        self.on_node_join = on_node_join
        self.on_node_leave = on_node_leave
        self.handlers: dict[str, Callable[[str, dict[str, Any]], Any]] = {}
        """By the group of events, what takes them in its place; subclasses may add some."""
        self._mutex = RLock()
        self._orphans: Recent[str, Any] = Recent(max_tasks_in_memory)
        """Children of tasks that nobody has told of yet, by the id of those."""
        self.tasks_by_type = _ByName(self._ordered)
        self.tasks_by_worker = _ByName(self._ordered)
        self._take_up(self.tasks_by_type, tasks_by_type)
        self._take_up(self.tasks_by_worker, tasks_by_worker)
        for task in self.tasks.values():
            task.cluster_state = self
            self._tie(task)

    def _take_up(self, sets: _ByName, ids: Mapping[str, Iterable[str]] | None) -> None:
        for name, members in (ids or {}).items():
            for id_ in members:
                if id_ in self.tasks.data:
                    sets[name].add(self.tasks.data[id_])

    # -- taking in ------------------------------------------------------------------------------------------------

    def event(self, event: dict[str, Any]) -> Any:
        """Take in an event; gives `((task or worker, is new), subject)`, and None for one that is of neither, or of nobody."""
        with self._mutex:
            self.event_count += 1
            if self.event_callback is not None:
                self.event_callback(self, event)
            type_ = event.get("type")
            group, _, subject = type_.partition("-") if isinstance(type_, str) else ("", "", "")
            if group in self.handlers:
                return self.handlers[group](subject, event), subject
            if group == "task":
                return self._task_event(subject, event)
            if group == "worker":
                return self._worker_event(subject, event)
            return None

    def task_event(self, type_: str, fields: dict[str, Any]) -> Any:
        """Take in an event of a task, by its subject; gives the task, and whether it is new."""
        found = self.event({**fields, "type": f"task-{type_}"})
        return found[0] if found else None

    def worker_event(self, type_: str, fields: dict[str, Any]) -> Any:
        """Take in an event of a worker, by its subject; gives the worker, and whether it is new."""
        found = self.event({**fields, "type": f"worker-{type_}"})
        return found[0] if found else None

    def _worker_event(self, subject: str, event: dict[str, Any]) -> Any:
        hostname, timestamp, received = event.get("hostname"), event.get("timestamp"), event.get("local_received")
        if not isinstance(hostname, str) or not isinstance(timestamp, (int, float)) or "local_received" not in event:
            return None
        worker = self.workers.data.get(hostname)
        created = worker is None and subject != "offline"  # whose goodbye is the first word is not taken in
        if worker is None:
            if subject == "offline":
                worker = self.Worker(hostname)
            else:
                worker, _ = self.get_or_create_worker(hostname)
        else:
            self.workers[hostname] = worker
        worker.event(subject, timestamp, received, {key: value for key, value in event.items() if key != "hostname"})
        if created and self.on_node_join is not None:
            self.on_node_join(worker)
        if subject == "offline" and self.on_node_leave is not None:
            self.on_node_leave(worker)
            self.workers.data.pop(hostname, None)
        return (worker, created), subject

    def _task_event(self, subject: str, event: dict[str, Any]) -> Any:
        uuid, hostname = event.get("uuid"), event.get("hostname")
        if not isinstance(uuid, str) or not isinstance(hostname, str):
            return None
        timestamp, received = event.get("timestamp"), event.get("local_received")
        task, created = self.get_or_create_task(uuid)
        if subject == "sent":
            task.client = hostname
        else:
            worker = self.workers.data.get(hostname)
            if worker is None:
                worker, _ = self.get_or_create_worker(hostname, pid=event.get("pid"))
            before = task.worker
            task.worker = worker
            if received:
                worker.event(None, received, received)
            if before is not worker:
                if before is not None and (before.hostname or "") in self.tasks_by_worker:
                    self.tasks_by_worker[before.hostname or ""].discard(task)
                self.tasks_by_worker[hostname].add(task)
        name, parent = task.name, task.parent_id
        task.event(subject, timestamp, received, event)
        if subject == "received":
            self.task_count += 1
        if task.name and task.name != name:
            self.tasks_by_type[task.name].add(task)
        if created or task.parent_id != parent:
            self._tie(task)
        return (task, created), subject

    def _tie(self, task: seen.Task) -> None:
        """Let it know its children, and its parent know it."""
        for child in self._orphans.data.pop(task.uuid or "", ()):
            task.children.add(child)
        if task.parent_id:
            parent = self.tasks.data.get(task.parent_id)
            if parent is not None:
                parent.children.add(task)
            elif task.parent_id in self._orphans.data:
                self._orphans.data[task.parent_id].add(task)
            else:
                self._orphans[task.parent_id] = WeakSet([task])

    def get_or_create_worker(self, hostname: str, **kwargs: Any) -> tuple[seen.Worker, bool]:
        """The worker of that name, and whether it is new; it takes over the values given."""
        with self._mutex:
            worker = self.workers.data.get(hostname)
            if worker is None:
                worker = self.workers[hostname] = self.Worker(hostname, **kwargs)
                return worker, True
            if kwargs:
                worker.update(kwargs)
            return worker, False

    def get_or_create_task(self, uuid: str) -> tuple[seen.Task, bool]:
        """The task of that id, and whether it is new."""
        with self._mutex:
            task = self.tasks.data.get(uuid)
            if task is None:
                task = self.tasks[uuid] = self.Task(uuid, cluster_state=self)
                return task, True
            self.tasks.data.move_to_end(uuid)
            return task, False

    # -- looking --------------------------------------------------------------------------------------------------

    def _ordered(
        self, tasks: Iterable[seen.Task], limit: int | None = None, *, reverse: bool = True
    ) -> Iterator[tuple[str, seen.Task]]:
        with self._mutex:
            known = [task for task in list(tasks) if self.tasks.data.get(task.uuid or "") is task]
        known.sort(key=_moment, reverse=reverse)
        return ((task.uuid or "", task) for task in known[:limit])

    def tasks_by_time(self, limit: int | None = None, reverse: bool = True) -> Iterator[tuple[str, seen.Task]]:
        """Ids and tasks, the last told of first."""
        return self._ordered(self.tasks.values(), limit, reverse=reverse)

    tasks_by_timestamp = tasks_by_time

    def itertasks(self, limit: int | None = None) -> Iterator[tuple[str, seen.Task]]:
        """Ids and tasks in any order."""
        return islice(iter(self.tasks.items()), limit)

    def task_types(self) -> list[str]:
        """The names of all tasks told of, in order."""
        return sorted(name for name, tasks in list(self.tasks_by_type.items()) if tasks)

    def alive_workers(self) -> Iterator[seen.Worker]:
        """The workers that were heard of lately."""
        return (worker for worker in self.workers.values() if worker.alive)

    def freeze_while(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `fun` gives, while nothing else is taken in; with `clear_after` tasks that have ended are forgotten then."""
        clear_after = kwargs.pop("clear_after", False)
        with self._mutex:
            try:
                return fun(*args, **kwargs)
            finally:
                if clear_after:
                    self.clear()

    # -- forgetting -----------------------------------------------------------------------------------------------

    def clear_tasks(self, ready: bool = True) -> None:
        """Forget the tasks that have ended; with `ready=False` all."""
        with self._mutex:
            keep = [item for item in self.tasks.items() if not item[1].ready] if ready else []
            self.tasks.clear()
            self.tasks.data.update(keep)

    def clear(self, ready: bool = True) -> None:
        """Forget all; with `ready` the tasks that have not ended are kept."""
        with self._mutex:
            self.workers.clear()
            self.clear_tasks(ready)
            self.event_count = self.task_count = 0

    def rebuild_taskheap(self, timetuple: Any = None) -> None:
        """Nothing is to be done: tasks are put in order when somebody asks for it."""

    def __repr__(self) -> str:
        return f"<State: events={self.event_count} tasks={self.task_count}>"

    def __reduce__(self) -> Any:
        return type(self), (
            *(self.event_callback, self.workers, self.tasks, None, self.max_workers_in_memory, self.max_tasks_in_memory),
            *(self.on_node_join, self.on_node_leave, self.tasks_by_type.ids(), self.tasks_by_worker.ids()),
        )


def _moment(task: seen.Task) -> tuple[int, float]:
    return task.clock or 0, task.timestamp or 0.0


def _recent(items: Any, limit: int) -> Recent[Any, Any]:
    return items if isinstance(items, Recent) else Recent(limit, (items or {}).items())
