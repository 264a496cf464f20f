"""`umbel logtool`: what the logs of workers tell of tasks, Celery's and umbel's alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import click

from umbel.cli.command import Command
from umbel.cli.scope import shared_options

_START = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d+: (?P<level>[A-Z]+)/[^\]]*\] (?P<text>.*)", re.DOTALL)
_TASK = re.compile(r"Task (?P<name>[^\s\[]+)\[(?P<id>[^\]]+)\] (?P<what>\w+)", re.DOTALL)
_ENDS = {"succeeded", "raised", "retry", "ignored", "rejected", "revoked"}


class Entry(NamedTuple):
    """One entry of a log, with the lines that belong to it."""

    level: str
    text: str
    whole: str


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries in the lines of a log; what stands before the first is left out."""
    level, text, whole = "", "", ""
    for line in lines:
        found = _START.match(line)
        if found:
            if level:
                yield Entry(level, text, whole)
            level, text, whole = found["level"], found["text"], line
        elif level:
            text, whole = text + line, whole + line
    if level:
        yield Entry(level, text, whole)


@click.group(
    "logtool", params=shared_options(again=True), short_help="Read the logs of workers: counts, errors, what has not ended."
)
def logtool() -> None:
    """Read what workers have logged with -l INFO."""


def _tool(name: str) -> Callable[[Callable[[Iterator[Entry]], None]], click.Command]:
    def make(read: Callable[[Iterator[Entry]], None]) -> click.Command:
        def run(files: tuple[str, ...]) -> None:
            read(_all(files))

        files = click.Argument(["files"], nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="FILE...")
        made = Command(name, callback=run, params=[files], help=read.__doc__)
        logtool.add_command(made)
        return made

    return make


def _all(files: tuple[str, ...]) -> Iterator[Entry]:
    for name in files:
        with click.open_file(name, encoding="utf-8", errors="replace") as file:
            yield from entries(file)


@_tool("stats")
def stats(found: Iterator[Entry]) -> None:
    """Count what has become of tasks, and the tasks by their names."""
    names: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for entry in found:
        if task := _TASK.match(entry.text):
            names.update([task["name"]] if task["what"] == "received" else [])
            ends[task["what"]] += 1
    completed = sum(ends[end] for end in _ENDS - {"retry"})
    click.echo("\nReport\n======")
    click.echo(f"Task total: {ends['received']}")
    click.echo(f"Task errors: {ends['raised']}")
    click.echo(f"Task success: {ends['succeeded']}")
    click.echo(f"Task completed: {completed}")
    click.echo("\nTasks\n=====")
    for name, number in names.most_common():
        click.echo(f"{name}: {number}")


@_tool("traces")
def traces(found: Iterator[Entry]) -> None:
    """Show the entries with a traceback."""
    for entry in found:
        if "Traceback (most recent call last)" in entry.text:
            click.echo(entry.whole, nl=False)


@_tool("errors")
def errors(found: Iterator[Entry]) -> None:
    """Show the first line of each error."""
    for entry in found:
        if entry.level in ("ERROR", "CRITICAL"):
            click.echo(entry.whole.split("\n")[0])


@_tool("incomplete")
def incomplete(found: Iterator[Entry]) -> None:
    """Show the ids of tasks that were received, and of whose end nothing is told."""
    open_: dict[str, None] = {}
    for entry in found:
        task = _TASK.match(entry.text)
        if task and task["what"] == "received":
            open_[task["id"]] = None
        elif task and task["what"] in _ENDS and task["what"] != "retry":
            open_.pop(task["id"], None)
    for id in open_:
        click.echo(f"Did not complete: {id}")


@_tool("debug")
def debug(found: Iterator[Entry]) -> None:
    """Show what is told for those who look for a fault in the worker."""
    for entry in found:
        if entry.level == "DEBUG":
            click.echo(entry.whole, nl=False)
