"""What commands draw: tables, progress and questions. rich is imported only here, and only when something is drawn."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from umbel import shown
from umbel.cli.failure import USAGE, Failure

count = shown.count
"""`1 task`, `2,000 tasks`."""

if TYPE_CHECKING:  # drawing costs 60 ms of import, which `umbel worker` must not pay
    from rich.table import Table


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: int = 0, color: bool | None = None) -> None:
    """Print a table; the last `right` columns are numbers. Plain columns where stdout is no terminal."""
    if not sys.stdout.isatty():
        click.echo("\n".join(_lines([columns, *rows], right)))
        return
    from rich.console import Console

    Console(no_color=color is False, highlight=False).print(drawn(columns, rows, right=right))


def _lines(rows: Sequence[Sequence[str]], right: int) -> Iterator[str]:
    """In columns, whole: where nobody looks nothing is cut."""
    from rich.cells import cell_len  # some letters are as wide as two; a table of rich's takes 4 s for 10,000 rows

    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - cell_len(cell))
            padded.append(room + cell if index >= len(row) - right else cell + room)
        yield "  ".join(padded).rstrip()


def drawn(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: int = 0) -> Table:
    """The table, to be printed or redrawn."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    result = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        is_number = index >= len(columns) - right
        whole = is_number or column in ("id", "key")  # to be copied
        result.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        result.add_row(*(Text(plain(cell)) for cell in row))  # names are shown as they are, whatever rich would read in them
    return result


def plain(text: str) -> str:
    """The text with what would move the cursor or change colours written out: `\\n`, `\\x1b`."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def print_json(value: Any) -> None:
    """Print a value for programs to read."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def confirm(question: str) -> None:
    """Ask; anything but yes ends the command. Where nobody can answer it must be said beforehand."""
    if not sys.stdin.isatty():
        raise Failure(f"{question} Nobody is here to answer: say --force", USAGE)
    click.confirm(question, abort=True)


def follow(result: Any, *, timeout: float | None, color: bool | None = None) -> None:
    """Draw on stderr how far a result is until it has ended; a line for each news where that is no terminal."""
    if not sys.stderr.isatty():
        said = ""

        def say() -> None:
            nonlocal said
            news = str(result.progress or getattr(result, "state", ""))
            if news != said:
                click.echo(plain(news), err=True)
                said = news

        _watch(result, timeout, say)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True, no_color=color is False)) as bar:
        line = bar.add_task("", total=None)

        def draw() -> None:
            told = result.progress
            words = plain((told and told.text) or getattr(result, "state", "") or "ended")
            if told is None:
                bar.update(line, description=words)
            else:
                bar.update(line, description=words, completed=int(told.done), total=told.total and int(told.total))

        _watch(result, timeout, draw)


def _watch(result: Any, timeout: float | None, show: Callable[[], None]) -> None:
    """Wait for the end; `show` first, then and now, and at last."""
    show()
    try:
        result.get(timeout=timeout, interval=0.2, on_interval=show, propagate=False, disable_sync_subtasks=False)
    finally:
        show()


def in_batches(keys: Sequence[str], what: str, act: Callable[[Sequence[str]], int], *, size: int = 500) -> int:
    """Do `act` to all keys, batch by batch, with a bar if it takes long and somebody looks; gives the sum."""
    if len(keys) <= size or not sys.stderr.isatty():
        return sum(act(batch) for batch in _batches(keys, size))
    from rich.console import Console
    from rich.progress import Progress

    done = 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(what, total=len(keys))
        for batch in _batches(keys, size):
            done += act(batch)
            progress.advance(bar, len(batch))
    return done


def _batches(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def age(seconds: float | None) -> str:
    """A duration as people say it: `3s`, `4m 10s`, `2h 5m`, `3d 4h`."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit} {rest}{part_unit}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"


def moment(seconds: float) -> str:
    """A time since the epoch, by the clock on the wall."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
