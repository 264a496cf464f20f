"""`celery worker`: umbel's, with Celery's pools and its words at the end."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

import celery.concurrency._life
import celery.worker.state  # noqa: F401 - remembers the worker
from celery.bin.base import GREEN_POOLS, CeleryOption, derived, serving_pool
from umbel import signals
from umbel.cli.failure import FAILED, Failure
from umbel.cli.worker import how_many
from umbel.cli.worker import worker as own

POOLS = ("prefork", "eventlet", "gevent", "solo", "processes", "threads", "asyncio", "custom")


def slots(text: str) -> int:
    """A number of tasks that run at once; 0 and `auto`: one for each core."""
    return how_many("auto" if text == "0" else text)


class Autoscale(click.ParamType):
    """The most and the least processes: `10,3`."""

    name = "<max>,<min>"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Both numbers, the larger first."""
        if not isinstance(value, str):
            return value
        numbers = value.split(",")
        if not all(each.strip().isdigit() for each in numbers) or len(numbers) > 2:
            self.fail(f"{value!r} is not of the form 10,3", param, ctx)
        return tuple(sorted((int(each) for each in (*numbers, "0")[:2]), reverse=True))


AUTOSCALE = Autoscale()
AUTO_CONCURRENCY = "auto"
CELERY_BEAT = click.types.BOOL


def run(**given: Any) -> Any:
    """Start a worker with these options."""
    scope = click.get_current_context().obj
    scope.settings = click.get_current_context().args
    scope.include = tuple(given["include"])
    scope.picks_pool = given["pool"] is None
    if given["pool"] == "custom":
        wanted = os.environ.get("CELERY_CUSTOM_WORKER_POOL", "")
        raise Failure(
            f"-P custom: pools of others ({wanted or 'none is named'}) cannot serve here; use -P prefork, threads or asyncio"
        )
    if given["pool"] in GREEN_POOLS:
        given["pool"] = serving_pool(given["pool"])
    if given["autoscale"]:
        most, least = given["autoscale"]
        given["autoscale"] = (max(most, 1), max(least, 1))
    if given["executable"] == sys.executable:
        given["executable"] = None  # as `celery multi` writes it
    heard: list[str] = []

    def say_goodbye(sig: str, how: str, **_: object) -> None:
        heard.append(sig)
        print(f"\nworker: {how} shutdown (MainProcess)", file=sys.__stderr__, flush=True)

    signals.worker_shutting_down.connect(say_goodbye)
    try:
        code = own.callback(**given)  # type: ignore[misc]  # it has one
    finally:
        signals.worker_shutting_down.disconnect(say_goodbye)
    if heard:  # Celery's takes Ctrl-C for a failure, and all other ways to be told for none
        return FAILED if "SIGINT" in heard else 0
    return code


worker = derived(
    own,
    run,
    CeleryOption(["-P", "--pool"], type=click.Choice(POOLS, case_sensitive=False), help="How tasks run."),
    CeleryOption(
        ["-c", "--concurrency"], type=slots, metavar="N", help="How many tasks run at once. [default: one for each core]"
    ),
    CeleryOption(["--autoscale"], type=AUTOSCALE, help="Run up to the first number at once, and at least the second."),
    allow_extra_args=True,
)


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
