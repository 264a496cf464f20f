"""What is kept in the project's database: results, chords that are under way, and the schedule.

Rows are written by the stores beside this file; the bytes in `document` and `definition` are the truth, and what stands beside
them is for people who look and search.
"""

from __future__ import annotations

from django.db import models


class Result(models.Model):
    """What became of one task."""

    task_id = models.CharField(max_length=255, primary_key=True)
    status = models.CharField(max_length=100, db_index=True)
    task = models.CharField(max_length=255, blank=True, db_index=True)
    args = models.TextField(blank=True)
    kwargs = models.TextField(blank=True)
    value = models.TextField("result", blank=True)
    traceback = models.TextField(blank=True)
    worker = models.CharField(max_length=255, blank=True)
    queue = models.CharField(max_length=255, blank=True)
    retries = models.PositiveIntegerField(default=0)
    periodic_task_name = models.CharField("schedule entry", max_length=255, blank=True)
    parent_id = models.CharField(max_length=255, blank=True)
    root_id = models.CharField(max_length=255, blank=True)
    created = models.DateTimeField(db_index=True)
    done = models.DateTimeField(null=True, blank=True, db_index=True)
    expires = models.FloatField(null=True, editable=False, db_index=True)
    """Seconds since the epoch; None: never."""
    document = models.BinaryField(default=b"")
    written = models.BigIntegerField(default=0, editable=False)
    """By which batch, so that a batch knows its own rows from those that were there."""

    class Meta:
        """Newest first."""

        ordering = ("-created",)
        permissions = (("run_result", "Can run a task again"),)

    def __str__(self) -> str:
        return f"{self.task or 'a task'} {self.task_id}"


class Group(models.Model):
    """The document of a group whose result was saved."""

    group_id = models.CharField(max_length=255, primary_key=True)
    document = models.BinaryField()
    expires = models.FloatField(null=True, db_index=True)


class Chord(models.Model):
    """A chord that is under way, or was."""

    key = models.CharField(max_length=64, primary_key=True)
    chord = models.TextField()
    size = models.BigIntegerField(null=True)
    """None as long as nobody has told."""
    grown = models.JSONField(default=dict)
    """By how many parts, for each task and run that made it grow."""
    arrived = models.BigIntegerField(default=0)
    completed_by = models.CharField(max_length=64, default="", blank=True)
    """The key of the part that found it whole."""
    is_done = models.BooleanField(default=False)
    expires = models.FloatField(null=True, db_index=True)


class Part(models.Model):
    """What has arrived of a chord."""

    key = models.CharField(max_length=64, primary_key=True)
    chord = models.CharField(max_length=64, db_index=True)
    index = models.BigIntegerField(null=True)
    task_id = models.TextField()
    document = models.BinaryField()


class Entry(models.Model):
    """One entry of a schedule: what is sent, and when."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    schedule = models.CharField(max_length=255, db_index=True, editable=False)
    """The name of the schedule: that of its app."""
    name = models.TextField()
    task = models.CharField(max_length=255, blank=True)
    when = models.CharField(max_length=255, blank=True)
    definition = models.BinaryField()
    enabled = models.BooleanField(default=True)
    since = models.FloatField(editable=False)
    fired = models.FloatField(null=True, editable=False)
    count = models.BigIntegerField("sent", default=0, editable=False)
    version = models.BigIntegerField(db_index=True, editable=False)

    class Meta:
        """By name."""

        ordering = ("name",)
        permissions = (("run_entry", "Can run an entry now"),)
        verbose_name = "schedule entry"
        verbose_name_plural = "schedule"

    def __str__(self) -> str:
        return self.name


class Gone(models.Model):
    """An entry that was removed, for beats that have not looked since."""

    key = models.CharField(max_length=64, primary_key=True)
    schedule = models.CharField(max_length=255, db_index=True)
    name = models.TextField()
    version = models.BigIntegerField(db_index=True)
    at = models.FloatField()


class Version(models.Model):
    """Of one schedule: its last change, and up to which what was removed is forgotten."""

    schedule = models.CharField(max_length=255, primary_key=True)
    latest = models.BigIntegerField()
    forgotten = models.BigIntegerField()


class Leader(models.Model):
    """Which beat sends what one schedule has, and until when."""

    schedule = models.CharField(max_length=255, primary_key=True)
    owner = models.TextField()
    until = models.FloatField()
