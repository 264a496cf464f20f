"""What workers have answered, drawn for people."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from umbel.cli.asking import is_wrong
from umbel.cli.screen import age, plain, table

Row = Sequence[str]


def show(command: str, found: Mapping[str, Any], *, color: bool | None = None) -> None:
    """Draw the answers to a command: as one table where they are alike, the others one after the other."""
    draw = _TABLES.get(command)
    fine = {name: answer for name, answer in found.items() if not is_wrong(answer)}
    odd = dict(fine)
    if draw is not None:
        columns: Row = ()
        rows: list[Row] = []
        for name, answer in fine.items():
            if not isinstance(answer, list | dict):
                continue
            try:
                columns, more = draw({name: answer})
            except (TypeError, ValueError, AttributeError, LookupError):  # another program answers it in its own way
                continue
            rows += more
            del odd[name]
        if rows:
            table(columns, rows, color=color)
        elif len(odd) < len(fine):
            click.echo(f"nothing ({', '.join(plain(name) for name in fine if name not in odd)})")
    for name, answer in odd.items():
        _one(plain(name), answer)
    for name, answer in found.items():
        if is_wrong(answer):
            click.echo(f"{plain(name)}: {plain(str(answer['error']))}", err=True)


def _one(name: str, answer: Any) -> None:
    if isinstance(answer, dict) and answer.keys() == {"ok"}:
        answer = answer["ok"]
    if isinstance(answer, str) and "\n" in answer:
        click.secho(name, bold=True)
        click.echo("\n".join(f"  {plain(line)}" for line in answer.split("\n")))
    elif isinstance(answer, dict | list):
        click.secho(name, bold=True)
        text = json.dumps(answer, indent=2, ensure_ascii=False, default=str)
        click.echo("\n".join(f"  {plain(line)}" for line in text.split("\n")))
    else:
        click.echo(f"{name}: {'done' if answer is None else plain(str(answer))}")


def _tasks(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
    now = time.time()
    rows = []
    for node, tasks in found.items():
        for task in tasks:
            since = task.get("time_start")
            ran = "-" if since is None else age(now - since)
            rows.append((node, _name(task), str(task.get("id")), _call(task), ran, str(task.get("worker_pid") or "-")))
    return ("worker", "task", "id", "arguments", "for", "pid"), rows


def _name(task: Mapping[str, Any]) -> str:
    return str(task.get("name") or task.get("type"))


def _call(task: Mapping[str, Any]) -> str:
    args, kwargs = task.get("args"), task.get("kwargs")
    if isinstance(args, list) and isinstance(kwargs, dict):
        text = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])
    else:
        text = f"{args} {kwargs}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _scheduled(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
    rows = [
        (node, _name(each["request"]), str(each["request"].get("id")), _call(each["request"]), _moment(each.get("eta")))
        for node, tasks in found.items()
        for each in tasks
    ]
    return ("worker", "task", "id", "arguments", "when"), rows


def _moment(text: Any) -> str:
    try:
        return datetime.datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError):
        return str(text)


def _lines(column: str) -> Callable[[Mapping[str, Any]], tuple[Row, Sequence[Row]]]:
    def draw(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
        return ("worker", column), [(node, str(each)) for node, several in found.items() for each in several]

    return draw


def _queues(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
    rows = [
        (node, str(queue["name"]), str((queue.get("exchange") or {}).get("name") or ""), str(queue.get("routing_key") or ""))
        for node, queues in found.items()
        for queue in queues
    ]
    return ("worker", "queue", "exchange", "routing key"), rows


def _figures(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
    rows = []
    for node, stats in found.items():
        pool = stats.get("pool") or {}
        total = sum((stats.get("total") or {}).values())
        up = age(stats.get("uptime"))
        rows.append((node, str(stats.get("pid")), up, str(pool.get("max-concurrency", "-")), f"{total:,}"))
    return ("worker", "pid", "up", "at once", "tasks run"), rows


def _where(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
    rows = [
        (node, id, str(state), _name(task), _call(task)) for node, tasks in found.items() for id, (state, task) in tasks.items()
    ]
    return ("worker", "id", "state", "task", "arguments"), rows


def _settings(found: Mapping[str, Any]) -> tuple[Row, Sequence[Row]]:
    rows = [(node, name, json.dumps(value, default=str)) for node, conf in found.items() for name, value in conf.items()]
    return ("worker", "setting", "value"), rows


_TABLES: dict[str, Callable[[Mapping[str, Any]], tuple[Row, Sequence[Row]]]] = {
    "active": _tasks,
    "reserved": _tasks,
    "scheduled": _scheduled,
    "registered": _lines("task"),
    "revoked": _lines("id"),
    "active_queues": _queues,
    "stats": _figures,
    "query_task": _where,
    "conf": _settings,
}
