import os

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, connections

from shop import cache as counting
from umbel import shared_task


@shared_task
def add(x, y=0):
    return x + y


@shared_task
def greet(whom):
    return f"Bonjour {whom}"


@shared_task
def look(name):
    """What the run before has left open, and then leave as much."""
    cache.set("seen", name)
    left = connection.connection is not None
    User.objects.update_or_create(username=name)
    return {"left": left, "closed": counting.closed, "pid": os.getpid(), "open": connection.connection is not None}


@shared_task
def fail():
    raise ValueError("as asked")


@shared_task
def threads():
    return sorted(alias for alias in connections)
