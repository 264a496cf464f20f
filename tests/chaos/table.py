"""What was done and what became of it, a line for each kind of fault."""

from __future__ import annotations

import bisect
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.oracle import Verdicts

COLUMNS = ("unknown", "told", "explained", "lost", "silent", "duplicated")


@dataclass(slots=True)
class Sent:
    """One task, by its sender's word."""

    kind: str
    when: float
    is_accepted: bool = False


@dataclass(slots=True)
class Fault:
    """One thing that was done to the system."""

    kind: str
    when: float = field(default_factory=time.monotonic)
    resumed: list[float] = field(default_factory=list)
    """For each worker, how many seconds after the store was back it had begun new work."""


@dataclass(slots=True)
class Row:
    """All faults of one kind."""

    count: int = 0
    accepted: int = 0
    classes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    resumed: list[float] = field(default_factory=list)


class Table:
    """Adds up runs. A task counts for the fault before it was sent, the first ones for the first."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, Row] = defaultdict(Row)

    def add(self, faults: Sequence[Fault], sent: Mapping[str, Sent], verdicts: Verdicts) -> None:
        """Count one run."""
        times = [fault.when for fault in faults]
        for fault in faults:
            self._rows[fault.kind].count += 1
            self._rows[fault.kind].resumed += fault.resumed

        def row(id: str) -> Row:
            return self._rows[faults[max(bisect.bisect(times, sent[id].when) - 1, 0)].kind]

        for id, one in sent.items():
            row(id).accepted += one.is_accepted
        for name in COLUMNS:
            for id in getattr(verdicts, name):
                row(id).classes[name] += 1

    def __str__(self) -> str:
        names = ("fault", "count", "accepted", *COLUMNS, "resumed: median", "max")
        lines = [names, *(_line(kind, row) for kind, row in self._rows.items()), _line("all", self._sum())]
        widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )

    def _sum(self) -> Row:
        whole = Row()
        for row in self._rows.values():
            whole.count += row.count
            whole.accepted += row.accepted
            whole.resumed += row.resumed
            for name in COLUMNS:
                whole.classes[name] += row.classes[name]
        return whole


def _line(kind: str, row: Row) -> tuple[str, ...]:
    times = [f"{statistics.median(row.resumed):.2f} s", f"{max(row.resumed):.2f} s"] if row.resumed else ["-", "-"]
    return (kind, *map(str, (row.count, row.accepted, *(row.classes[name] for name in COLUMNS))), *times)
