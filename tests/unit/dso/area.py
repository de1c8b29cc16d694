"""Small areas with DERs for the tests of the map, the bid and the dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.distribution.builder import DerAttachment, FeederInstance, LdaModel, build_circuit
from federates.distribution.circuit import Circuit
from federates.distribution.generator import synthetic_feeder
from federates.distribution.layout import Control
from federates.distribution.linear import DerSite, FeederMap, OperatingPoint, SeriesParameters, build_map
from federates.distribution.model import Feeder
from federates.distribution.tables import read_feeder
from federates.dso.columns import DerColumns

FEEDERS = Path(__file__).parents[3] / "configs" / "feeders"
FORECAST_USD_PER_MWH = 35.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One feeder on a stiff bus, solved, with its map."""

    circuit: Circuit
    map: FeederMap
    series: SeriesParameters
    size_kw: FloatArray

    def point(self, p_kw: FloatArray, q_kvar: FloatArray | None = None) -> OperatingPoint:
        """Map around the state at set-points in fleet order, taps held."""
        q = np.zeros_like(p_kw) if q_kvar is None else q_kvar
        self.circuit.set_ders(p_kw, q)
        self.circuit.solve(Control.OFF)
        return self.map.operating_point(
            self.series,
            self.circuit.node_voltages_v(),
            self.map.to_map_order(p_kw),
            self.map.to_map_order(q),
        )


def area(
    feeder: str = "ieee13",
    ders_count: int = 12,
    share: float = 1.0,
    load: float = 1.0,
    *,
    prefix: str = "f1",
    order: IntArray | None = None,
    bus_kv: float | None = None,
) -> Area:
    """Feeder with DERs of ``share`` of its peak load, at seeded places; ``order`` permutes the fleet.

    ``synthetic`` or ``north_american`` and a number of nodes is a generated feeder, the second kind with
    centre-tapped services and delta loads.
    """
    table = _table(feeder)
    rng = np.random.default_rng(11)
    spots = [spot for spot in table.loads if spot.connection == "wye" or table.name.startswith("synthetic")]
    chosen = [spots[k] for k in rng.integers(0, len(spots), ders_count)]
    size = rng.uniform(0.5, 1.5, ders_count)
    size *= share * sum(spot.kw for spot in table.loads) / size.sum()
    fleet = np.arange(ders_count) if order is None else order
    lda = LdaModel(
        name="test",
        bus_kv=table.kv if bus_kv is None else bus_kv,
        feeders=(
            FeederInstance(
                prefix=prefix,
                feeder=table,
                load_scale=load,
                ders=tuple(
                    DerAttachment(id=f"{prefix}_{k}", bus=chosen[k].bus, phases=chosen[k].phases)
                    for k in fleet
                ),
            ),
        ),
    )
    circuit = build_circuit(lda, tolerance=1e-10)
    circuit.solve(Control.STATIC)
    size = size[fleet]
    sites = [
        DerSite(nodes=nodes, kind="pv", rated_kw=float(kw))
        for nodes, kw in zip(circuit.der_nodes, size, strict=True)
    ]
    feeder_map = build_map(
        circuit.branches(), circuit.yprim, circuit.layout.feeder_heads[0], circuit.node_base_v, sites
    )
    return Area(circuit=circuit, map=feeder_map, series=feeder_map.series(circuit.yprim), size_kw=size)


def _table(name: str) -> Feeder:
    kind, _, nodes = name.partition(" ")
    if not nodes:
        return read_feeder(FEEDERS / name)
    return synthetic_feeder(int(nodes), 1, centre_tapped=kind == "north_american")


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaOfTwo:
    """Two feeders behind one substation, with their maps; arrays of DERs per feeder."""

    circuit: Circuit
    maps: tuple[FeederMap, FeederMap]
    sizes_kw: tuple[FloatArray, FloatArray]

    def solve(self, p_kw: Sequence[FloatArray]) -> tuple[float, tuple[OperatingPoint, ...]]:
        """Power drawn at the interface, taps held [MW], and the maps around that state."""
        together = np.concatenate(p_kw)
        self.circuit.set_ders(together, np.zeros_like(together))
        self.circuit.solve(Control.OFF)
        points = tuple(
            m.operating_point(
                m.series(self.circuit.yprim), self.circuit.node_voltages_v(), m.to_map_order(p), 0.0 * p
            )
            for m, p in zip(self.maps, p_kw, strict=True)
        )
        return float(self.circuit.head_power_kva().real.sum()) / 1e3, points


def area_of_two() -> AreaOfTwo:
    """The 13-node and the 123-node feeder on one medium-voltage bus."""
    rng = np.random.default_rng(6)
    instances, sizes = [], []
    for name, count in (("ieee13", 8), ("ieee123", 24)):
        table = read_feeder(FEEDERS / name)
        spots = [spot for spot in table.loads if spot.connection == "wye"]
        chosen = [spots[k] for k in rng.integers(0, len(spots), count)]
        size = rng.uniform(0.5, 1.5, count)
        sizes.append(size * 1.5 * sum(spot.kw for spot in table.loads) / size.sum())
        ders = tuple(
            DerAttachment(id=f"{name}_{k}", bus=spot.bus, phases=spot.phases) for k, spot in enumerate(chosen)
        )
        instances.append(FeederInstance(prefix=name, feeder=table, load_scale=0.8, ders=ders))
    circuit = build_circuit(LdaModel(name="two", bus_kv=138.0, feeders=tuple(instances)), tolerance=1e-10)
    circuit.solve(Control.STATIC)
    nodes = [circuit.der_nodes[:8], circuit.der_nodes[8:]]
    first, second = (
        build_map(
            circuit.branches(),
            circuit.yprim,
            circuit.layout.feeder_heads[k],
            circuit.node_base_v,
            [DerSite(nodes=n, kind="pv", rated_kw=float(s)) for n, s in zip(nodes[k], sizes[k], strict=True)],
        )
        for k in range(2)
    )
    return AreaOfTwo(circuit=circuit, maps=(first, second), sizes_kw=(sizes[0], sizes[1]))


@cache
def standing_area(feeder: str, ders_count: int, share: float, load: float) -> Area:
    """The same area for every test that only reads it."""
    return area(feeder, ders_count, share, load)


def offers(size_kw: FloatArray, seed: int = 5) -> DerColumns:
    """PV, generators, flexible loads and batteries in turn, with seeded prices."""
    rng = np.random.default_rng(seed)
    count = size_kw.size
    der, width, price = [], [], []
    floor, base = np.zeros(count), np.zeros(count)
    for d, size in enumerate(size_kw):
        match d % 4:
            case 0:
                widths, prices = [0.8 * size], [-5.0 + rng.uniform(0, 0.5)]
            case 1:
                widths, prices = [size / 2] * 2, sorted(rng.uniform(25, 60, 2))
            case 2:
                floor[d] = base[d] = -0.4 * size
                widths, prices = [0.4 * size], [rng.uniform(60, 180)]
            case _:
                floor[d] = -size
                middle = rng.uniform(24, 40)
                widths, prices = [size / 2] * 4, [middle - 6, middle - 4, middle + 3, middle + 6]
        der += [d] * len(widths)
        width += widths
        price += prices
    return DerColumns(
        der=np.array(der),
        width_kw=np.array(width),
        price_usd_per_mwh=np.array(price),
        floor_kw=floor,
        base_kw=base,
        q_kvar=np.zeros(count),
        q_limit_kvar=np.zeros(count),
    )


def expected_kw(columns: DerColumns, price_usd_per_mwh: float = FORECAST_USD_PER_MWH) -> FloatArray:
    """Injections by merit order alone."""
    runs = columns.price_usd_per_mwh < price_usd_per_mwh
    return columns.injection_kw(np.where(runs, columns.width_kw, 0.0))
