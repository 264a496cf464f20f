"""`umbel graph`: the parts of a worker, or the workers that there are, as a drawing for Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from umbel import shown
from umbel.cli.asking import ask, merged, with_timeout
from umbel.cli.command import Command
from umbel.cli.failure import USAGE, Failure
from umbel.cli.scope import Scope, shared_options

PARTS = (
    ("store", "fetch"),
    ("fetch", "judge"),
    ("judge", "pool"),
    ("judge", "later"),
    ("later", "pool"),
    ("pool", "reap"),
    ("reap", "settle"),
    ("settle", "store"),
    ("lease", "store"),
    ("revoked", "pool"),
    ("control", "worker"),
    ("herald", "channel"),
    ("channel", "control"),
    *(("worker", part) for part in ("fetch", "lease", "revoked", "herald", "pool")),
)
"""The services of a worker, and what goes from one to another."""


@click.group("graph", params=shared_options(again=True), short_help="Draw the parts of a worker, or the workers, for Graphviz.")
def graph() -> None:
    """Draw in the language of Graphviz: pipe it into `dot -Tpng -o workers.png`."""


@graph.command("bootsteps", cls=Command)
def bootsteps() -> None:
    """Draw the services that a worker consists of, and what goes from one to another."""
    click.echo(drawn({name: "box" for edge in PARTS for name in edge}, PARTS), nl=False)


@graph.command("workers", cls=Command, context_settings={"allow_extra_args": True})
@with_timeout
@click.pass_context
def workers(context: click.Context, /, timeout: float) -> None:
    """Draw the workers that answer, with their processes, their broker and where results are.

    What is written as nodes:a,b threads:4 is drawn without asking anybody.
    """
    scope: Scope = context.obj
    given = dict(word.partition(":")[::2] for word in context.args)
    if "nodes" in given:
        written = given.get("threads") or "0"
        if not written.isdecimal():
            raise Failure(f"threads:{written} is no number: write nodes:a,b threads:4", USAGE)
        threads = int(written)
        found = {name: [str(number) for number in range(threads)] for name in given["nodes"].split(",")}
    else:
        answers = merged(ask(scope, "stats", {}, timeout=timeout))
        found = {name: [str(pid) for pid in _processes(stats)] for name, stats in answers.items()}
    app = scope.app_to_ask
    broker, results = shown.url(app.broker_url), shown.url(app.result_url) if app.result_url else None
    shapes = {broker: "cylinder", **({results: "folder"} if results else {})}
    edges: list[tuple[str, str]] = []
    for name, processes in found.items():
        shapes[name] = "box"
        edges.append((name, broker))
        if results and results != broker:
            edges.append((name, results))
        for process in processes:
            shapes[f"{name} {process}"] = "oval"
            edges.append((f"{name} {process}", name))
    click.echo(drawn(shapes, edges), nl=False)


def _processes(stats: Any) -> list[Any]:
    pool = stats.get("pool") if isinstance(stats, dict) else None
    processes = pool.get("processes") if isinstance(pool, dict) else None
    return processes if isinstance(processes, list) else []


def drawn(shapes: Mapping[str, str], edges: Iterable[tuple[str, str]]) -> str:
    """A graph of these nodes, each of its shape, and of these arrows."""
    lines = [f"    {_quoted(name)} [shape={shape}]" for name, shape in shapes.items()]
    lines += [f"    {_quoted(start)} -> {_quoted(end)}" for start, end in edges]
    return "\n".join(["digraph {", *lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
