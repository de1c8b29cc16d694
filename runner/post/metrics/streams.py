"""The message log, summed up by sender, receiver and port."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.wiring import PHYSICAL_LINKS
from runner.post.run_tables import RunTables, once

INSIDE = ("agg", "feeder")
"""Kinds of federates below the DSO, as their names begin."""
_PHYSICAL = frozenset((link.from_kind, link.to_kind, link.into) for link in PHYSICAL_LINKS)
_KINDS = {"agg": "aggregator"}


def kind_of(federate: str) -> str:
    """Kind of a federate, as its name begins."""
    kind = federate.partition("_")[0]
    return _KINDS.get(kind, kind)


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages of one kind from one federate to another."""

    sender: str
    receiver: str
    port: str
    """Port of the receiver."""
    count: int
    size_bytes: float
    """All of them together. [B]"""

    @property
    def is_physical(self) -> bool:
        """Whether it is the grid itself, its meters or a device's own owner."""
        return (kind_of(self.sender), kind_of(self.receiver), self.port) in _PHYSICAL

    @property
    def crosses_interface(self) -> bool:
        """Whether coordination passes between the ISO and an LDA."""
        return "iso" in self._ends and not self.is_physical

    @property
    def bypasses(self) -> bool:
        """Whether it passes between the ISO and what lies below a DSO."""
        return self.crosses_interface and any(end.startswith(INSIDE) for end in self._ends)

    @property
    def _ends(self) -> tuple[str, str]:
        return self.sender, self.receiver


@once
def streams(tables: RunTables) -> tuple[Stream, ...]:
    """All messages of a run, by sender, receiver and port."""
    names, codes = tables.ids("message")
    counts = np.bincount(codes, minlength=len(names)).tolist()
    sizes = np.bincount(codes, tables.column("message", "size_bytes"), len(names)).tolist()
    found = []
    for name, count, size in zip(names, counts, sizes, strict=True):
        ends, _, port = name.partition("/")
        sender, _, receiver = ends.partition(">")
        found.append(Stream(sender, receiver, port, count, size))
    return tuple(found)
