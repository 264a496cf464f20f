import os
import signal
from pathlib import Path

from celery import shared_task
from django.conf import settings


@shared_task
def fill_departments(department="35"):
    return department


@shared_task(ignore_result=True)
def fill_geolocations():
    pass


@shared_task(bind=True)
def fill_sirets(self, mark):
    """Its process dies in the first run: out of memory, say."""
    seen = Path(settings.BASE_DIR) / mark
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "filled"
