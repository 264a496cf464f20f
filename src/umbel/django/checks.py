"""What `manage.py check` says of umbel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from umbel.django import project
from umbel.errors import UmbelError

OWN = ("django",)
"""URLs, or their schemes, that mean the project's database."""


def register_all() -> None:
    """Join Django's checks."""
    register(settings_work, "umbel")
    register(nothing_for_tests_is_deployed, "umbel", deploy=True)


def settings_work(**_: Any) -> Iterable[CheckMessage]:
    """The app's settings can be read, and fit each other."""
    try:
        conf = project.app.conf
        conf.load()
        problems = project.app.problems()
    except UmbelError as error:
        problems = str(error).splitlines()
    found: list[CheckMessage] = [Error(problem, id="umbel.E001") for problem in problems]
    if not found and _of_project(conf.result_backend) and not settings.DATABASES:
        found.append(Error("results are to be in the project's database, but DATABASES is empty", id="umbel.E002"))
    return found


def nothing_for_tests_is_deployed(**_: Any) -> Iterable[CheckMessage]:
    """What is for one machine, or for tests, is not how a site is run."""
    conf = project.app.conf
    found: list[CheckMessage] = []
    if conf.task_always_eager:
        found.append(Warning("tasks run where they are called: task_always_eager is set, which is for tests", id="umbel.W001"))
    if not conf.broker_url:
        text = "no broker_url is set: messages are in a file in the current directory, which web and workers must share"
        found.append(Warning(text, hint="set UMBEL_BROKER_URL (or CELERY_BROKER_URL)", id="umbel.W002"))
    elif str(conf.broker_url).startswith("memory:"):
        found.append(Warning("messages are in the memory of each process: no worker will ever see them", id="umbel.W003"))
    if any(kind in ("pickle", "application/x-python-serialize") for kind in conf.accept_content):
        found.append(Warning("pickle is accepted: whoever can send messages can run any code in workers", id="umbel.W004"))
    return found


def _of_project(url: object) -> bool:
    return str(url or "").partition(":")[0] in OWN
