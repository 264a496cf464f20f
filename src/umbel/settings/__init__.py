"""What can be set: the table of all settings, and the object that holds their values."""

from umbel.settings.settings import Settings, seconds
from umbel.settings.table import TABLE, Setting

__all__ = ["TABLE", "Setting", "Settings", "seconds"]
