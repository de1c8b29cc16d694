"""Who computes and who waits, now: a small memory-mapped file per host process.

A host writes one 32-byte row per federate at every grant; the runner reads all rows a few times a second.
A federate that hangs cannot lie about it: its row says since when it computes.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

from federates.core.time import SimTime

_ROW = struct.Struct("<qqdq")


class Activity(IntEnum):
    """What a federate is doing."""

    ABSENT = 0
    """Not there yet."""
    BUILDING = 1
    """Being built, restored or started."""
    JOINING = 2
    """Built; waits for the others."""
    WAITING = 3
    """Waits for a grant."""
    COMPUTING = 4
    """Acts at its granted instant."""
    DONE = 5
    """Came to the span's end and left."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One federate's row."""

    granted_s: SimTime
    """Instant last granted. [s]"""
    until_s: SimTime
    """Instant asked for; the granted one while it computes. [s]"""
    since_s: float
    """Monotonic time of the machine since when it does what it does. [s]"""
    activity: Activity


class Heartbeat:
    """The rows of one host's federates; a context manager on the host's side and the runner's."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self.names = names
        self._place = {name: k * _ROW.size for k, name in enumerate(names)}
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    @staticmethod
    def create(path: Path, names: tuple[str, ...]) -> None:
        """Make the file, all rows absent."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(_ROW.size * len(names)))

    def beat(self, name: str, activity: Activity, granted_s: SimTime, until_s: SimTime) -> None:
        """Say what a federate does from now on."""
        at = self._place[name]
        # packed apart and copied whole: pack_into would blank the row first, and the reader see nobody there
        self._map[at : at + _ROW.size] = _ROW.pack(granted_s, until_s, time.monotonic(), activity)

    def read(self) -> dict[str, Beat]:
        """Every federate's row."""
        return {name: self._row(at) for name, at in self._place.items()}

    def _row(self, at: int) -> Beat:
        row = self._map[at : at + _ROW.size]
        while (again := self._map[at : at + _ROW.size]) != row:
            row = again  # the writer was in the middle of it
        granted_s, until_s, since_s, activity = _ROW.unpack(row)
        return Beat(granted_s, until_s, since_s, Activity(activity))

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
