"""When periodic work is due: pure data and arithmetic, no I/O."""

from umbel.schedules.reading import from_data
from umbel.schedules.schedule import BaseSchedule, Schedule, schedstate

__all__ = ["BaseSchedule", "Schedule", "from_data", "schedstate"]
