"""An app on a store of its own, and the smallest worker there can be: it reserves, runs and concludes in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from umbel import Umbel
from umbel.client import shared
from umbel.execution.outcome import Job, Outcome
from umbel.follow.executor import make_executor
from umbel.stores.broker import Conclusion
from umbel.wire.encoding import accept_types

_numbers = itertools.count()


@pytest.fixture
def make_app() -> Iterator[Callable[..., Umbel]]:
    """Makes apps, each on a memory store of its own unless told otherwise."""
    made: list[Umbel] = []

    def make(main: str | None = "proj", **settings: Any) -> Umbel:
        settings.setdefault("broker", f"memory://client-{next(_numbers)}")
        made.append(Umbel(main, **settings))
        return made[-1]

    yield make
    for app in made:
        app.close()


@pytest.fixture(autouse=True)
def no_shared_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared tasks of one test are not those of the next."""
    monkeypatch.setattr(shared, "_joining", [])


@pytest.fixture
def app(make_app: Callable[..., Umbel]) -> Umbel:
    return make_app()


@pytest.fixture
def work(app: Umbel) -> Callable[..., list[Outcome]]:
    """Runs all that is due in the app's queues; gives the outcomes."""

    def run(*queues: str, of: Umbel = app) -> list[Outcome]:
        accept = accept_types(of.conf.accept_content)
        executor = make_executor(of.tasks, hostname="worker@here", accept=accept, relay=of.relay)
        outcomes = []
        while held := of.broker.reserve(queues or of.queues(), 100, 0.0):
            for delivery in held:
                task = of.tasks.get(delivery.envelope.id)
                job = Job(len(outcomes), "", delivery.envelope, delivery.attempt, is_async=bool(task and task.is_async))
                outcomes.append(executor.run(job))
                backend = of.result_store
                kept = backend is not None and of.broker.keeps(backend)
                if backend is not None and not kept:
                    backend.store(outcomes[-1].results)
                results = outcomes[-1].results if kept else ()
                of.broker.conclude([Conclusion(delivery, results, outcomes[-1].envelopes)])
        return outcomes

    return run


@pytest.fixture
def sent(app: Umbel) -> Callable[[], list[Any]]:
    """Tells what was sent since it was last asked: envelopes, each with its message."""
    from umbel.wire import protocol

    envelopes: list[Any] = []
    send = app.broker.send
    app.broker.send = lambda batch, **options: (envelopes.extend(batch), send(batch, **options))  # type: ignore[method-assign]  # listens in

    def take() -> list[Any]:
        taken = [(envelope, protocol.decode(envelope, accept_types(["json", "pickle"]))) for envelope in envelopes]
        envelopes.clear()
        return taken

    return take
