"""The page of results: what ran, what it gave, and the same once more."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator

from umbel import states
from umbel.client.current import App
from umbel.django import project
from umbel.django.models import Result
from umbel.django.reach import bytes_of
from umbel.errors import UmbelError
from umbel.wire.typed_json import from_json

COLOURS = {states.SUCCESS: "#2e7d32", states.FAILURE: "#c62828", states.RETRY: "#b26a00", states.STARTED: "#1565c0"}


@admin.register(Result)
class ResultAdmin(admin.ModelAdmin):
    """Looks only; to run a task again needs the permission `umbel.run_result`."""

    list_display = ("what", "state", "arguments", "outcome", "worker", "created", "took")
    list_display_links = ("what",)
    list_filter = ("status", "task", "queue", "worker", "created", "periodic_task_name")
    search_fields = ("task_id", "task", "args", "kwargs", "value", "traceback")
    list_per_page = 50
    show_full_result_count = False
    actions = ("run_again",)
    fieldsets = (
        (None, {"fields": ("task_id", "task", "state", "created", "done", "worker", "queue", "retries")}),
        ("The call", {"fields": ("args", "kwargs", "periodic_task_name", "parent_id", "root_id")}),
        ("What came of it", {"fields": ("value", "trace")}),
    )
    readonly_fields = ("state", "trace", *(field.name for field in Result._meta.fields if field.editable))

    def get_queryset(self, request: Any) -> Any:
        """Without what is kept beside the results of `django.tasks`."""
        return super().get_queryset(request).exclude(status="DJANGO").defer("document")

    def has_add_permission(self, request: Any) -> bool:
        """Tasks are sent, not written down."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        """What became of a task is not changed."""
        return False

    def has_run_permission(self, request: Any) -> bool:
        """To run tasks again."""
        return bool(request.user.has_perm("umbel.run_result"))

    @admin.display(description="task", ordering="task")
    def what(self, row: Any) -> str:
        """Its name; the id, if that is all that is known."""
        return row.task or row.task_id

    @admin.display(description="state", ordering="status")
    def state(self, row: Any) -> Any:
        """The state in its colour."""
        return format_html('<b style="color:{}">{}</b>', COLOURS.get(row.status, "#666"), row.status)

    @admin.display(description="arguments")
    def arguments(self, row: Any) -> str:
        """What it was called with, in short."""
        told = [row.args.strip("()[]").rstrip(","), "" if row.kwargs in ("", "{}") else row.kwargs]
        return Truncator(", ".join(each for each in told if each)).chars(60)

    @admin.display(description="result")
    def outcome(self, row: Any) -> str:
        """What came of it, in short."""
        return Truncator(row.value).chars(60)

    @admin.display(description="after")
    def took(self, row: Any) -> str:
        """How long after its first news it had ended."""
        return f"{(row.done - row.created).total_seconds():.1f} s" if row.done else ""

    @admin.display(description="traceback")
    def trace(self, row: Any) -> Any:
        """As Python prints it."""
        return format_html('<pre style="white-space:pre-wrap">{}</pre>', row.traceback) if row.traceback else ""

    @admin.action(description="Run again, with the same arguments", permissions=["run"])
    def run_again(self, request: Any, rows: Any) -> None:
        """Send each once more, as a new task."""
        sent = 0
        for row in rows:
            try:
                send_again(project.app, row)
            except (UmbelError, TypeError, ValueError) as problem:
                self.message_user(request, f"{self.what(row)} {row.task_id}: {problem}", messages.ERROR)
            else:
                sent += 1
        if sent:
            self.message_user(request, f"{sent} sent at {timezone.localtime():%H:%M:%S}", messages.SUCCESS)


def send_again(app: App, row: Any) -> Any:
    """Send what a result tells of, as a new task; ValueError if it does not tell all."""
    facts = from_json(bytes_of(row.document))
    name, args, kwargs = facts.get("name"), facts.get("args"), facts.get("kwargs")
    if not name or not isinstance(args, (list, tuple)) or not isinstance(kwargs, dict):
        raise ValueError("its arguments were not kept as they were, so it cannot be sent again")
    task = app.tasks.get(name)
    options = {"queue": row.queue} if row.queue else {}
    return app.send_task(name, list(args), kwargs, task_type=task, **options)
