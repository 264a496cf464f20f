"""Not offered."""

from celery._names import refuse

refuse(__name__, "result_backend = redis://… or the embedded file")
