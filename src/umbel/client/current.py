"""The app in use: one for each context, and one for the process. The only late binding of the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from umbel.client.outbox import Outbox
    from umbel.client.storage import Reading
    from umbel.messages.write import Writer
    from umbel.settings import Settings
    from umbel.stores.backend import ResultBackend
    from umbel.stores.broker import Broker
    from umbel.stores.channel import Channel


class App(Protocol):
    """What tasks, signatures and results need of an app."""

    @property
    def conf(self) -> Settings:
        """The settings."""
        ...

    @property
    def tasks(self) -> Mapping[str, Any]:
        """All tasks by name; the first access finalizes the app."""
        ...

    @property
    def result_store(self) -> ResultBackend | None:
        """Where results are kept, if anywhere."""
        ...

    @property
    def broker(self) -> Broker:
        """Where messages are kept."""
        ...

    @property
    def channel(self) -> Channel:
        """What carries notes to all who listen."""
        ...

    @property
    def clock(self) -> Any:
        """A logical clock."""
        ...

    @property
    def events(self) -> Any:
        """Tells of events, and listens to them."""
        ...

    @property
    def control(self) -> Any:
        """Revokes tasks."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Where messages leave."""
        ...

    @property
    def writer(self) -> Writer:
        """Makes messages by the settings."""
        ...

    @property
    def relay(self) -> Any:
        """Makes messages of what follows from runs."""
        ...

    def reading(self) -> Reading:
        """Where results are, and what is needed to read them."""
        ...

    @property
    def result_type(self) -> Any:
        """The class of what sending gives."""
        ...

    def AsyncResult(self, id: str, **options: Any) -> Any:  # noqa: N802 - Celery's name
        """The result of a task by its id."""
        ...

    @property
    def GroupResult(self) -> Any:  # noqa: N802 - Celery's name
        """The class of results of groups."""
        ...

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Send a task by its name."""
        ...


_here: ContextVar[App | None] = ContextVar("umbel_app", default=None)
_process: App | None = None
_latest: App | None = None
_make: Callable[[], App] | None = None


def app() -> App:
    """The current app: the one set in this context, else the process's default, else the latest made; else a new one."""
    found = _here.get() or _process or _latest
    if found is None:
        assert _make is not None, "client.app makes it known"
        found = _make()
    return found


def is_set() -> bool:
    """True if somebody has made an app by now."""
    return (_here.get() or _process or _latest) is not None


def set_current(app: App) -> None:
    """Make it the app of this context; and of others, unless they have one."""
    global _latest
    _here.set(app)
    _latest = app


def enter(app: App) -> None:
    """Make it the app of this context alone, and of those that are copied from it."""
    _here.set(app)


def set_default(app: App | None) -> None:
    """Make it the app of all contexts that have none of their own."""
    global _process
    _process = app


def forget(app: App) -> None:
    """Make it nobody's app any more."""
    global _process, _latest
    if _here.get() is app:
        _here.set(None)
    _process = None if _process is app else _process
    _latest = None if _latest is app else _latest


def made_by(make: Callable[[], App]) -> None:
    """Tell how an app is made when someone needs one and there is none."""
    global _make
    _make = make


def running() -> Any:
    """The task that runs here and now; None if none does."""
    from umbel.execution.request import current as current_request

    request = current_request.get()
    return request.owner if request is not None else None


class Proxy:
    """Stands for what is current whenever it is looked at."""

    __slots__ = ("_find",)
    _find: Callable[[], Any]

    def __init__(self, find: Callable[[], Any]):
        object.__setattr__(self, "_find", find)

    def _get_current_object(self) -> Any:
        return self._find()

    @property  # type: ignore[misc]  # `object` lets it be set, too
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The class of what it stands for, so that `isinstance` sees through it."""
        return type(self._find())

    @property
    def __doc__(self) -> Any:  # type: ignore[override]  # as above
        return self._find().__doc__

    @property
    def __module__(self) -> Any:  # type: ignore[override]  # as above
        """Where what it stands for is defined."""
        return self._find().__module__

    def __getattr__(self, name: str) -> Any:
        """Whatever the current object has."""
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._find(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._find(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._find()(*args, **kwargs)

    def __bool__(self) -> bool:
        return bool(self._find())

    def __eq__(self, other: object) -> bool:
        return bool(self._find() == (other._find() if type(other) is Proxy else other))

    def __hash__(self) -> int:
        return hash(self._find())

    def __repr__(self) -> str:
        return repr(self._find())

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self  # it stands for the same, wherever it is

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As what it stands for; a task is found again by its name."""
        return self._find().__reduce_ex__(protocol)

    def __dir__(self) -> list[str]:
        return dir(self._find())


current_app: Any = Proxy(app)
"""The current app (an `Umbel`)."""
current_task: Any = Proxy(running)
"""The task that runs here and now; false if none does."""
