"""Tasks of Django projects: sent once the transaction is committed."""

from __future__ import annotations

import functools
from typing import Any

from celery.app.task import Task


class DjangoTask(Task):
    """A task that can wait for the transaction that it belongs to."""

    abstract = True

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Send it once the transaction is committed; not at all if it is rolled back."""
        from django.db import transaction

        transaction.on_commit(functools.partial(self.delay, *args, **kwargs))

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """The same with options."""
        from django.db import transaction

        transaction.on_commit(functools.partial(self.apply_async, *args, **kwargs))
