"""Lets a canvas begin: sends it, or plays it here where tasks are to run eagerly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def begin(canvas: Any, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any:
    """Let it begin with arguments before those of what comes first; gives the result of its end."""
    if canvas.app.conf.task_always_eager:
        return play(canvas, args, kwargs, options, as_sent=True)
    from umbel.client.canvas.launch import launch  # all that writes messages is loaded with the first call

    return launch(canvas, args, kwargs, options)


def play(canvas: Any, args: Any, kwargs: Any, options: Mapping[str, Any], *, as_sent: bool = False) -> Any:
    """Run it here and now to its end."""
    from umbel.client.canvas import stage  # runs tasks, which programs that only send do not need

    return stage.play(canvas, args, kwargs, options, as_sent=as_sent)
