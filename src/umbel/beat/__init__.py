"""What sends periodic work: any number of beats, of which one leads."""

from umbel.beat.beat import Beat
from umbel.beat.finding import find_scheduler
from umbel.beat.scheduler import PersistentScheduler, ScheduleEntry, Scheduler
from umbel.client.periodic.entry import BeatLazyFunc
from umbel.errors import SchedulingError

__all__ = ["Beat", "BeatLazyFunc", "PersistentScheduler", "ScheduleEntry", "Scheduler", "SchedulingError", "find_scheduler"]
