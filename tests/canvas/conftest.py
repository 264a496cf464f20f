"""A worker in a thread on each kind of store, and tasks for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.servers.redis import running
from tests.story import STAYS_OPEN

from umbel import Ignore, Reject, Umbel
from umbel.testing.waiting import patience
from umbel.worker.worker import Worker


class Stand:
    """An app, with tasks as attributes, and what they have noted."""

    def __init__(self, name: str, **settings: Any):
        self.app = app = Umbel(f"stand_{name}", set_as_current=False, **settings)
        self.calls: Counter[str] = Counter()
        self.heard: list[Any] = []

        @app.task
        def add(x: int, y: int = 0) -> int:
            return x + y

        @app.task
        def total(values: list[int]) -> int:
            return sum(values)

        @app.task
        def same(value: Any) -> Any:
            return value

        @app.task
        def fail(*args: Any) -> None:
            raise ValueError("no")

        @app.task(bind=True, default_retry_delay=0)
        def second_time(self: Any, value: Any) -> Any:
            if self.request.retries == 0:
                raise self.retry()
            return value

        @app.task
        def ignore(*args: Any) -> None:
            raise Ignore

        @app.task
        def reject(*args: Any) -> None:
            raise Reject("unwanted", requeue=False)

        @app.task(bind=True)
        def twice(self: Any, value: int) -> Any:
            return self.replace(add.s(value, value))

        @app.task(bind=True)
        def spread(self: Any, value: int) -> Any:
            return self.replace(self.app.signature(add.s(value, 1)) + add.s(value, 2))

        @app.task(bind=True)
        def more(self: Any, value: int) -> int:
            self.add_to_chord(add.s(value, 100))
            self.add_to_chord(add.s(value, 200))
            return value

        @app.task
        def hear(id_: str) -> None:
            self.heard.append((id_, None))

        @app.task
        def hear_all(request: Any, error: Any, traceback: Any) -> None:
            self.heard.append((request.id, error))

        @app.task(bind=True)
        def seen(self: Any, *args: Any) -> Any:
            return [self.request.root_id, self.request.parent_id, self.request.group]

        self.add, self.total, self.same, self.fail, self.second_time = add, total, same, fail, second_time
        self.ignore, self.reject, self.twice, self.spread, self.more = ignore, reject, twice, spread, more
        self.hear, self.hear_all, self.seen = hear, hear_all, seen

    def __enter__(self) -> Stand:
        self.ready = threading.Event()
        self.worker = Worker(self.app, hostname="w@stand", pool="threads", concurrency=4, ready=lambda _: self.ready.set())
        self.thread = threading.Thread(target=self.worker.run)
        self.thread.start()
        assert self.ready.wait(patience())
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        self.thread.join(patience())
        self.app.close()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Here stores stay open from test to test; the stand closes them."""
    item.stash[STAYS_OPEN] = True


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield f"redis://127.0.0.1:{server.port}"


@pytest.fixture(scope="module", params=["memory", "sqlite", "redis", "redis, results in sqlite"])
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A worker on each store; the last keeps messages and results in two that know nothing of each other."""
    name = request.param
    folder = tmp_path_factory.mktemp("store")
    url = {"memory": "memory://canvas", "sqlite": f"sqlite:///{folder}/canvas.db"}.get(name)
    if url is None:
        url = request.getfixturevalue("redis") + "/0"
    backend = {"redis": url.replace("/0", "/1"), "redis, results in sqlite": f"sqlite:///{folder}/results.db"}.get(name, url)
    with Stand("here", broker=url, backend=backend, task_default_queue=f"q{folder.name}") as stand:
        yield stand


@pytest.fixture
def eager() -> Stand:
    """The same tasks, run where they are called."""
    return Stand("eager", broker="memory://eager", backend="memory://eager", task_always_eager=True)
