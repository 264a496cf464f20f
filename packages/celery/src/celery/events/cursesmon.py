"""Not offered."""

from celery._names import refuse

refuse(__name__, "umbel queues and umbel schedule")
