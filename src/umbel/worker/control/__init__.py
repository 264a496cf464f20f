"""Remote control of a worker: what it is asked and told while it runs, and commands of your own."""

from __future__ import annotations

from umbel.worker.control.panel import Command, control_command, inspect_command

__all__ = ["Command", "control_command", "inspect_command"]
