"""The page of the schedule: what is sent when; to be changed, switched and run while beats are running."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.utils import timezone
from django.utils.html import format_html_join

from umbel.client.periodic.declared import check, origin_of, try_out
from umbel.client.periodic.entry import Entry as Read
from umbel.django import project, when
from umbel.django.models import Entry
from umbel.django.reach import bytes_of
from umbel.django.schedule import DjangoScheduleStore
from umbel.errors import UmbelError
from umbel.schedules import ScheduleError
from umbel.stores.schedule import Row

UPCOMING = 5


class EntryForm(forms.ModelForm):
    """An entry in words that people write; what is wrong with it is told before it is kept."""

    name = forms.CharField(max_length=200)
    task = forms.CharField(max_length=255, widget=forms.TextInput(attrs={"size": 60, "list": "umbel-tasks"}))
    when = forms.CharField(max_length=255, help_text=when.HELP, widget=forms.TextInput(attrs={"size": 60}))
    zone = forms.CharField(required=False, label="time zone", help_text="Of a crontab's line; the app's, if nothing is said.")
    args = forms.JSONField(required=False, initial=list, label="arguments", help_text="A list, as JSON: [2, 3]")
    kwargs = forms.JSONField(required=False, initial=dict, label="named arguments", help_text='As JSON: {"user_id": 123}')
    options = forms.JSONField(
        required=False, initial=dict, help_text='Those of apply_async, as JSON: {"queue": "mail", "priority": 9, "expires": 60}'
    )
    catch_up = forms.CharField(initial="once", help_text="What becomes of missed firings: once, skip, or how many at most.")

    class Meta:
        """What of it is a column; the rest is in the definition."""

        model = Entry
        fields = ("name", "enabled")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.known: Read | None = None
        """The entry as it is kept, if it is."""
        if self.instance.pk:
            self.known = kept = project.app.schedule.line(_row(self.instance)).entry
            if kept is not None and "name" in self.fields:
                self.fields["name"].disabled = True
                self.initial |= {"task": kept.task, "when": when.write(kept.schedule), "zone": kept.timezone or ""}
                self.initial |= {"args": list(kept.args), "kwargs": kept.kwargs, "options": kept.options}
                self.initial |= {"catch_up": kept.catch_up}

    def clean(self) -> Any:
        """Make the entry, and a message of it."""
        given = super().clean() or {}
        if self.errors:
            return given
        if self.known is None and given["name"] in project.app.schedule:
            self.add_error("name", "There is an entry of that name already.")
            return given
        try:
            due = self.known.schedule if self.known and given["when"] == self.initial["when"] else when.read(given["when"])
        except (ScheduleError, ValueError, OverflowError) as problem:
            self.add_error("when", str(problem))
            return given
        words = {"task": given["task"], "schedule": due, "timezone": given["zone"] or None, "options": given["options"] or {}}
        words |= {"args": given["args"] or [], "kwargs": given["kwargs"] or {}}
        words["catch_up"] = int(given["catch_up"]) if given["catch_up"].isdigit() else given["catch_up"]
        try:
            entry = Read.read(given["name"], words)
            check(project.app, entry)
            try_out(project.app, entry)
        except (UmbelError, TypeError, ValueError) as problem:
            raise forms.ValidationError(str(problem)) from problem
        given["entry"] = entry
        return given


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    """Entries named in the code can be switched and run here, and are changed there. To run one needs `umbel.run_entry`."""

    form = EntryForm
    list_display = ("name", "task", "when", "enabled", "last", "next_firing", "count", "origin")
    list_filter = ("enabled", "task")
    search_fields = ("name", "task")
    list_per_page = 50
    actions = ("enable", "disable", "run_now")
    readonly_fields = ("upcoming",)
    fields = ("name", "task", "when", "zone", "args", "kwargs", "options", "catch_up", "enabled", "upcoming")

    def get_queryset(self, request: Any) -> Any:
        """Those of the app's own schedule, if the project's database has it."""
        store = _store()
        return store.entries if store is not None else Entry.objects.none()

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        """Tells where the schedule is, if it is not here; and which beat sends it."""
        store = _store()
        if store is None:
            place = project.app.schedule_store.url
            self.message_user(
                request, f'The schedule is kept in {place}; with beat_store = "django" it is here.', messages.WARNING
            )
        elif (leader := store.leader()) is None:
            self.message_user(request, "No beat is running: nothing of this is sent.", messages.WARNING)
        else:
            extra_context = {**(extra_context or {}), "subtitle": f"sent by {leader.owner}"}
        return super().changelist_view(request, extra_context)

    def has_add_permission(self, request: Any) -> bool:
        """Where the schedule is here."""
        return super().has_add_permission(request) and _store() is not None

    def has_run_permission(self, request: Any) -> bool:
        """To run entries at once."""
        return bool(request.user.has_perm("umbel.run_entry"))

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        """Not of those that the code names, or that only the code can read."""
        return super().has_change_permission(request, obj) and not (obj is not None and (_is_of_code(obj) or _is_unread(obj)))

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        """Not of those that the code names."""
        return super().has_delete_permission(request, obj) and not (obj is not None and _is_of_code(obj))

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        """Of one that cannot be changed here, what is kept."""
        if obj is not None and not self.has_change_permission(request, obj):
            return ("name", "task", "when", "enabled", "last", "count", "origin", "upcoming")
        return super().get_fields(request, obj)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        """All of them, of one that cannot be changed here."""
        if obj is not None and not self.has_change_permission(request, obj):
            return self.get_fields(request, obj)
        return super().get_readonly_fields(request, obj)

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Keep what the form has made, by the way that all others go."""
        entry, schedule = form.cleaned_data["entry"], project.app.schedule
        told = {"timezone": entry.timezone, "catch_up": entry.catch_up}
        if change:
            schedule.change(
                entry.name, task=entry.task, schedule=entry.schedule, args=entry.args, kwargs=entry.kwargs,
                options=entry.options, **told,
            )  # fmt: skip
            (schedule.enable if form.cleaned_data["enabled"] else schedule.disable)(entry.name)
        else:
            told["enabled"] = form.cleaned_data["enabled"]
            schedule.add(entry.name, entry.task, entry.schedule, entry.args, entry.kwargs, **told, **entry.options)
        obj.pk = self.get_queryset(request).get(name=entry.name).pk

    def delete_model(self, request: Any, obj: Any) -> None:
        """By the way that tells beats."""
        project.app.schedule.remove(obj.name)

    def delete_queryset(self, request: Any, queryset: Any) -> None:
        """The same of several; those that the code names stay."""
        for obj in queryset:
            self._try(request, obj.name, lambda obj=obj: self.delete_model(request, obj))

    @admin.display(description="last")
    def last(self, obj: Any) -> Any:
        """When it fired last."""
        return None if obj.fired is None else _moment(obj.fired)

    @admin.display(description="next")
    def next_firing(self, obj: Any) -> Any:
        """When it fires next."""
        due = project.app.schedule.line(_row(obj)).next
        return None if due is None else _moment(due)

    @admin.display(description="from")
    def origin(self, obj: Any) -> str:
        """Whose code names it; nobody's, if it was made here or by a program."""
        return origin_of(_row(obj)) or ""

    @admin.display(description="next firings")
    def upcoming(self, obj: Any) -> Any:
        """The next of them, were it enabled."""
        if not obj.pk:
            return "-"
        try:
            found = project.app.schedule.upcoming(obj.name, UPCOMING)
        except UmbelError as problem:
            return str(problem)
        return format_html_join("", "{}<br>", ((f"{_moment(due):%a %Y-%m-%d %H:%M:%S %Z}",) for due in found)) or "none"

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: Any, queryset: Any) -> None:
        """Let them fire again, from now on."""
        names = queryset.values_list("name", flat=True)
        self._try(request, "Nothing is enabled", lambda: project.app.schedule.enable(*names))

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: Any, queryset: Any) -> None:
        """Let them fire no more."""
        names = queryset.values_list("name", flat=True)
        self._try(request, "Nothing is disabled", lambda: project.app.schedule.disable(*names))

    @admin.action(description="Run now, once", permissions=["run"])
    def run_now(self, request: Any, queryset: Any) -> None:
        """Send each at once; its times stay as they are."""
        for obj in queryset:
            sent = self._try(request, obj.name, lambda obj=obj: project.app.schedule.run_now(obj.name))
            if sent is not None:
                self.message_user(request, f"{obj.name}: sent as {sent.id}", messages.SUCCESS)

    def _try(self, request: Any, name: str, act: Any) -> Any:
        """Do it; what is wrong is told on the page."""
        try:
            return act()
        except (UmbelError, TypeError, ValueError) as problem:
            self.message_user(request, f"{name}: {problem}", messages.ERROR)
            return None


def _store() -> DjangoScheduleStore | None:
    """The app's schedule store, if it is in the project's database."""
    store = project.app.schedule_store
    return store if isinstance(store, DjangoScheduleStore) else None


def _row(obj: Any) -> Row:
    return Row(obj.name, bytes_of(obj.definition), obj.enabled, obj.since, obj.fired, obj.count)


def _is_of_code(obj: Any) -> bool:
    return origin_of(_row(obj)) is not None


def _is_unread(obj: Any) -> bool:
    return project.app.schedule.line(_row(obj)).entry is None


def _moment(seconds: float) -> datetime.datetime:
    return timezone.localtime(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
