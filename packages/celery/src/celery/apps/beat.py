"""A beat as a program."""

from __future__ import annotations

from typing import Any

from celery.app import app_or_default
from celery.beat import Service
from celery.utils.log import mlevel


class Beat:
    """A beat that sets up logging, too."""

    Service = Service
    app: Any = None

    def __init__(
        self,
        max_interval: Any = None,
        app: Any = None,
        socket_timeout: float = 30,
        pidfile: Any = None,
        no_color: Any = None,
        loglevel: Any = "WARN",
        logfile: Any = None,
        schedule: Any = None,
        scheduler: Any = None,
        scheduler_cls: Any = None,
        redirect_stdouts: Any = None,
        redirect_stdouts_level: Any = None,
        quiet: bool = False,
        remote_control: Any = None,
        hostname: Any = None,
        **kwargs: Any,
    ):
        self.app = app_or_default(app or self.app)
        self.max_interval = max_interval
        self.loglevel, self.logfile = mlevel(loglevel), logfile
        self.schedule = schedule
        self.scheduler_cls = scheduler_cls or scheduler
        self.quiet, self.remote_control, self.hostname = quiet, remote_control, hostname
        self.colorize = None if no_color is None else not no_color
        self.pidfile = pidfile
        self.service: Any = None

    def run(self) -> None:
        """Send what is due until told to stop."""
        self.setup_logging()
        self.init_loader()
        self.start_scheduler()

    def setup_logging(self, colorize: Any = None) -> Any:
        """Set up logging."""
        return self.app.log.setup(self.loglevel, self.logfile, colorize=self.colorize if colorize is None else colorize)

    def init_loader(self) -> None:
        """Import all modules with tasks."""
        self.app.loader.init_worker()
        self.app.finalize()

    def start_scheduler(self) -> None:
        """Make the service and start it."""
        self.service = self.Service(
            app=self.app,
            max_interval=self.max_interval,
            scheduler_cls=self.scheduler_cls,
            schedule_filename=self.schedule,
            remote_control=self.remote_control,
            hostname=self.hostname,
        )
        self.service.start()


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
