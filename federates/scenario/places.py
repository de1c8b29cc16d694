"""Where an LDA's DERs and loads are metered, and on whose side of the meter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.scenario.lda import LdaScenario


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPoints:
    """Meters of an LDA: its DERs in fleet order, then its loads in circuit order."""

    ids: tuple[str, ...]
    """``der/NAME`` or ``load/NAME``, without the LDA."""
    kind: tuple[str, ...]
    """Kind of the DER; ``load``."""
    place: tuple[str, ...]
    """Bus and phases; whoever has the same ones stands at the same place."""
    rated_kw: FloatArray
    """Greatest power of a DER, peak of a load, shape (points,). [kW]"""
    has_load: BoolArray
    """Whether a load stands at the bus: a DER there is a customer's, others are on the utility's side."""


def meter_points(scenario: LdaScenario) -> MeterPoints:
    """Meters of an LDA."""
    fleet, model = scenario.fleet, scenario.model
    loads = [(f"{f.name_prefix}{load.bus}", load.phases) for f in model.feeders for load in f.feeder.loads]
    places = [*zip(fleet.bus, fleet.phases, strict=True), *loads]
    loaded = {bus for bus, _ in loads}
    return MeterPoints(
        ids=(*(f"der/{name}" for name in fleet.ids), *(f"load/{name}" for name in model.load_ids)),
        kind=(*fleet.kind, *(["load"] * len(loads))),
        place=tuple(".".join((bus, *map(str, phases))) for bus, phases in places),
        rated_kw=np.concatenate([fleet.power_kw, scenario.peak_kw]),
        has_load=np.array([bus in loaded for bus, _ in places], dtype=np.bool_),
    )
