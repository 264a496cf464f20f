# ruff: noqa: E402, I001 - Django wants to be set up before anything of the project's is imported
import os
import django
from site_.celery import app

django.setup()

from django.db import transaction
from site_.shop.tasks import count, lazy, zone
from celery.contrib.django.task import DjangoTask

PATIENCE = float(os.environ["PATIENCE"])


def use():
    with transaction.atomic():
        sent = count.delay_on_commit()
    return {
        "count": count.delay().get(timeout=PATIENCE),
        "zone": zone.delay().get(timeout=PATIENCE),
        "lazy": lazy.delay("x").get(timeout=PATIENCE),
        "on commit": sent,
        "task": isinstance(app.tasks["shop.zone"], DjangoTask),
        "namespace": app.namespace,
        "names": sorted(name for name in app.tasks if "shop" in name),
    }


def send():
    with transaction.atomic():
        count.delay_on_commit()
        lazy.delay("first")
    zone.apply_async(expires=60)
