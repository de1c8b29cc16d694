"""Where devices stand on a feeder: at its loads, drawn on integers alone."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.der.fleet import VALUE_STEPS, Fleet
from federates.der.seeds import Stream, generator
from federates.distribution.model import Feeder

KVA_PER_KW = 1.1
PV_SITES = 40
"""Sites of photovoltaics, with which batteries share theirs."""
TRANSFORMER_LENGTH_FT = 1.0
"""Length counted for a transformer or regulator when loads are ranked by distance. [ft]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One simulated feeder as a place for devices of one kind."""

    feeder: Feeder
    load_scale: float
    """Factor on the published loads."""
    seed_id: int
    """What draws hang on."""
    kind: str
    """Key of the kind."""
    owner: str
    """Aggregator of the devices."""

    @property
    def peak_kw(self) -> FloatArray:
        """Published peak of each load, shape (loads,). [kW]"""
        return np.array([load.kw for load in self.feeder.loads])

    def clusters(self) -> tuple[IntArray, FloatArray]:
        """Sites along the feeder: one load drawn from each cluster of consecutive loads, and the clusters'
        share of the peak.
        """
        peak_kw = self.peak_kw
        loads = np.flatnonzero(peak_kw > 0.0)
        clusters = np.array_split(loads, min(PV_SITES, loads.size))
        rng = generator(self.seed_id, Stream.PLACEMENT)
        place = np.array([rng.choice(cluster) for cluster in clusters], dtype=np.int64)
        share = np.array([peak_kw[cluster].sum() for cluster in clusters])
        return place, share / share.sum()

    def drawn(self, count: int, stream: Stream, far_weight: float = 1.0) -> IntArray:
        """Loads of ``count`` devices, drawn in proportion to peak, more often on the farther half; ascending.

        Shape (count,).
        """
        distance = load_distance_ft(self.feeder)
        weight = self.peak_kw * np.where(distance > np.median(distance), far_weight, 1.0)
        rng = generator(self.seed_id, stream)
        return np.sort(rng.choice(weight.size, size=count, p=weight / weight.sum())).astype(np.int64)

    def devices(self, place: IntArray, power_kw: FloatArray, *, s_kva: FloatArray | None = None) -> Fleet:
        """Devices at loads with nothing but size and place; those that share a load are numbered."""
        n = place.size
        loads = [self.feeder.loads[k] for k in place.tolist()]
        return Fleet(
            ids=_names(self.kind, [load.name for load in loads]),
            kind=(self.kind,) * n,
            bus=tuple(load.bus for load in loads),
            phases=tuple(load.phases for load in loads),
            load=place,
            node=load_nodes(self.feeder)[place],
            power_kw=power_kw,
            s_kva=KVA_PER_KW * power_kw if s_kva is None else s_kva,
            energy_kwh=np.zeros(n),
            initial_kwh=np.zeros(n),
            charge_efficiency=np.ones(n),
            discharge_efficiency=np.ones(n),
            leak_per_h=np.zeros(n),
            wear_usd_per_mwh=np.zeros(n),
            curtailment_usd_per_mwh=np.zeros(n),
            value_usd_per_mwh=np.zeros((n, VALUE_STEPS)),
            yield_factor=np.ones(n),
            own={},
            seed_id=np.full(n, self.seed_id, dtype=np.int64),
            rank=np.arange(n),
            owner=(self.owner,) * n,
            customer=("",) * n,
            participates=np.ones(n, dtype=np.bool_),
        )


def _names(kind: str, loads: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    names = []
    for load in loads:
        seen[load] = seen.get(load, 0) + 1
        number = f"_{seen[load]}" if loads.count(load) > 1 else ""
        names.append(f"{kind}_{load}{number}")
    return tuple(names)


def load_nodes(feeder: Feeder) -> IntArray:
    """Place of each load's bus among the buses with loads, by first appearance, shape (loads,)."""
    place: dict[str, int] = {}
    return np.array([place.setdefault(load.bus, len(place)) for load in feeder.loads], dtype=np.int64)


def load_distance_ft(feeder: Feeder) -> FloatArray:
    """Length of the shortest path from the head to each load, shape (loads,). [ft]"""
    near: dict[str, list[tuple[str, float]]] = {}
    spans = [(line.bus1, line.bus2, line.length_ft) for line in feeder.lines]
    spans += [(t.bus1, t.bus2, TRANSFORMER_LENGTH_FT) for t in feeder.transformers]
    spans += [(r.bus1, r.bus2, TRANSFORMER_LENGTH_FT) for r in feeder.regulators]
    for a, b, length in spans:
        near.setdefault(a, []).append((b, length))
        near.setdefault(b, []).append((a, length))
    distance: dict[str, float] = {}
    front = [(0.0, feeder.head_bus)]
    while front:
        reached, bus = heapq.heappop(front)
        if bus in distance:
            continue
        distance[bus] = reached
        for other, length in near.get(bus, []):
            heapq.heappush(front, (reached + length, other))
    return np.array([distance[load.bus] for load in feeder.loads])
