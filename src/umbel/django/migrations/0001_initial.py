"""All tables of umbel: results, chords and groups, the schedule."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Chord",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("chord", models.TextField()),
                ("size", models.BigIntegerField(null=True)),
                ("grown", models.JSONField(default=dict)),
                ("arrived", models.BigIntegerField(default=0)),
                ("completed_by", models.CharField(blank=True, default="", max_length=64)),
                ("is_done", models.BooleanField(default=False)),
                ("expires", models.FloatField(db_index=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(editable=False, max_length=64, unique=True)),
                ("schedule", models.CharField(db_index=True, editable=False, max_length=255)),
                ("name", models.TextField()),
                ("task", models.CharField(blank=True, max_length=255)),
                ("when", models.CharField(blank=True, max_length=255)),
                ("definition", models.BinaryField()),
                ("enabled", models.BooleanField(default=True)),
                ("since", models.FloatField(editable=False)),
                ("fired", models.FloatField(editable=False, null=True)),
                ("count", models.BigIntegerField(default=0, editable=False, verbose_name="sent")),
                ("version", models.BigIntegerField(db_index=True, editable=False)),
            ],
            options={
                "verbose_name": "schedule entry",
                "verbose_name_plural": "schedule",
                "ordering": ("name",),
                "permissions": (("run_entry", "Can run an entry now"),),
            },
        ),
        migrations.CreateModel(
            name="Gone",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("schedule", models.CharField(db_index=True, max_length=255)),
                ("name", models.TextField()),
                ("version", models.BigIntegerField(db_index=True)),
                ("at", models.FloatField()),
            ],
        ),
        migrations.CreateModel(
            name="Group",
            fields=[
                ("group_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("document", models.BinaryField()),
                ("expires", models.FloatField(db_index=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Leader",
            fields=[
                ("schedule", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("owner", models.TextField()),
                ("until", models.FloatField()),
            ],
        ),
        migrations.CreateModel(
            name="Part",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("chord", models.CharField(db_index=True, max_length=64)),
                ("index", models.BigIntegerField(null=True)),
                ("task_id", models.TextField()),
                ("document", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="Result",
            fields=[
                ("task_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("status", models.CharField(db_index=True, max_length=100)),
                ("task", models.CharField(blank=True, db_index=True, max_length=255)),
                ("args", models.TextField(blank=True)),
                ("kwargs", models.TextField(blank=True)),
                ("value", models.TextField(blank=True, verbose_name="result")),
                ("traceback", models.TextField(blank=True)),
                ("worker", models.CharField(blank=True, max_length=255)),
                ("queue", models.CharField(blank=True, max_length=255)),
                ("retries", models.PositiveIntegerField(default=0)),
                ("periodic_task_name", models.CharField(blank=True, max_length=255, verbose_name="schedule entry")),
                ("parent_id", models.CharField(blank=True, max_length=255)),
                ("root_id", models.CharField(blank=True, max_length=255)),
                ("created", models.DateTimeField(db_index=True)),
                ("done", models.DateTimeField(blank=True, db_index=True, null=True)),
                ("expires", models.FloatField(db_index=True, editable=False, null=True)),
                ("document", models.BinaryField(default=b"")),
                ("written", models.BigIntegerField(default=0, editable=False)),
            ],
            options={
                "ordering": ("-created",),
                "permissions": (("run_result", "Can run a task again"),),
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("schedule", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("latest", models.BigIntegerField()),
                ("forgotten", models.BigIntegerField()),
            ],
        ),
    ]
