"""A URL of a store, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from umbel.errors import ImproperlyConfigured


@dataclass(slots=True, frozen=True)
class Place:
    """A URL, taken apart."""

    url: str
    """Without credentials."""
    scheme: str
    host: str
    path: str
    options: dict[str, Any]
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def take(self, name: str, default: object) -> Any:
        """The value of an option, which is then no longer left over."""
        return self.options.pop(name, default)

    def done(self) -> None:
        """Complain about options that nobody took."""
        if self.options:
            raise ImproperlyConfigured(f"{self.url}: {self.scheme}:// has no option {', '.join(map(repr, sorted(self.options)))}")
