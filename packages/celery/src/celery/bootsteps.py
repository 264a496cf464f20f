"""Steps of a worker of your own, to be added to `app.steps['worker']` or `['consumer']`."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

from celery.utils.imports import instantiate, qualname

RUN, CLOSE, TERMINATE = 0x1, 0x2, 0x3
STEP, PAUSE, PATIENCE = 0.5, 1.0, 5.0
"""Seconds between two looks at whether to stop, between attempts to reach a broker, and for which a stop waits for callbacks."""
log = logging.getLogger("celery.worker")


class StepType(type):
    """Gives each step its name."""

    name: Any = None
    requires: Any = None

    def __new__(cls, name: str, bases: Any, attrs: dict[str, Any]) -> Any:
        module = attrs.get("__module__")
        qualified = f"{module}.{name}" if module else name
        attrs = {"__qualname__": qualified, "name": attrs.get("name") or qualified, **attrs}
        attrs["__qualname__"] = qualified
        return super().__new__(cls, name, bases, attrs)

    def __str__(cls) -> str:
        return str(cls.name)

    def __repr__(cls) -> str:
        return f"step:{cls.name}{{{cls.requires!r}}}"


class Step(metaclass=StepType):
    """One step."""

    name: Any = None
    label: Any = None
    conditional = False
    requires: Any = ()
    last = False
    enabled = True

    def __init__(self, parent: Any, **kwargs: Any):
        pass

    def include_if(self, parent: Any) -> Any:
        """True if it is wanted."""
        return self.enabled

    def instantiate(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """An object of the class that a path names."""
        return instantiate(name, *args, **kwargs)

    def _should_include(self, parent: Any) -> tuple[bool, Any]:
        if self.include_if(parent):
            return True, self.create(parent)
        return False, None

    def include(self, parent: Any) -> Any:
        """Make it, if it is wanted."""
        return self._should_include(parent)[0]

    def create(self, parent: Any) -> Any:
        """Make what it starts."""

    @property
    def alias(self) -> Any:
        """What it is called for short."""
        return self.label or str(qualname(type(self))).rpartition(".")[2]

    def info(self, obj: Any) -> Any:
        """What it would say of itself."""

    def __repr__(self) -> str:
        return f"<step: {self.alias}>"


class StartStopStep(Step):
    """One that is started and stopped."""

    obj: Any = None

    def start(self, parent: Any) -> Any:
        """Start it."""
        return self.obj.start() if self.obj else None

    def stop(self, parent: Any) -> Any:
        """Stop it."""
        return self.obj.stop() if self.obj else None

    def close(self, parent: Any) -> Any:
        """Nothing more comes."""

    def terminate(self, parent: Any) -> Any:
        """Stop it at once."""
        return getattr(self.obj, "terminate", self.obj.stop)() if self.obj else None

    def include(self, parent: Any) -> bool:
        """Make it and add it to its worker, if it is wanted."""
        wanted, self.obj = self._should_include(parent)
        if wanted:
            parent.steps.append(self)
        return wanted


class ConsumerStep(StartStopStep):
    """One that receives messages: in a thread, on a connection of its own, which is made anew when it is lost."""

    requires = ("celery.worker.consumer:Connection",)
    consumers: Any = None

    def get_consumers(self, channel: Any) -> Any:
        """Its consumers."""
        raise NotImplementedError(f"{type(self).__name__} needs a get_consumers()")

    def start(self, c: Any) -> None:
        """Receive from now on."""
        self._stopping = threading.Event()
        connection = self._listen(c)
        self._thread = threading.Thread(target=self._receive, args=(c, connection), name=f"celery-{self.alias}", daemon=True)
        self._thread.start()

    def stop(self, c: Any) -> None:
        """Receive no more."""
        self.shutdown(c)

    def shutdown(self, c: Any) -> None:
        """Receive no more, and leave the broker."""
        stopping = getattr(self, "_stopping", None)
        if stopping is not None:
            stopping.set()
            self._thread.join(PATIENCE)

    def _listen(self, c: Any) -> Any:
        connection = c.app.connection_for_read()
        self.consumers = list(self.get_consumers(connection.channel()) or ())
        for consumer in self.consumers:
            consumer.consume()
        return connection

    def _receive(self, c: Any, connection: Any) -> None:
        while not self._stopping.is_set():
            try:
                if connection is None:
                    connection = self._listen(c)
                connection.drain_events(timeout=STEP)
            except TimeoutError:
                pass
            except Exception as problem:
                lost = connection is None or isinstance(problem, connection.connection_errors + connection.channel_errors)
                log.error("The step %s: %s", self, problem, exc_info=not lost)
                if lost:
                    connection = None
                    self._stopping.wait(PAUSE)
        if connection is not None:
            for consumer in self.consumers:
                with suppress(Exception):  # the broker may be gone; then there is nothing to leave
                    consumer.cancel()
            connection.close()


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
