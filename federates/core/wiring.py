"""From links between kinds to wires between federates, checked before anything starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from federates.core.errors import WiringError
from federates.core.ports import PORTS
from federates.core.protocol import In, Out


@dataclass(frozen=True, slots=True)
class Link:
    """``from_kind.out`` feeds ``to_kind.into``; LDA by LDA where both belong to one."""

    from_kind: str
    out: str
    to_kind: str
    into: str


@dataclass(frozen=True, slots=True)
class Seating:
    """One federate by name, kind and the LDA it belongs to (None: the bulk system)."""

    name: str
    kind: str
    lda: str | None
    place: int = 0
    """Place of the LDA in the study, by which wires are ordered."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One sender's port to one receiver's port."""

    sender: str
    out: str
    receiver: str
    into: str

    @property
    def key(self) -> str:
        """Name of the wire on the transport, unique in a federation."""
        return f"{self.sender}.{self.out}>{self.receiver}.{self.into}"


PHYSICAL_LINKS = (
    Link("transmission", "voltage", "feeder", "voltage"),
    Link("feeder", "power", "transmission", "power"),
    Link("feeder", "telemetry", "dso", "telemetry"),
    Link("feeder", "der_state", "aggregator", "der_state"),
    Link("aggregator", "set_points", "feeder", "set_points"),
    Link("iso", "dispatch", "transmission", "dispatch"),
    Link("transmission", "grid_state", "iso", "grid_state"),
    Link("transmission", "meters", "iso", "meters"),
    Link("feeder", "customer_meters", "dso", "customer_meters"),
)
"""Links that every coordination model has: the grid itself, its meters and the devices' own owner."""


def expand(links: Sequence[Link], seatings: Iterable[Seating]) -> tuple[Wire, ...]:
    """Wires of a federation, in the order of the links and then of the federates.

    Raises
    ------
    WiringError
        If a link names a port that does not exist or joins two kinds of message, if a required port stays
        unfed, or if two federates share a name. All faults are named at once.
    """
    seats = list(seatings)
    faults = [f"two federates are named {n!r}" for n, k in Counter(s.name for s in seats).items() if k > 1]
    wires: list[Wire] = []
    for link in links:
        faults += _faults(link)
        wires += [
            Wire(a.name, link.out, b.name, link.into)
            for a in seats
            for b in seats
            if a.kind == link.from_kind and b.kind == link.to_kind and _meet(a, b)
        ]
    faults += [f"the wire {w!r} is given twice" for w, k in Counter(w.key for w in wires).items() if k > 1]
    fed = {(w.receiver, w.into) for w in wires}
    for seat in seats:
        for name, port in PORTS[seat.kind].all().items():
            if isinstance(port, In) and port.required and (seat.name, name) not in fed:
                faults.append(f"nothing feeds {seat.name}.{name} ({port.message.__name__}); add a link to it")
    if faults:
        raise WiringError("the wiring does not fit: " + "; ".join(faults))
    return tuple(wires)


def _meet(a: Seating, b: Seating) -> bool:
    return a.lda is None or b.lda is None or a.lda == b.lda


def _faults(link: Link) -> list[str]:
    out = PORTS.get(link.from_kind)
    into = PORTS.get(link.to_kind)
    if out is None or into is None:
        return [f"{link} names a kind that does not exist; kinds are {', '.join(PORTS)}"]
    giver, taker = out.all().get(link.out), into.all().get(link.into)
    if not isinstance(giver, Out):
        return [f"{link.from_kind} gives nothing at {link.out!r}"]
    if not isinstance(taker, In):
        return [f"{link.to_kind} takes nothing at {link.into!r}"]
    if giver.message is not taker.message:
        gives = f"{link.from_kind}.{link.out} gives {giver.message.__name__}"
        return [f"{gives}, {link.to_kind}.{link.into} takes {taker.message.__name__}"]
    return []
