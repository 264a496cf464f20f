"""What `result_backend = "django"` and `beat_store = "django"` open; `django://other` is another of the project's databases."""

from __future__ import annotations

import os

import django
from django.apps import apps
from django.db import connections

from umbel.errors import ImproperlyConfigured
from umbel.stores.backend import ResultBackend
from umbel.stores.place import Place
from umbel.stores.schedule import ScheduleStore


def open_backend(place: Place, expires: float | None) -> ResultBackend:
    """Results as rows of `umbel.django.models.Result`."""
    alias = _alias(place)
    from umbel.django.results import DjangoBackend  # models can be loaded only once Django is set up

    return DjangoBackend(alias, expires=expires)


def open_schedule(place: Place, name: str) -> ScheduleStore:
    """The schedule as rows of `umbel.django.models.Entry`."""
    alias = _alias(place)
    from umbel.django.schedule import DjangoScheduleStore  # as above

    return DjangoScheduleStore(alias, name=name)


def _alias(place: Place) -> str:
    """The database that is meant, of a project that has umbel's tables."""
    if not apps.ready and "DJANGO_SETTINGS_MODULE" in os.environ:
        django.setup()
    if not apps.ready or not apps.is_installed("umbel.django"):
        raise ImproperlyConfigured(f'{place.url} keeps in a Django project\'s database: put "umbel.django" into INSTALLED_APPS')
    place.done()
    alias = place.host or "default"
    if alias not in connections:
        raise ImproperlyConfigured(f"{place.url}: DATABASES has no {alias!r}; it has {', '.join(connections)}")
    return alias
