"""What one host process of a federation is told: a small JSON file that the runner writes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from federates.core.run_folder import write_whole
from federates.core.time import Span

TransportName = Literal["helics", "loopback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where a federation's broker listens."""

    port: int
    """First port of the federation's block."""
    key: str
    """Key of this federation; a federate with another key is refused."""
    federates: int
    """Number of federates of the whole federation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """One host process: which federates it seats, on which transport, for which spans."""

    host: str
    """Name of the host, unique in the federation."""
    run_dir: Path
    """Folder of the run; ``study.json`` in it is the resolved study."""
    transport: TransportName
    """``helics``, or ``loopback``: all federates in one thread."""
    federates: tuple[str, ...]
    """Names of the federates seated here, in seating order."""
    spans: tuple[Span, ...]
    """Spans to run in turn; one on HELICS."""
    broker: BrokerAddress | None = None
    """Broker to join; None on loopback."""
    kinds: tuple[tuple[str, str], ...] = ()
    """Kind and module whose ``build(context)`` makes it; empty: the catalog's own list."""

    def write(self, path: Path) -> None:
        """Write the spec, whole or not at all."""
        write_whole(path, json.dumps(asdict(self), default=str, indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> HostSpec:
        """Spec of a file that the runner wrote."""
        raw = json.loads(path.read_bytes())
        broker = raw["broker"]
        return cls(
            host=raw["host"],
            run_dir=Path(raw["run_dir"]),
            transport=cast("TransportName", raw["transport"]),
            federates=tuple(raw["federates"]),
            spans=tuple(Span(**span) for span in raw["spans"]),
            broker=None if broker is None else BrokerAddress(**broker),
            kinds=tuple((kind, module) for kind, module in raw["kinds"]),
        )
