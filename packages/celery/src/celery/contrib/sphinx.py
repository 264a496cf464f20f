"""Not offered."""

from celery._names import refuse

refuse(__name__, "sphinx.ext.autodoc, which shows tasks as what they are")
