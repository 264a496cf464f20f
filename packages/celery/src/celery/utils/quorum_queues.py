"""Not offered."""

from celery._names import refuse

refuse(__name__, "nothing: umbel has no quorum queues to look for")
