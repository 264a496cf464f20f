"""Not offered."""

from celery._names import refuse

refuse(__name__, "debugpy, or breakpoint() with -P solo")
