"""Conclusions on their way to the script that ends deliveries, sorted by how much it has to be told of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from umbel.stores.broker import Delivery

MOST_ARGUMENTS = 50_000
"""Of one script; a longer list of conclusions takes several."""


def head(field: str, buried: str | None, results: int = 0, envelopes: int = 0) -> list[Any]:
    """How the row of a conclusion begins: where it is held, what becomes of it, and how much follows (see `conclude.lua`)."""
    return [field, "-" if buried is None else f"+{buried}", results, envelopes]


class Batch(msgspec.Struct):
    """What goes over in one exchange."""

    plain: list[Delivery] = msgspec.field(default_factory=list)
    """Those of which nothing is left but that they are done."""
    kept: list[Delivery] = msgspec.field(default_factory=list)
    """Those that leave one success, as nearly all of the others."""
    documents: list[Any] = msgspec.field(default_factory=list)
    """Three arguments for each of these."""
    others: list[Delivery] = msgspec.field(default_factory=list)
    arguments: list[Any] = msgspec.field(default_factory=list)
    """What is told of the others, each in a row of its own length."""

    @property
    def deliveries(self) -> list[Delivery]:
        """All, in the order in which the script counts them."""
        return [*self.plain, *self.kept, *self.others]

    def has_room(self, arguments: int) -> bool:
        """True if so many more of the others may go with it."""
        return len(self.arguments) + arguments <= MOST_ARGUMENTS

    def parts(self) -> Iterator[Batch]:
        """The same in parts that a script takes; none if it is empty."""
        plain, kept = MOST_ARGUMENTS, MOST_ARGUMENTS // 3
        for start in range(plain, len(self.plain), plain):
            yield Batch(self.plain[start : start + plain])
        for start in range(kept, len(self.kept), kept):
            yield Batch(kept=self.kept[start : start + kept], documents=self.documents[3 * start : 3 * (start + kept)])
        if self.plain or self.kept or self.others:
            yield Batch(self.plain[:plain], self.kept[:kept], self.documents[: 3 * kept], self.others, self.arguments)
