from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy


@shared_task
def count():
    with connection.cursor() as cursor:
        cursor.execute("select 1 + 1")
        return cursor.fetchone()[0]


@shared_task(name="shop.zone", bind=True)
def zone(self):
    return [settings.TIME_ZONE, str(self.app.timezone), self.app.conf.task_time_limit]


@shared_task
def lazy(text):
    return gettext_lazy("lazy %s") % text
