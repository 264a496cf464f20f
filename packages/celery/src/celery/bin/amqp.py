"""`celery amqp`: says what does its work here."""

from __future__ import annotations

from celery.bin.base import derived
from umbel.cli.amqp import amqp as own

amqp = derived(own, own.callback, ignore_unknown_options=True)  # type: ignore[arg-type]  # it has one


def __getattr__(name: str) -> object:
    from celery._names import absent

    raise absent(__name__, name)
