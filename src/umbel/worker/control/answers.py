"""All commands that every worker knows, and what their answers have in common."""

from __future__ import annotations

from importlib import import_module

from umbel.worker.control import panel

FAMILIES = ("seeing", "figures", "telling", "revoking", "limiting", "serving", "sizing", "stopping", "watching", "neighbours")


class Silence(Exception):
    """Raised by a command that gives no answer at all."""


def load() -> None:
    """Register them, which takes no worker; those of a program's own, which are there before or come later, win."""
    own = dict(panel.commands)
    for family in FAMILIES:
        import_module(f"umbel.worker.control.{family}")
    panel.commands.update(own)


def find(name: str) -> panel.Command | None:
    """The command of that name; None if there is none. They are loaded when the first is asked for: many workers never are."""
    if name not in panel.commands:
        load()
    return panel.commands.get(name)
