"""Not offered."""

from celery._names import refuse

refuse(__name__, "tracemalloc and psutil")
