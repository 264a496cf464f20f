"""When periodic work is due: pure data and arithmetic, no I/O."""

from umbel.errors import ScheduleError as ScheduleError
from umbel.schedules.clocked import clocked
from umbel.schedules.crontab import crontab
from umbel.schedules.interval import schedule
from umbel.schedules.reading import from_data, maybe_schedule
from umbel.schedules.schedule import BaseSchedule, Schedule, schedstate
from umbel.schedules.solar import solar
from umbel.schedules.zone import local_zone, read_zone

__all__ = [
    "BaseSchedule",
    "Schedule",
    "ScheduleError",
    "clocked",
    "crontab",
    "from_data",
    "local_zone",
    "maybe_schedule",
    "read_zone",
    "schedstate",
    "schedule",
    "solar",
]
