"""What the demo shows: one live picture in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crew import Program

KEPT = 12
"""Lines of the story that the live picture shows."""
EVERY = 3.0
"""Seconds between plain lines that tell how far it is."""

# rich's own template fetches a font from the web; this one takes what is there.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Screen:
    """Tells the story as it happens."""

    def __init__(self, title: str, console: Console) -> None:
        self.title = title
        self.console = console
        self.begin = time.monotonic()
        self.story: list[Text] = []
        self.kept: RenderableType | None = None
        self.place = ""
        """Where to look."""
        self._told_at = self.begin
        self._live: Live | None = Live(console=console, refresh_per_second=12, transient=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        else:
            self.console.print(self.title)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def pause(self) -> None:
        """Leave the picture as it is, for others to write below it."""
        if self._live:
            self._live.stop()
            self._live = None

    def say(self, line: str, style: str = "") -> None:
        """Add a line to the story."""
        text = Text.assemble((f"{time.monotonic() - self.begin:5.1f} s  ", "dim"), (line, style))
        self.story.append(text)
        if not self._live:
            self.console.print(text, soft_wrap=True)

    def show(self, bars: dict[str, tuple[int, int]], programs: Sequence[Program], *, keep: bool = False) -> None:
        """Draw the picture anew; `keep` remembers it for `record`."""
        parts = Group(progress(bars), "", crew(programs), "", self._last())
        picture = Panel(parts, title=self.title, subtitle=self.place or None, border_style="cyan", padding=(1, 2))
        if keep:
            self.kept = picture
        if self._live:
            self._live.update(picture)
        elif time.monotonic() - self._told_at > EVERY:
            self._told_at = time.monotonic()
            self.say(", ".join(f"{name}: {done} of {total}" for name, (done, total) in bars.items()))

    def _last(self) -> Group:
        lines = self.story[-KEPT:]
        return Group(*lines, *[Text("")] * (KEPT - len(lines)))

    def record(self, path: Path) -> None:
        """Write the remembered picture to an SVG file."""
        paper = Console(record=True, width=100, force_terminal=True, color_system="truecolor", file=path.open("w"))
        paper.print(self.kept or "")
        path.write_text(paper.export_svg(title="make demo", code_format=SVG, unique_id="demo"))


def progress(bars: dict[str, tuple[int, int]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, (done, total) in bars.items():
        bar = ProgressBar(total=max(total, 1), completed=done, width=44, complete_style="cyan", finished_style="green")
        grid.add_row(Text(name, "bold"), bar, Text(f"{done} of {total}", "green" if done == total else ""))
    return grid


def crew(programs: Sequence[Program]) -> Table:
    grid = Table.grid(padding=(0, 2), expand=True)
    for width in (1, 24, 8):
        grid.add_column(no_wrap=True, min_width=width, justify="right" if width == 8 else "left")
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for program in programs:
        sign, style = ("●", "green") if not program.fate else ("✖", "red") if program.was_killed else ("■", "dim")
        kinds = Counter(name.rpartition(".")[2] for name in program.held.values())
        busy = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
        is_worker = program.name.startswith("worker")
        grid.add_row(
            Text(sign, style),
            Text.assemble((program.name, "bold"), (f"  pid {program.process.pid}", "dim")),
            Text(f"{program.done} done" if is_worker else ""),
            Text(program.fate, style)
            if program.fate
            else Text(busy or ("waits for work" if is_worker else ""), "" if busy else "dim"),
        )
    return grid
