"""Pages of the admin: what became of tasks, and what is sent when."""

from __future__ import annotations

from umbel.django.admin_results import ResultAdmin
from umbel.django.admin_schedule import EntryAdmin

__all__ = ["EntryAdmin", "ResultAdmin"]
