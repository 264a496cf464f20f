"""`umbel recover`: give back at once what dead workers held, where no worker is left to do it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from umbel import states
from umbel.cli.command import command
from umbel.cli.scope import Scope, broker_of
from umbel.cli.screen import count
from umbel.client.app import Umbel
from umbel.errors import WireError, WorkerLostError
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.wire import protocol, result
from umbel.wire.encoding import accept_types
from umbel.wire.result import Result


@command("recover")
@click.pass_obj
def recover(scope: Scope) -> None:
    """Give back what dead workers held.

    A worker counts as dead when its lease has run out (setting broker_lease). Other workers do this by themselves.
    Tasks that must not run again (begun with early ack, or handed out too often) end as FAILURE; the latter are kept as dead.
    """
    app = scope.app()
    with broker_of(scope) as broker:
        found = broker.recover()
        buried = _conclude(app, broker, found.stranded)
    if not scope.quiet:
        lost = len(found.stranded)
        click.echo(
            f"gave back {count(found.returned, 'task')}; told {count(lost, 'task')} as lost, {buried} of them are dead now"
        )


def _conclude(app: Umbel, broker: Broker, stranded: Sequence[Delivery]) -> int:
    """Tell and settle these; gives how many of them were buried."""
    conclusions = [_conclusion(app, delivery) for delivery in stranded]
    backend = app.backend
    if backend is None or not broker.keeps(backend):
        if backend is not None:
            backend.store([each for conclusion in conclusions for each in conclusion.results])
        for conclusion in conclusions:
            conclusion.results = ()
    broker.conclude(conclusions)
    return sum(conclusion.buried is not None for conclusion in conclusions)


def _conclusion(app: Umbel, delivery: Delivery) -> Conclusion:
    error = WorkerLostError("the worker that ran it died")
    limit = app.conf.task_max_deliveries
    buried = None if delivery.begun else f"never finished, though handed out {limit} times (task_max_deliveries)"
    try:
        headers = protocol.headers(delivery.envelope, accept_types(app.conf.accept_content))
    except WireError as problem:
        return Conclusion(delivery, buried=f"{error}; it cannot be read: {problem}")
    results: list[Result] = []
    if not headers.ignore_result:
        serializer, parent, group = app.conf.result_serializer, headers.parent_id, headers.group
        document = result.encode(headers.id, states.FAILURE, error, serializer=serializer, parent_id=parent, group_id=group)
        results.append(document)
    return Conclusion(delivery, results, buried=buried)
