"""Schedules by the sun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from umbel.errors import ImproperlyConfigured, ScheduleError
from umbel.schedules.schedule import HasZone, Schedule, remade
from umbel.schedules.zone import DAY

_DAYS = 366  # beyond a polar night or day it comes within a year, or never


class _Event(NamedTuple):
    """How ephem is asked for it."""

    method: str
    horizon: str = "0"
    """How far below the horizon the sun stands, in degrees."""
    centre: bool = False
    """True if the sun's centre counts, not its upper edge."""


_EVENTS = {
    "dawn_astronomical": _Event("next_rising", "-18", centre=True),
    "dawn_nautical": _Event("next_rising", "-12", centre=True),
    "dawn_civil": _Event("next_rising", "-6", centre=True),
    "sunrise": _Event("next_rising", "-0:34"),  # what the air lifts the sun at the horizon
    "solar_noon": _Event("next_transit"),
    "sunset": _Event("next_setting", "-0:34"),
    "dusk_civil": _Event("next_setting", "-6", centre=True),
    "dusk_nautical": _Event("next_setting", "-12", centre=True),
    "dusk_astronomical": _Event("next_setting", "-18", centre=True),
}


class solar(Schedule):  # noqa: N801  Celery's name
    """Due at each such event of the sun at that place; where it does not come for a while, when it comes again.

    Events: sunrise, solar_noon, sunset, and dawn and dusk each as dawn_civil, dawn_nautical, dawn_astronomical.
    North and east are positive. Needs `umbel[solar]`.
    """

    kind = "solar"
    __slots__ = ("event", "lat", "lon")

    def __init__(
        self, event: str, lat: float, lon: float, nowfun: Callable[[], datetime] | None = None, app: HasZone | None = None
    ):
        super().__init__(nowfun, app)
        if event not in _EVENTS:
            raise ScheduleError(f"solar event {event!r} is not known; there are {', '.join(_EVENTS)}")
        if not -90 <= lat <= 90:
            raise ScheduleError(f"solar lat = {lat!r}: a latitude is between -90 and 90")
        if not -180 <= lon <= 180:
            raise ScheduleError(f"solar lon = {lon!r}: a longitude is between -180 and 180")
        _ephem()
        self.event = event
        self.lat = lat
        self.lon = lon

    def next(self, after: float, zone: tzinfo) -> float | None:
        """The first such event after `after`, to the second; None if there is none within a year."""
        today = int(after // DAY)
        for day in range(today, today + _DAYS + 1):
            for moment in self._on(day):
                if moment > after:
                    return moment
        return None

    def _on(self, day: int) -> Iterator[float]:
        """The events of one day in UTC.

        They are sought from the day's beginning, not from just any moment: what ephem finds depends a little on where it starts,
        and an event must not come out a second later when it is asked for anew.
        """
        ephem = _ephem()
        event = _EVENTS[self.event]
        observer = ephem.Observer()
        observer.lat, observer.lon = str(self.lat), str(self.lon)
        observer.horizon = event.horizon
        observer.pressure = 0
        how = {} if event.method == "next_transit" else {"use_center": event.centre}
        start = day * DAY
        while start < (day + 1) * DAY:
            try:
                found = getattr(observer, event.method)(ephem.Sun(), start=datetime.fromtimestamp(start, UTC), **how)
            except ephem.CircumpolarError:  # not within a day from here
                return
            moment = round(found.datetime().replace(tzinfo=UTC).timestamp())
            if moment < (day + 1) * DAY:
                yield float(moment)
            start = moment + 3600  # where the sun sets a little earlier each day, two may come within one

    def __repr__(self) -> str:
        return f"<solar: {self.event} at latitude {self.lat}, longitude: {self.lon}>"

    def __str__(self) -> str:
        return (
            f"at {self.event.replace('_', ' ')} at {abs(self.lat):g}°{'NS'[self.lat < 0]} {abs(self.lon):g}°{'EW'[self.lon < 0]}"
        )

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, solar) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return remade, (type(self), self._key(), {})

    def _key(self) -> tuple[str, float, float]:
        return (self.event, self.lat, self.lon)


def _ephem() -> Any:  # it has no types
    try:
        import ephem  # type: ignore[import-untyped]  # it has none
    except ImportError:
        raise ImproperlyConfigured("solar schedules need the package ephem: pip install 'umbel[solar]'") from None
    return ephem
