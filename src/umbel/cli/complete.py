"""What a shell is offered while somebody types: names of tasks and queues of the app, levels of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from umbel import log
from umbel.cli.scope import Scope

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _item(text: str, kind: str = "plain") -> CompletionItem:
    from click.shell_completion import CompletionItem  # only for who types

    return CompletionItem(text, type=kind)


def _of_app(names: Callable[[Scope], Iterable[str]]) -> Complete:
    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        head, comma, last = begun.rpartition(",")
        scope = context.ensure_object(Scope)
        try:
            found = sorted(names(scope))
        except Exception:  # an app that cannot be imported: who completes is told of nothing
            return []
        finally:
            scope.close()
        return [_item(f"{head}{comma}{name}") for name in found if name.startswith(last)]

    return complete


tasks = _of_app(lambda scope: scope.app.tasks)
"""Names of the app's tasks."""
queues = _of_app(lambda scope: {*scope.app.queues(), *(name for name in scope.app.broker.queues() if not scope.app.hides(name))})
"""Names of queues, those that the settings name and those that hold anything; several with commas between."""


def levels(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of levels of the log."""
    return [_item(name) for name in log.LEVELS if name.startswith(begun.upper())]


def files(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Files: the shell knows them."""
    return [_item(begun, "file")]


def folders(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Folders: the shell knows them."""
    return [_item(begun, "dir")]
