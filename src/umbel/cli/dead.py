"""`umbel dead`: tasks that were given up, each with the reason, to be looked at, sent again or dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import click

from umbel.cli.command import command, option
from umbel.cli.failure import USAGE, Failure
from umbel.cli.scope import Scope, broker_of, shared_options
from umbel.cli.screen import confirm, count, in_batches, moment, print_json, table
from umbel.errors import WireError
from umbel.stores.broker import Broker, Buried
from umbel.wire import protocol
from umbel.wire.brief import brief
from umbel.wire.encoding import accept_types

PAGE = 1000


@click.group("dead", invoke_without_command=True, params=shared_options(again=True))
@click.pass_context
def dead(context: click.Context) -> int | None:
    """See to tasks that were given up.

    A task comes here when it was handed out too often and never finished, was rejected, cannot be read, or is known to no worker.
    KEY is what `umbel dead list` shows first; a task's id serves, too.
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help())
    return USAGE


@command("list")
@option("-Q", "--queue", metavar="NAME", help="Only of this queue.")
@option("-n", "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many, the oldest first.")
@option("-j", "--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def list_(scope: Scope, /, queue: str | None, limit: int, as_json: bool) -> None:
    """List what was given up, the oldest first."""
    accept = accept_types(scope.app.conf.accept_content)
    with broker_of(scope) as broker:
        letters = islice(_all(broker, queue, min(limit, PAGE)), limit)
        if as_json:
            print_json([_as_dict(letter, accept) for letter in letters])
        elif rows := [_row(letter, accept) for letter in letters]:
            table(("key", "queue", "task", "id", "when", "attempts", "reason"), rows, color=scope.color)
        else:
            click.echo(f"no dead tasks {f'in queue {queue!r} ' if queue else ''}at {broker.url}")


@command("show")
@click.argument("key")
@click.pass_obj
def show(scope: Scope, /, key: str) -> None:
    """Show one in full: the reason, its headers and its arguments, as JSON."""
    accept = accept_types(scope.app.conf.accept_content)
    with broker_of(scope) as broker:
        found = [_as_dict(letter, accept) | _content(letter, accept) for letter in _find(broker, [key])]
        print_json(found[0] if len(found) == 1 else found)


@command("retry")
@click.argument("keys", nargs=-1)
@option("--all", "every", is_flag=True, help="All there are.")
@option("-Q", "--queue", metavar="NAME", help="With --all: only of this queue.")
@option("-f", "--force", is_flag=True, help="With --all: do not ask.")
@click.pass_obj
def retry(scope: Scope, /, keys: tuple[str, ...], every: bool, queue: str | None, force: bool) -> None:
    """Send dead tasks to their queues again, as if they were new."""
    with broker_of(scope) as broker:
        chosen = _chosen(broker, keys, every=every, queue=queue)
        if every and chosen and not force:
            confirm(f"Send {count(len(chosen), 'dead task')} again?")
        done = in_batches(chosen, "sending again", broker.revive)
    _say(scope, f"sent {count(done, 'task')} again")


@command("drop")
@click.argument("keys", nargs=-1)
@option("--all", "every", is_flag=True, help="All there are.")
@option("-Q", "--queue", metavar="NAME", help="With --all: only of this queue.")
@option("-f", "--force", is_flag=True, help="Do not ask.")
@click.pass_obj
def drop(scope: Scope, /, keys: tuple[str, ...], every: bool, queue: str | None, force: bool) -> None:
    """Delete dead tasks for good."""
    with broker_of(scope) as broker:
        chosen = _chosen(broker, keys, every=every, queue=queue)
        if chosen and not force:
            confirm(f"Delete {count(len(chosen), 'dead task')} for good?")
        done = in_batches(chosen, "deleting", broker.discard)
    _say(scope, f"deleted {count(done, 'task')}")


for each in (list_, show, retry, drop):
    dead.add_command(each)


def _say(scope: Scope, text: str) -> None:
    if not scope.quiet:
        click.echo(text)


def _chosen(broker: Broker, keys: Sequence[str], *, every: bool, queue: str | None) -> list[str]:
    if every == bool(keys):
        raise click.UsageError("say which: KEYs as `umbel dead list` shows them, or --all", click.get_current_context())
    if every:
        return [letter.key for letter in _all(broker, queue)]
    return [letter.key for letter in _find(broker, keys)]


def _all(broker: Broker, queue: str | None = None, step: int = PAGE) -> Iterator[Buried]:
    """Page by page, `step` letters or less at once."""
    page = broker.buried(queue, limit=step)
    while page:
        yield from page
        page = broker.buried(queue, limit=step, after=page[-1].key)


def _find(broker: Broker, wanted: Sequence[str]) -> list[Buried]:
    """Those with these keys or task ids; unless all are found, a failure before anything is done."""
    missing, found = set(wanted), []
    for letter in _all(broker):
        if hits := {letter.key, letter.envelope.id}.intersection(wanted):
            found.append(letter)
            missing -= hits
    if missing:
        names = ", ".join(sorted(missing))
        raise Failure(f"no dead task {names} at {broker.url}; `umbel dead list` shows those there are")
    return found


def _task_name(letter: Buried, accept: frozenset[str]) -> str:
    try:
        return protocol.headers(letter.envelope, accept).task
    except WireError:
        return "?"


def _row(letter: Buried, accept: frozenset[str]) -> tuple[str, ...]:
    name, when = _task_name(letter, accept), moment(letter.when)
    return letter.key, letter.queue, name, letter.envelope.id, when, str(letter.attempt), letter.reason


def _as_dict(letter: Buried, accept: frozenset[str]) -> dict[str, Any]:
    return {
        "key": letter.key,
        "queue": letter.queue,
        "task": _task_name(letter, accept),
        "id": letter.envelope.id,
        "when": moment(letter.when),
        "attempts": letter.attempt,
        "reason": letter.reason,
    }


def _content(letter: Buried, accept: frozenset[str]) -> dict[str, Any]:
    """Headers and arguments as far as they can be read."""
    envelope = letter.envelope
    content: dict[str, Any] = {"headers": _json_of(envelope.headers), "content_type": envelope.content_type}
    try:
        message = protocol.decode(envelope, accept)
    except WireError as problem:
        return content | {"unreadable": str(problem), "body": brief(envelope.body)}
    return content | {"args": [_plain(value) for value in message.args], "kwargs": _plain(message.kwargs)}


def _json_of(data: bytes) -> Any:
    """What JSON says, or the text if it is none."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    """The value as JSON has it; what JSON does not have as its repr."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        if isinstance(value, dict):
            return {str(key): _plain(each) for key, each in value.items()}
        return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else brief(value)
    return value
