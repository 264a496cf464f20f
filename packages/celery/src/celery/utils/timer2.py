"""Not offered."""

from celery._names import refuse

refuse(__name__, "threading.Timer, or countdown=… for tasks")
