"""What a worker or a beat shows when it starts: who it is, what it serves, and where."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from umbel import guise
from umbel.client.app import Umbel

if TYPE_CHECKING:  # a beat has a banner, too, and needs nothing of a worker
    from umbel.worker.worker import Worker

_FLOWER = (" ∘ ● ∘ ● ∘ ", "  ╲ ╲│╱ ╱  ", "   ╲ │ ╱   ", "    ╲│╱    ", "     │     ", "     │     ")
_ASCII = (" o O o O o ", "  \\ \\|/ /  ", "   \\ | /   ", "    \\|/    ", "     |     ", "     |     ")
_BOLD, _DIM, _GREEN, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[0m"
_NARROW = 64  # columns; on less the flower would leave no room for the facts
_LABEL = 10


def banner(worker: Worker, *, app_name: str, tasks: bool, width: int, color: bool = False, picture: str = "") -> str:
    """The whole banner of a worker. `picture` is the encoding that the flower is to be drawn in; empty for no flower."""
    lines = _drawn(worker.hostname, _facts(worker, app_name), width=width, color=color, picture=picture)
    if tasks:
        lines += ["", f"  {_paint('tasks', _DIM, color)}", *_columns(_names(worker), width)]
    return "\n".join([*lines, ""])


def beat_banner(
    app: Umbel,
    scheduler: str,
    *,
    app_name: str,
    width: int,
    color: bool = False,
    picture: str = "",
    answers_as: str | None = None,
) -> str:
    """That of a beat."""
    broker, store = app.broker.url, app.schedule_store.url
    number = len(app.conf.beat_schedule or {})
    facts = (
        ("app", f"{app_name or app.main or '-'}, names {number} {'entry' if number == 1 else 'entries'}"),
        ("broker", broker),
        ("schedule", "in the broker's store" if store == broker else store),
        ("sent by", scheduler),
        ("zone", str(app.timezone)),
        *((("answers as", answers_as),) if answers_as else ()),
    )
    return "\n".join([*_drawn("beat", facts, width=width, color=color, picture=picture), ""])


def _drawn(who: str, facts: Iterable[tuple[str, str]], *, width: int, color: bool, picture: str) -> list[str]:
    """The facts beside the flower."""
    flower = _flower(picture) if width >= _NARROW else ()
    indent = len(flower[0]) + 5 if flower else 2
    lines = [_title(who, color=color), ""]
    for label, value in facts:
        first, *more = _wrapped(value, width - indent - _LABEL)
        lines.append(f"{_paint(label.ljust(_LABEL), _DIM, color)}{first}")
        lines += [" " * _LABEL + each for each in more]
    return ["", *_beside(flower, lines, indent, color=color)]


def _title(who: str, *, color: bool) -> str:
    python = _paint(f"Python {platform.python_version()}", _DIM, color)
    worn = guise.worn()
    return f"{_paint(f'{worn.program} {worn.version}', _BOLD, color)}  {who}  {python}"


def _facts(worker: Worker, app_name: str) -> Iterator[tuple[str, str]]:
    """The lines of the banner, as label and value."""
    app = worker.app
    broker, backend = app.broker.url, app.result_store
    names = _names(worker)
    yield "app", f"{app_name or app.main or '-'}, {len(names)} task{'' if len(names) == 1 else 's'}"
    yield "broker", broker
    yield "results", "not kept" if backend is None else "in the broker's store" if backend.url == broker else backend.url
    many = worker.async_concurrency if worker.pool_name == "asyncio" else worker.concurrency
    yield "pool", f"{worker.pool_name}, {many} at once"
    yield "queues", ", ".join(worker.queues)


def _names(worker: Worker) -> list[str]:
    return sorted(name for name in worker.app.tasks if not name.startswith("celery."))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 12), break_on_hyphens=False) or [""]


def _beside(flower: Sequence[str], lines: Sequence[str], indent: int, *, color: bool) -> Iterator[str]:
    """The text with the flower to its left."""
    for number in range(max(len(flower), len(lines))):
        text = lines[number] if number < len(lines) else ""
        drawn = flower[number] if number < len(flower) else ""
        left = f"  {drawn}".ljust(indent)
        yield (_paint(left, _GREEN, color) + text).rstrip()


def _columns(names: Sequence[str], width: int) -> Iterator[str]:
    """The names, in as many columns as there is room for."""
    cell = max(map(len, names), default=0) + 3
    across = max(1, (width - 4) // cell)
    down = -(-len(names) // across)
    for row in range(down):
        yield ("    " + "".join(name.ljust(cell) for name in names[row::down])).rstrip()


def _flower(encoding: str) -> tuple[str, ...]:
    if not encoding:
        return ()
    try:
        "".join(_FLOWER).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _FLOWER


def _paint(text: str, paint: str, color: bool) -> str:
    return f"{paint}{text}{_PLAIN}" if color else text
