"""The distributed resources of one simulated feeder: what they are, where they sit, whose they are.

Devices are columns of one table, ordered by the load at which they sit (in the feeder's own order) and then
by kind; nothing hangs on a name. Draws come from streams that are seeded on integers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.der.seeds import Stream, generator
from federates.distribution.model import Feeder

KINDS = ("pv", "battery", "flexible")
"""Kinds in the order in which they stand at one load."""
PV_SITES = 40
BATTERY_SITES = 20
FLEXIBLE_SITES = 10
FLEXIBLE_CEILING = 0.8
"""Greatest part of a load that can be flexible."""
KVA_PER_KW = 1.1
YIELD_SPREAD = 0.05
"""Greatest departure of a PV unit's yield from the mean, either way."""
VALUE_STEPS = 2
"""Steps of equal width in a flexible load's value of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Distributed resources of one simulated feeder, as totals."""

    load_scale: float = 1.0
    """Factor on the published loads."""
    pv_kw: float = 0.0
    """Installed photovoltaics. [kW]"""
    pv_curtailment_usd_per_mwh: float = 5.0
    """True cost of a curtailed MWh. [$/MWh]"""
    pv_owner: str = "supplier"
    """Aggregator of the photovoltaics."""
    battery_kw: float = 0.0
    """Charging and discharging power of all batteries. [kW]"""
    battery_kwh: float = 0.0
    """Energy of all batteries. [kWh]"""
    battery_efficiency: float = 0.92
    """Efficiency each way, in (0, 1]."""
    battery_wear_usd_per_mwh: float = 4.0
    """Ageing per MWh charged and discharged again. [$/MWh]"""
    battery_initial_charge: float = 0.5
    """State of charge at the start, 0 to 1."""
    battery_owner: str = "supplier"
    """Aggregator of the batteries."""
    ev_count: int = 0
    """Electric vehicles."""
    ev_charger_kw: float = 7.2
    """Charging power of each. [kW]"""
    ev_daily_kwh: float = 10.0
    """Mean energy of a vehicle and day. [kWh]"""
    ev_far_weight: float = 1.0
    """How much likelier a vehicle is on the farther half of the loads."""
    flexible_share: float = 0.0
    """Share of the peak demand that is flexible."""
    flexible_value_usd_per_mwh: tuple[float, float] = (30.0, 60.0)
    """Value of use of the first and the second half of a flexible load, ascending. [$/MWh]"""
    flexible_owner: str = "supplier"
    """Aggregator of the flexible loads."""
    evening_bump: float = 0.0
    """Extra demand around 19:30, as a share of the peak."""
    participation: float = 1.0
    """Share of the devices that take part in markets."""
    behind_meter: bool = True
    """Whether the devices are on the customers' side of the meter."""

    def __post_init__(self) -> None:
        if (self.battery_kw > 0.0) != (self.battery_kwh > 0.0):
            raise ConfigError("batteries need both power and energy, or neither")
        if not 0.0 <= self.flexible_share <= FLEXIBLE_CEILING:
            raise ConfigError(
                f"flexible share {self.flexible_share}: at most {FLEXIBLE_CEILING} of the demand"
            )
        if list(self.flexible_value_usd_per_mwh) != sorted(self.flexible_value_usd_per_mwh):
            raise ConfigError("value of use: the steps must ascend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Devices of one feeder (or, joined, of several); every array has shape (ders,) unless said."""

    ids: tuple[str, ...]
    """Names, unique."""
    kind: tuple[str, ...]
    """Keys of the catalogue of DER models."""
    bus: tuple[str, ...]
    """Bus at which the device stands."""
    phases: tuple[tuple[int, ...], ...]
    """Phases, those of the load at which it sits."""
    load: IntArray
    """Place of that load in the feeder's table."""
    node: IntArray
    """Place of its bus among the buses with loads, as `load_nodes` numbers them."""
    power_kw: FloatArray
    """Greatest injection, or charge, or demand of a flexible load. [kW]"""
    s_kva: FloatArray
    """Rating of the inverter. [kVA]"""
    energy_kwh: FloatArray
    """Usable energy of a store, else 0. [kWh]"""
    initial_kwh: FloatArray
    """Energy held at the start. [kWh]"""
    charge_efficiency: FloatArray
    """Energy stored per energy drawn; 1 where there is no store."""
    discharge_efficiency: FloatArray
    """Energy delivered per energy taken from the store; 1 where there is none."""
    wear_usd_per_mwh: FloatArray
    """Ageing per MWh charged and discharged again. [$/MWh]"""
    curtailment_usd_per_mwh: FloatArray
    """True cost of a curtailed MWh. [$/MWh]"""
    value_usd_per_mwh: FloatArray
    """Value of use by step, ascending, zero where there is none, shape (ders, steps). [$/MWh]"""
    yield_factor: FloatArray
    """A PV unit's yield over the mean of its feeder; 1 elsewhere."""
    owner: tuple[str, ...]
    """Aggregator of the device."""
    behind_meter: BoolArray
    """Whether it is on the customer's side of the meter."""
    participates: BoolArray
    """Whether it takes part in markets."""

    def __len__(self) -> int:
        return len(self.ids)

    def of_kind(self, kind: str) -> BoolArray:
        """Mask of the devices of one kind, shape (ders,)."""
        return np.array([k == kind for k in self.kind], dtype=np.bool_)

    def of_owner(self, owner: str) -> BoolArray:
        """Mask of the devices of one aggregator, shape (ders,)."""
        return np.array([o == owner for o in self.owner], dtype=np.bool_)

    def select(self, mask: BoolArray) -> Fleet:
        """Devices where ``mask`` holds, in the same order."""
        return _taken(self, np.flatnonzero(mask))


def build_fleet(feeder: Feeder, mix: Mix, seed_id: int) -> Fleet:
    """Devices of one simulated feeder.

    The loads, in the feeder's order, are cut into `PV_SITES` clusters of consecutive loads; each cluster's PV
    stands at one load drawn from it, sized by the cluster's peak. Batteries stand at every n-th PV site, or
    at sites of their own where there is no PV. Flexible loads are parts of loads drawn by peak.

    Parameters
    ----------
    feeder
        The circuit.
    mix
        Totals.
    seed_id
        What the draws hang on.

    Raises
    ------
    ConfigError
        If the feeder has no load to stand at.
    """
    peak_kw = np.array([load.kw for load in feeder.loads])
    if not peak_kw.any():
        raise ConfigError(f"feeder {feeder.name!r} has no loads; DERs stand at loads")
    parts = [
        _pv(feeder, mix, peak_kw, seed_id),
        _batteries(feeder, mix, peak_kw, seed_id),
        _flexible(feeder, mix, peak_kw, seed_id),
    ]
    fleet = joined(parts)
    rank = np.array([KINDS.index(kind) for kind in fleet.kind], dtype=np.int64)
    fleet = _taken(fleet, np.lexsort((rank, fleet.load)))
    drawn = generator(seed_id, Stream.PARTICIPATION).random(len(fleet))
    return replace(fleet, participates=drawn < mix.participation)


def jittered(mix: Mix, jitter: float, seed_id: int) -> Mix:
    """Mix whose sizes each differ by up to ``jitter`` either way, drawn on ``seed_id``."""
    pv, battery, ev, flexible = 1.0 + jitter * generator(seed_id, Stream.JITTER).uniform(-1.0, 1.0, 4)
    return replace(
        mix,
        pv_kw=mix.pv_kw * pv,
        battery_kw=mix.battery_kw * battery,
        battery_kwh=mix.battery_kwh * battery,
        ev_count=round(mix.ev_count * ev),
        flexible_share=min(mix.flexible_share * flexible, FLEXIBLE_CEILING),
    )


def joined(fleets: Sequence[Fleet], prefixes: Sequence[str] | None = None) -> Fleet:
    """Fleets one after the other; ``prefixes`` go before ids and buses.

    ``load`` and ``node`` stay places within each feeder.
    """
    names = prefixes or [""] * len(fleets)
    columns: dict[str, object] = {}
    for field in fields(Fleet):
        values = [getattr(fleet, field.name) for fleet in fleets]
        if field.name in {"ids", "bus"}:
            columns[field.name] = tuple(
                p + name for p, part in zip(names, values, strict=True) for name in part
            )
        elif isinstance(values[0], tuple):
            columns[field.name] = tuple(x for part in values for x in part)
        else:
            columns[field.name] = np.concatenate(values)
    return Fleet(**columns)  # type: ignore[arg-type]


def load_nodes(feeder: Feeder) -> IntArray:
    """Place of each load's bus among the buses with loads, by first appearance, shape (loads,)."""
    place: dict[str, int] = {}
    return np.array([place.setdefault(load.bus, len(place)) for load in feeder.loads], dtype=np.int64)


def flexible_kw_by_load(fleet: Fleet, n_loads: int) -> FloatArray:
    """Part of each load's peak that is flexible, shape (loads,). [kW]"""
    total = np.zeros(n_loads)
    flexible = fleet.of_kind("flexible")
    np.add.at(total, fleet.load[flexible], fleet.power_kw[flexible])
    return total


def _taken(fleet: Fleet, order: IntArray) -> Fleet:
    columns: dict[str, object] = {}
    for field in fields(Fleet):
        value = getattr(fleet, field.name)
        columns[field.name] = (
            tuple(value[k] for k in order.tolist()) if isinstance(value, tuple) else value[order]
        )
    return Fleet(**columns)  # type: ignore[arg-type]


def _clusters(peak_kw: FloatArray, sites: int, seed_id: int) -> tuple[IntArray, FloatArray]:
    """One load drawn from each cluster of consecutive loads, and the clusters' share of the peak."""
    loads = np.flatnonzero(peak_kw > 0.0)
    clusters = np.array_split(loads, min(sites, loads.size))
    rng = generator(seed_id, Stream.PLACEMENT)
    place = np.array([rng.choice(cluster) for cluster in clusters], dtype=np.int64)
    share = np.array([peak_kw[cluster].sum() for cluster in clusters])
    return place, share / share.sum()


def _pv(feeder: Feeder, mix: Mix, peak_kw: FloatArray, seed_id: int) -> Fleet:
    place, share = _clusters(peak_kw, PV_SITES, seed_id)
    if mix.pv_kw <= 0.0:
        place, share = place[:0], share[:0]
    power = mix.pv_kw * share
    spread = generator(seed_id, Stream.YIELD).uniform(-YIELD_SPREAD, YIELD_SPREAD, place.size)
    yield_factor = 1.0 + spread - (share @ spread if place.size else 0.0)
    return replace(
        _devices(feeder, "pv", place, power, mix.pv_owner, mix),
        curtailment_usd_per_mwh=np.full(place.size, mix.pv_curtailment_usd_per_mwh),
        yield_factor=yield_factor,
    )


def _batteries(feeder: Feeder, mix: Mix, peak_kw: FloatArray, seed_id: int) -> Fleet:
    place, share = _clusters(peak_kw, PV_SITES, seed_id)
    every = max(place.size // BATTERY_SITES, 1)
    place, share = place[::every], share[::every]
    if mix.battery_kw <= 0.0:
        place, share = place[:0], share[:0]
    share = share / share.sum() if place.size else share
    energy = mix.battery_kwh * share
    return replace(
        _devices(feeder, "battery", place, mix.battery_kw * share, mix.battery_owner, mix),
        energy_kwh=energy,
        initial_kwh=energy * mix.battery_initial_charge,
        charge_efficiency=np.full(place.size, mix.battery_efficiency),
        discharge_efficiency=np.full(place.size, mix.battery_efficiency),
        wear_usd_per_mwh=np.full(place.size, mix.battery_wear_usd_per_mwh),
    )


def _flexible(feeder: Feeder, mix: Mix, peak_kw: FloatArray, seed_id: int) -> Fleet:
    """Flexible parts of loads: as many loads as keep each below `FLEXIBLE_CEILING`, at least a few."""
    scaled_kw = peak_kw * mix.load_scale
    wanted_kw = mix.flexible_share * scaled_kw.sum()
    loads = np.flatnonzero(scaled_kw > 0.0)
    drawn = generator(seed_id, Stream.FLEXIBLE).permutation(loads)
    reach_kw = FLEXIBLE_CEILING * np.cumsum(scaled_kw[drawn])
    enough = int(np.searchsorted(reach_kw, wanted_kw * (1.0 - 1e-12))) + 1
    sites = max(enough, min(FLEXIBLE_SITES, loads.size)) if wanted_kw > 0.0 else 0
    place = np.sort(drawn[:sites])
    power = wanted_kw * scaled_kw[place] / scaled_kw[place].sum() if sites else np.zeros(0)
    value = np.tile(np.array(mix.flexible_value_usd_per_mwh), (place.size, 1))
    return replace(
        _devices(feeder, "flexible", place, power, mix.flexible_owner, mix), value_usd_per_mwh=value
    )


def _devices(feeder: Feeder, kind: str, place: IntArray, power_kw: FloatArray, owner: str, mix: Mix) -> Fleet:
    """Devices of one kind with nothing but size and place."""
    n = place.size
    loads = [feeder.loads[k] for k in place.tolist()]
    return Fleet(
        ids=tuple(f"{kind}_{load.name}" for load in loads),
        kind=(kind,) * n,
        bus=tuple(load.bus for load in loads),
        phases=tuple(load.phases for load in loads),
        load=place,
        node=load_nodes(feeder)[place],
        power_kw=power_kw,
        s_kva=KVA_PER_KW * power_kw,
        energy_kwh=np.zeros(n),
        initial_kwh=np.zeros(n),
        charge_efficiency=np.ones(n),
        discharge_efficiency=np.ones(n),
        wear_usd_per_mwh=np.zeros(n),
        curtailment_usd_per_mwh=np.zeros(n),
        value_usd_per_mwh=np.zeros((n, VALUE_STEPS)),
        yield_factor=np.ones(n),
        owner=(owner,) * n,
        behind_meter=np.full(n, mix.behind_meter),
        participates=np.ones(n, dtype=np.bool_),
    )
