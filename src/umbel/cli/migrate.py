"""`umbel migrate`: bring what waits at one broker to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

from umbel.cli.command import command, names, option
from umbel.cli.failure import Failure
from umbel.cli.scope import Scope
from umbel.cli.screen import count
from umbel.stores.broker import Broker, Conclusion, Delivery
from umbel.stores.url import open_broker
from umbel.wire.brief import told

AT_ONCE = 200
LEASE = 300.0
"""Seconds for which what is on its way is held; should this program die, it comes back to the old broker then."""


class Moved(NamedTuple):
    """One message that has been brought over."""

    number: int
    total: int
    task: str
    id: str


@command("migrate")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@option("-Q", "--queues", type=names, metavar="NAMES", help="Only these queues, with commas between.")
@option("-T", "--tasks", type=names, metavar="NAMES", help="Only tasks of these names.")
@option("-n", "--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@option("--keep", is_flag=True, help="Leave them at the old broker as well: then they will run twice.")
@click.pass_obj
def migrate(
    scope: Scope,
    /,
    source: str,
    target: str,
    queues: Sequence[str] | None,
    tasks: Sequence[str] | None,
    limit: int | None,
    keep: bool,
) -> None:
    """Bring the tasks that wait at the broker FROM to the broker TO, the oldest of each queue first.

    Each is accepted there before it is let go here, so none is lost; should this be interrupted, some may be at both. What
    workers hold stays, as does what waits for its time: it comes when it is due, and can be brought over then.

    \b
    umbel migrate sqlite:////srv/app/umbel.db redis://localhost/0
    """
    old, new = open_broker(source, lease=LEASE), open_broker(target)
    try:
        moved = later = 0
        for each in bring_over(old, new, queues=queues, tasks=tasks, limit=limit, keep=keep):
            moved = each.number
        later = sum(depth.later for depth in old.depth(queues or old.queues()).values())
    finally:
        for broker in (old, new):
            broker.close()
    if not scope.quiet:
        click.echo(f"brought {count(moved, 'task')} from {old.url} to {new.url}")
        if later:
            click.echo(f"{count(later, 'task')} there wait for their time, and stay until then")


def bring_over(
    old: Broker,
    new: Broker,
    *,
    queues: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    limit: int | None = None,
    keep: bool = False,
) -> Iterator[Moved]:
    """Move messages, and tell of each; those of other tasks, and with `keep` all, go back to where they were at the end."""
    if old.url == new.url:
        raise Failure(f"both are {old.url}: there is nothing to move")
    there = list(queues or old.queues())
    depths = old.depth(there) if there else {}
    total = min(sum(depth.ready for depth in depths.values()), limit or 1 << 62)
    done, back = 0, []
    try:
        while there and done < (limit or 1 << 62):
            taken = old.reserve(there, min(AT_ONCE, (limit or 1 << 62) - done), 0)
            if not taken:
                break
            chosen = [each for each in taken if tasks is None or _task(each) in tasks]
            back += [each for each in taken if keep or each not in chosen]
            new.send([each.envelope for each in chosen])
            if not keep:
                old.conclude([Conclusion(each) for each in chosen])
            for each in chosen:
                done += 1
                yield Moved(done, max(total, done), _task(each), each.envelope.id)
    finally:
        if back:
            old.release(back)


def _task(delivery: Delivery) -> str:
    import msgspec  # here, as most commands decode nothing

    try:
        return str(msgspec.json.decode(delivery.envelope.headers).get("task") or "?")
    except (msgspec.DecodeError, AttributeError, UnicodeError) as problem:
        return f"? ({told(problem)})"
