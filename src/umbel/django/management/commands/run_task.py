"""`manage.py run_task NAME`: send a task by hand, or run it here."""

from __future__ import annotations

import difflib
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from umbel.django import project
from umbel.errors import UmbelError


class Command(BaseCommand):
    """Sends one task and prints its id; with `--here` it runs in this process, and its result is printed."""

    help = "Send a task by its name, and print its id; with --here run it now, in this process, and print its result."

    def add_arguments(self, parser: CommandParser) -> None:
        """What may stand behind the command."""
        parser.add_argument("name", help="The task: its name, or the end of it (export_datasets), if there is one such.")
        parser.add_argument("--args", dest="positional", metavar="JSON", default="[]", help="Positional arguments: '[2, 3]'.")
        parser.add_argument("--kwargs", dest="named", metavar="JSON", default="{}", help="Named arguments: '{\"user_id\": 123}'.")
        parser.add_argument("--here", action="store_true", help="Run it in this process instead of sending it.")
        parser.add_argument("--queue", metavar="NAME", help="Send it to this queue.")

    def handle(self, *_: Any, name: str, positional: str, named: str, here: bool, queue: str | None, **options: Any) -> None:
        """Send or run it."""
        args, kwargs = _read("--args", positional, list), _read("--kwargs", named, dict)
        app = project.app
        app.import_task_modules()
        task = app.tasks[_full_name(name, sorted(app.tasks))]
        try:
            if not here:
                where = {"queue": queue} if queue else {}
                self.stdout.write(task.apply_async(args, kwargs, **where).id)
                return
            result = task.apply(args=args, kwargs=kwargs)
        except (TypeError, UmbelError) as problem:
            raise CommandError(str(problem)) from problem
        if result.failed():
            raise CommandError(f"{task.name} has failed\n{result.traceback}")
        self.stdout.write(json.dumps(result.result, default=repr, ensure_ascii=False))


def _read(option: str, text: Any, kind: type) -> Any:
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError as problem:
        raise CommandError(f"{option} {text!r} is no JSON: {problem}") from problem
    if not isinstance(found, kind):
        raise CommandError(f"{option} {text!r} should be a JSON {'list' if kind is list else 'object'}")
    return found


def _full_name(name: str, known: list[str]) -> str:
    if name in known:
        return name
    ends = [each for each in known if each.endswith(f".{name}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise CommandError(f"there are several tasks {name!r}: {', '.join(ends)}")
    near = difflib.get_close_matches(name, [*known, *(each.rpartition(".")[2] for each in known)], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    raise CommandError(f"there is no task {name!r}; {hint}")
