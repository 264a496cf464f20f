"""Not offered."""

from celery._names import refuse

refuse(__name__, "umbel dead list and revive; two stores side by side drain by themselves")
