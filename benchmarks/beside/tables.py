"""What was found, as tables for the terminal and for Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rows import FACE, FACE_TARGETS, ROWS, TARGETS, UMBEL, Figure, Row, Target

Results = dict[str, dict[str, list[float]]]
"""Figure → system → what each round gave."""
NONE = "–"
TITLES = {
    "umbel": "umbel Redis",
    "umbel-sqlite": "umbel SQLite",
    "face": "umbel as celery",
    "celery": "Celery",
    "dramatiq": "Dramatiq",
    "huey": "Huey",
    "taskiq": "Taskiq",
    "rq": "RQ",
}


@dataclass
class Grid:
    """A table of texts; the first column names what the others tell of."""

    title: str
    heads: Sequence[str]
    lines: list[Sequence[str]]

    def on(self, console: Console) -> None:
        """Show it in the terminal."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
        for number, head in enumerate(self.heads):
            table.add_column(head.replace(" ", "\n"), justify="right" if number else "left", vertical="bottom")
        for line in self.lines:
            table.add_row(*line)
        console.print(table)

    def markdown(self) -> str:
        """The same for a document."""
        rule = ["---", *["---:"] * (len(self.heads) - 1)]
        lines = [f"| {' | '.join(line)} |" for line in (self.heads, rule, *self.lines)]
        return "\n".join([f"**{self.title}**", "", *lines, ""])


def show(value: float) -> str:
    """A number in as few digits as tell anything."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def medians(results: Results, names: Sequence[str], rounds: int) -> Grid:
    """What each system reaches."""

    def median(found: dict[str, list[float]], name: str) -> str:
        return show(statistics.median(found[name])) if name in found else NONE

    lines = [[figure, *(median(found, name) for name in names)] for figure, found in results.items()]
    return Grid(f"Medians of {rounds} round{'s' * (rounds > 1)}", ["", *(TITLES[name] for name in names)], lines)


def spreads(results: Results, names: Sequence[str]) -> Grid:
    """How far the rounds lie from their median."""

    def spread(found: dict[str, list[float]], name: str) -> str:
        if name not in found or len(found[name]) == 1:
            return NONE
        middle = statistics.median(found[name])
        low, high = (round(abs(end - middle) / middle * 100) for end in (min(found[name]), max(found[name])))
        return f"-{low} +{high}"

    several = {figure: found for figure, found in results.items() if any(len(values) > 1 for values in found.values())}
    lines = [[figure, *(spread(found, name) for name in names)] for figure, found in several.items()]
    return Grid("Lowest and highest round, % from the median", ["", *(TITLES[name] for name in names)], lines)


@dataclass
class Verdict:
    """How near one umbel came to one target."""

    figure: str
    target: str
    system: str
    reached: float
    is_met: bool


def _judge(target: Target, results: Results, system: str) -> Verdict | None:
    """None if something that it needs was not measured."""
    figure: Figure = ROWS[target.row].figures[target.key]
    found = {name: statistics.median(values) for name, values in results.get(figure.title, {}).items()}
    peers = [name for name in target.peers if name in found]
    if system not in found or (target.peers and not peers):
        return None
    best = max if figure.more_is_better else min
    reached = found[system] / best(found[name] for name in peers) if peers else found[system]
    is_met = reached >= target.factor if figure.more_is_better else reached <= target.factor
    sign = "≥" if figure.more_is_better else "≤"
    whom = f"× {_together(peers)}" if peers else ""
    return Verdict(figure.title, f"{sign} {target.factor:g}{whom}", system, reached, is_met)


def _together(peers: Sequence[str]) -> str:
    if len(peers) == 1:
        return TITLES[peers[0]]
    return "the best peer" if "celery" in peers else "the best peer but Celery"


def verdicts(results: Results) -> list[Verdict]:
    """All that can be told."""
    asked = [(target, system) for target in TARGETS for system in UMBEL] + [(target, FACE) for target in FACE_TARGETS]
    found = (_judge(target, results, system) for target, system in asked)
    return [verdict for verdict in found if verdict]


def targets(found: Iterable[Verdict]) -> Grid:
    """The same as a table, a line for each target."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for verdict in found:
        told = f"{show(verdict.reached)} {'PASS' if verdict.is_met else 'short'}"
        lines.setdefault((verdict.figure, verdict.target), {})[verdict.system] = told
    ours = (*UMBEL, FACE)
    heads = ["", "target", *(TITLES[name] for name in ours)]
    return Grid("Targets", heads, [[*key, *(told.get(name, NONE) for name in ours)] for key, told in lines.items()])


def counts(rows: dict[str, Row], names: Sequence[str], scale: float) -> str:
    """How many calls were measured, where systems differ in it."""
    parts = []
    for name, row in rows.items():
        if row.counts:
            calls = {system: f"{row.calls(system, scale):,}" for system in names if system in row.systems}
            parts.append(f"{name}: " + ", ".join(f"{TITLES[system]} {count}" for system, count in calls.items()))
    return "\n".join(["Calls, more of them where they take less time:", *parts]) if parts else ""
