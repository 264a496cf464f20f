"""Text in colours."""

from __future__ import annotations

from typing import Any

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_MORE = {"bold": 1, "underline": 4, "blink": 5, "reverse": 7, "bright": 8}


class colored:  # noqa: N801 - Celery's name
    """Text in colours: `colored().red("no ", colored().bold("way"))`; plain with `enabled=False`."""

    def __init__(self, *s: Any, **kwargs: Any):
        self.s = s
        self.enabled = kwargs.get("enabled") is not False
        self.op = kwargs.get("op", "")
        self.names = {name: getattr(self, name) for name in (*_NAMES, "bright")}

    def node(self, s: tuple[Any, ...], op: str) -> colored:
        """A part in its colour."""
        return type(self)(*s, enabled=self.enabled, op=op)

    def _code(self, number: int, s: tuple[Any, ...], *, bold: bool = False) -> colored:
        return self.node(s, f"\x1b[{'1;' if bold else ''}{number}m")

    def black(self, *s: Any) -> colored:
        """In black."""
        return self._code(30, s, bold=True)

    def red(self, *s: Any) -> colored:
        """In red."""
        return self._code(31, s, bold=True)

    def green(self, *s: Any) -> colored:
        """In green."""
        return self._code(32, s, bold=True)

    def yellow(self, *s: Any) -> colored:
        """In yellow."""
        return self._code(33, s, bold=True)

    def blue(self, *s: Any) -> colored:
        """In blue."""
        return self._code(34, s, bold=True)

    def magenta(self, *s: Any) -> colored:
        """In magenta."""
        return self._code(35, s, bold=True)

    def cyan(self, *s: Any) -> colored:
        """In cyan."""
        return self._code(36, s, bold=True)

    def white(self, *s: Any) -> colored:
        """In white."""
        return self._code(37, s, bold=True)

    def bold(self, *s: Any) -> colored:
        """Bold."""
        return self._code(_MORE["bold"], s)

    def underline(self, *s: Any) -> colored:
        """Underlined."""
        return self._code(_MORE["underline"], s)

    def blink(self, *s: Any) -> colored:
        """Blinking."""
        return self._code(_MORE["blink"], s)

    def reverse(self, *s: Any) -> colored:
        """With colours changed over."""
        return self._code(_MORE["reverse"], s)

    def bright(self, *s: Any) -> colored:
        """Bright."""
        return self._code(_MORE["bright"], s)

    def ired(self, *s: Any) -> colored:
        """On red."""
        return self._code(41, s)

    def igreen(self, *s: Any) -> colored:
        """On green."""
        return self._code(42, s)

    def iyellow(self, *s: Any) -> colored:
        """On yellow."""
        return self._code(43, s)

    def iblue(self, *s: Any) -> colored:
        """On blue."""
        return self._code(44, s)

    def imagenta(self, *s: Any) -> colored:
        """On magenta."""
        return self._code(45, s)

    def icyan(self, *s: Any) -> colored:
        """On cyan."""
        return self._code(46, s)

    def iwhite(self, *s: Any) -> colored:
        """On white."""
        return self._code(47, s)

    def reset(self, *s: Any) -> colored:
        """As before."""
        return self.node(s or ("",), "\x1b[0m")

    def embed(self) -> str:
        """Its beginning and its parts."""
        parts = (part.no_color() if isinstance(part, colored) and not self.enabled else _embedded(part) for part in self.s)
        return (self.op if self.enabled else "") + "".join(parts)

    def no_color(self) -> str:
        """The text alone."""
        return "".join(part.no_color() if isinstance(part, colored) else str(part) for part in self.s)

    def __str__(self) -> str:
        return f"{self.embed()}\x1b[0m" if self.enabled else self.no_color()

    def __add__(self, other: Any) -> str:
        return str(self) + str(other)


def _embedded(part: Any) -> str:
    return part.embed() if isinstance(part, colored) else str(part)
