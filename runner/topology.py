"""From a study to who sits in its federation, how they are wired, and which process hosts whom."""

from __future__ import annotations

import os
from dataclasses import dataclass

from federates.coordination.catalog import MODELS
from federates.core.context import seatings
from federates.core.settings import Study
from federates.core.wiring import Seating, Wire, expand


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One process and the federates in it, in seating order."""

    name: str
    federates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Members and wires of a federation."""

    seatings: tuple[Seating, ...]
    wires: tuple[Wire, ...]

    def kind_of(self, federate: str) -> str:
        """Kind of a federate."""
        return next(s.kind for s in self.seatings if s.name == federate)


def topology(study: Study) -> Topology:
    """Members and wires of a study's federation.

    Raises
    ------
    WiringError
        If ports and links do not fit each other.
    """
    seats = seatings(study)
    return Topology(seatings=seats, wires=expand(MODELS[study.coordination].all_links, seats))


def one_host(seats: tuple[Seating, ...]) -> tuple[Host, ...]:
    """All federates in one process."""
    return (Host(name="all", federates=tuple(s.name for s in seats)),)


def spread(seats: tuple[Seating, ...], lda_hosts: int) -> tuple[Host, ...]:
    """ISO and transmission in processes of their own, whole LDAs dealt to ``lda_hosts`` processes."""
    hosts = [Host(name=s.name, federates=(s.name,)) for s in seats if s.lda is None]
    ldas = list(dict.fromkeys(s.lda for s in seats if s.lda is not None))
    count = min(lda_hosts, len(ldas))
    for k in range(count):
        mine = set(ldas[k::count])
        hosts.append(Host(name=f"ldas_{k}", federates=tuple(s.name for s in seats if s.lda in mine)))
    return tuple(hosts)


def lda_hosts(study: Study) -> int:
    """Processes that the LDAs share: as the study says, or one per core that this process may use."""
    wanted = study.federation.hosts
    return len(os.sched_getaffinity(0)) if wanted == "auto" else wanted
