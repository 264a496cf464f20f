"""`umbel recover`: give back at once what dead workers held, where no worker is left to do it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from umbel.cli.command import command
from umbel.cli.scope import Scope, broker_of
from umbel.cli.screen import count
from umbel.client.app import Umbel
from umbel.errors import WireError
from umbel.execution.execute import Executor
from umbel.execution.outcome import Job, Kind
from umbel.follow.executor import make_executor
from umbel.follow.join import Joiner
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.wire import protocol
from umbel.wire.encoding import accept_types
from umbel.wire.node import node_name


@command("recover")
@click.pass_obj
def recover(scope: Scope) -> None:
    """Give back what dead workers held.

    A worker counts as dead when its lease has run out (setting broker_lease). Other workers do this by themselves.
    Tasks that must not run again (begun with early ack, or handed out too often) end as FAILURE; the latter are kept as dead.
    """
    app = scope.app
    with broker_of(scope) as broker:
        found = broker.recover()
        revoked = [delivery for delivery in found.stranded if delivery.revoked]
        broker.release(revoked)  # whoever gets it tells that it was revoked
        stranded = [delivery for delivery in found.stranded if not delivery.revoked]
        buried = _conclude(app, broker, stranded)
    if not scope.quiet:
        returned, lost = count(found.returned + len(revoked), "task"), count(len(stranded), "task")
        click.echo(f"gave back {returned}; told {lost} as lost, {buried} of them are dead now")


def _conclude(app: Umbel, broker: Broker, stranded: Sequence[Delivery]) -> int:
    """Tell and settle these; gives how many of them were buried."""
    executor = _executor(app)
    conclusions = [_conclusion(executor, delivery, app.conf.task_max_deliveries) for delivery in stranded]
    backend = app.result_store
    if backend is None or not broker.keeps(backend):
        if backend is not None:
            backend.store([each for conclusion in conclusions for each in conclusion.results])
        for conclusion in conclusions:
            conclusion.results = ()
    broker.conclude(conclusions)
    return sum(conclusion.buried is not None for conclusion in conclusions)


def _executor(app: Umbel) -> Executor[Joiner]:
    """One that tells of lost tasks as a worker does: with their hooks, their errbacks, and the rest of their chains."""
    conf = app.conf
    return make_executor(
        app.tasks,
        relay=app.relay,
        hostname=node_name(None),
        accept=accept_types(conf.accept_content),
        result_serializer=conf.result_serializer,
        result_extended=conf.result_extended,
    )


def _conclusion(executor: Executor[Joiner], delivery: Delivery, limit: int) -> Conclusion:
    buried = None if delivery.begun else f"never finished, though handed out {limit} times (task_max_deliveries)"
    try:
        name = protocol.headers(delivery.envelope, executor.accept).task
    except WireError as problem:
        return Conclusion(delivery, buried=f"its worker died; it cannot be read: {problem}")
    outcome = executor.conclude_lost(Job(0, name, delivery.envelope), Kind.LOST, "its worker died")
    return Conclusion(delivery, outcome.results, outcome.envelopes, buried)
