"""`manage.py umbel worker`, `beat`, `schedule` …: the program `umbel`, for the project's app."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from umbel.__main__ import main
from umbel.django import project

_OF_DJANGO = ("--settings", "--pythonpath")
"""Options of every command of manage.py, which has heeded them by now."""


class Command(BaseCommand):
    """Runs one command line of umbel, with the project's app in the place of `-A`."""

    help = "umbel, for this project: umbel worker, umbel beat, umbel schedule, umbel queues … (umbel --help tells all)."
    requires_system_checks: Sequence[str] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """All that stands behind `umbel` is umbel's to read."""
        words = _without_djangos(argv[2:])
        names = {"-A", "--app"}
        is_named = any(word in names or word.startswith("--app=") for word in words)
        sys.argv = ["umbel", *([] if is_named else ["-A", "umbel.django.project:app"]), *words]
        main()

    def add_arguments(self, parser: CommandParser) -> None:
        """Anything."""
        parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="worker, beat, schedule, queues …")

    def handle(self, *args: Any, words: Sequence[str] = (), **options: Any) -> None:
        """The same from a program: `call_command("umbel", "queues")`."""
        before = sys.argv
        try:
            self.run_from_argv(["manage.py", "umbel", *words])
        except SystemExit as done:
            if done.code:
                raise CommandError(f"umbel {' '.join(words)} has ended with {done.code}") from done
        finally:
            sys.argv = before
            project.app.set_default()  # the program has left it, as its own life would be over by now


def _without_djangos(words: list[str]) -> list[str]:
    left: list[str] = []
    skipping = False
    for word in words:
        if skipping:
            skipping = False
        elif word in _OF_DJANGO:
            skipping = True
        elif not word.startswith(tuple(f"{name}=" for name in _OF_DJANGO)):
            left.append(word)
    return left
