"""Not offered."""

from celery._names import refuse

refuse(__name__, "app.events.Receiver with app.events.State")
