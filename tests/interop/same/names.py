"""The names that the modules of this folder use, from Celery, from umbel's face of it, or from umbel itself (`SYSTEM=umbel`)."""

from __future__ import annotations

import os

if os.environ["SYSTEM"] == "umbel":
    from umbel import Task as Task
    from umbel import Umbel as App
    from umbel import chord as chord
    from umbel import current_app as current_app
    from umbel import current_task as current_task
    from umbel import errors as exceptions
    from umbel import shared_task as shared_task
    from umbel import signals as signals
    from umbel import states as states
    from umbel.client.loader import Loader as Loader
    from umbel.client.logbook import Log as Log
    from umbel.client.remote.control import Control as Control
    from umbel.schedules import crontab as crontab
    from umbel.schedules import maybe_schedule as maybe_schedule
    from umbel.schedules import schedule as schedule
else:
    from celery import Celery as App
    from celery import Task as Task
    from celery import chord as chord
    from celery import current_app as current_app
    from celery import current_task as current_task
    from celery import exceptions as exceptions
    from celery import shared_task as shared_task
    from celery import signals as signals
    from celery import states as states
    from celery.app.control import Control as Control
    from celery.app.log import Logging
    from celery.loaders.app import AppLoader
    from celery.schedules import crontab as crontab
    from celery.schedules import maybe_schedule as maybe_schedule
    from celery.schedules import schedule as schedule

    Loader, Log = AppLoader, Logging

__all__ = ["App", "exceptions"]
