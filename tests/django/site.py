"""The Django project of these tests, in this process; its tables are made once, and each test has a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from umbel import signals

PARTS = ("contenttypes", "auth", "sessions", "messages", "admin")
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"timeout": 60}}


def set_up() -> None:
    """Django can be set up once for each process."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="for-tests",
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=[*(f"django.contrib.{part}" for part in PARTS), "umbel.django"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        ROOT_URLCONF="tests.django.urls",
        DATABASES={"default": {**SQLITE, "NAME": ":memory:"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STATIC_URL="static/",
        USE_TZ=True,
        TIME_ZONE="UTC",
        UMBEL_BROKER_URL="memory://",
    )
    django.setup()
    _look_after_nobody()


def _look_after_nobody() -> None:
    """Other tests of this process are to find signals without receivers."""
    for signal in vars(signals).values():
        if isinstance(signal, signals.Signal):
            signal.disconnect(dispatch_uid=f"umbel.django.{signal.name}")


@contextmanager
def database(alias: str, **words: Any) -> Iterator[None]:
    """One more of the project's databases, as long as the block runs."""
    words = {"default": {}, alias: dict(words)}
    connections.settings[alias] = connections.configure_settings(words)[alias]
    try:
        yield
    finally:
        if hasattr(connections._connections, alias):
            connections[alias].close()
            del connections[alias]
        connections.settings.pop(alias)


@contextmanager
def default(source: Path, target: Path) -> Iterator[None]:
    """The project's own database is a copy of that file, as long as the block runs."""
    shutil.copy(source, target)
    before = connections.settings["default"]
    with suppress(AttributeError):  # nobody has used it in this thread
        del connections["default"]
    try:
        with database("default", **SQLITE, NAME=str(target)):
            yield
    finally:
        connections.settings["default"] = before


def migrated(folder: Path) -> Path:
    """An SQLite file with all tables."""
    path = folder / "migrated.sqlite3"
    with database("migrated", **SQLITE, NAME=str(path)):
        call_command("migrate", database="migrated", verbosity=0)
    return path


@contextmanager
def copy(alias: str, source: Path, target: Path) -> Iterator[None]:
    """A database that is a copy of that file."""
    shutil.copy(source, target)
    with database(alias, **SQLITE, NAME=str(target)):
        yield
