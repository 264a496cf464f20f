"""Not offered."""

from celery._names import refuse

refuse(__name__, "task.apply(args, kwargs), which runs a task with all that belongs to it")
