"""Not offered."""

from celery._names import refuse

refuse(__name__, "graphlib of the standard library")
