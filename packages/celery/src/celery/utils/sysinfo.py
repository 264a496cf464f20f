"""Not offered."""

from celery._names import refuse

refuse(__name__, "os.cpu_count() and psutil")
