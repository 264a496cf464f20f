"""What can be set: the table of all settings, and the object that holds their values."""

from umbel.settings.settings import Settings
from umbel.settings.source import find
from umbel.settings.table import TABLE, Setting

__all__ = ["TABLE", "Setting", "Settings", "find"]
