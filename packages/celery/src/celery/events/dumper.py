"""Not offered."""

from celery._names import refuse

refuse(__name__, "the log at level INFO")
