"""Not offered."""

from celery._names import refuse

refuse(__name__, "one unit of systemd or one container for each worker")
