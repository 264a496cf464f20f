"""Tells of something that is away once, and once that it is back."""

from __future__ import annotations

from umbel import guise

log = guise.logger("umbel.beat")


class Trouble:
    """One thing that may be away for a while."""

    def __init__(self, what: str, meanwhile: str):
        self._what = what
        self._meanwhile = meanwhile
        self.lasts = False
        """True while it is away."""

    def begins(self, error: Exception) -> None:
        """It did not answer."""
        if not self.lasts:
            log.error("The %s is away: %s. %s", self._what, error, self._meanwhile)
        self.lasts = True

    def ends(self) -> None:
        """It answered."""
        if self.lasts:
            log.warning("The %s is back", self._what)
        self.lasts = False
