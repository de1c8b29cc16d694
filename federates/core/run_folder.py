"""Names of the files by which the runner and its host processes understand each other in a run's folder.

::

    study.json                      resolved study
    hosts/<host>.json               spec of a host process
    logs/<host>.log                 its log and tracebacks
    errors/<host>.json              first error of a host, in one line of text
    heartbeat/<host>                who computes and who waits, now
    state/<span>/<federate>.npz     saved state at the end of a span
    done/<span>/<federate>.json     the federate came to the span's end
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from federates.core.time import SimTime


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths within the folder of one run."""

    path: Path

    @property
    def study(self) -> Path:
        """Resolved study."""
        return self.path / "study.json"

    def spec(self, host: str) -> Path:
        """Spec of a host process."""
        return self.path / "hosts" / f"{host}.json"

    def log(self, host: str) -> Path:
        """Log of a host process."""
        return self.path / "logs" / f"{host}.log"

    def error(self, host: str) -> Path:
        """First error of a host process."""
        return self.path / "errors" / f"{host}.json"

    def heartbeat(self, host: str) -> Path:
        """Heartbeat of a host process."""
        return self.path / "heartbeat" / host

    def states(self, span: int) -> Path:
        """Folder of the states saved at a span's end."""
        return self.path / "state" / f"{span:04d}"

    def state(self, span: int, federate: str) -> Path:
        """State of one federate at a span's end."""
        return self.states(span) / f"{federate}.npz"

    def markers(self, span: int) -> Path:
        """Folder of a span's completion markers."""
        return self.path / "done" / f"{span:04d}"

    def marker(self, span: int, federate: str) -> Path:
        """Completion marker of one federate for one span."""
        return self.markers(span) / f"{federate}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostError:
    """What ended a host process, in one line for the user."""

    federate: str
    """Who failed; the host's own name where it failed before any federate was built."""
    type: str
    """Name of the error's class."""
    message: str
    """What, where, what to do."""
    t: SimTime | None
    """Study time of the grant at which it failed; None before the first."""
    at_s: float
    """Monotonic time of the machine, by which the first error of several hosts is known. [s]"""
    exit_code: int
    """Exit code of the host."""

    def write(self, path: Path) -> None:
        """Write the error, whole or not at all."""
        write_whole(path, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, path: Path) -> HostError:
        """Error that a host wrote."""
        return cls(**json.loads(path.read_bytes()))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all: temporary name, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
