"""Not offered."""

from celery._names import refuse

refuse(__name__, "the fixtures of celery.contrib.pytest")
