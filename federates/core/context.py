"""What a federate is built from, and who sits in a federation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from federates.core.forward import FILE, ForwardPlan
from federates.core.settings import Lda, Study, aggregators_of
from federates.core.tables import Recorder
from federates.core.time import Clock
from federates.core.wiring import Seating, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that the builder of a federate may use."""

    study: Study
    seating: Seating
    wires: tuple[Wire, ...]
    """Every wire of the federation, in wiring order."""
    recorder: Recorder
    run_dir: Path
    """Folder of the run."""

    def forward(self) -> ForwardPlan:
        """Commitment and first price forecast of the scenario."""
        return ForwardPlan.read(self.run_dir / FILE)

    @property
    def name(self) -> str:
        """Name of the federate."""
        return self.seating.name

    @property
    def clock(self) -> Clock:
        """The study's time grid."""
        return self.study.clock

    @property
    def lda(self) -> Lda:
        """The federate's LDA."""
        assert self.seating.lda is not None, f"{self.name} belongs to no LDA"
        return self.study.lda(self.seating.lda)

    @property
    def owner(self) -> str:
        """Aggregator's own name within its LDA."""
        return self.name.removeprefix(f"agg_{self.seating.lda}_")

    def lda_of(self, federate: str) -> str:
        """LDA of another federate."""
        seat = next(s for s in seatings(self.study) if s.name == federate)
        assert seat.lda is not None, f"{federate} belongs to no LDA"
        return seat.lda

    def owner_of(self, federate: str) -> str:
        """An aggregator's own name within its LDA."""
        return federate.removeprefix(f"agg_{self.lda_of(federate)}_")

    def receivers(self, out: str) -> tuple[str, ...]:
        """Federates wired to one of this federate's ports, in wiring order."""
        return tuple(w.receiver for w in self.wires if w.sender == self.name and w.out == out)

    def senders(self, into: str) -> tuple[str, ...]:
        """Federates that are wired to feed one of this federate's ports, in wiring order."""
        return tuple(w.sender for w in self.wires if w.receiver == self.name and w.into == into)


def seatings(study: Study) -> tuple[Seating, ...]:
    """Federates of a study, in the order in which sums and wires run."""
    seats = [Seating("iso", "iso", None), Seating("transmission", "transmission", None)]
    for place, lda in enumerate(study.ldas):
        seats.append(Seating(f"feeder_{lda.name}", "feeder", lda.name, place))
        seats.append(Seating(f"dso_{lda.name}", "dso", lda.name, place))
        seats += [
            Seating(f"agg_{lda.name}_{owner}", "aggregator", lda.name, place) for owner in aggregators_of(lda)
        ]
    return tuple(seats)
