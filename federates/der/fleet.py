"""The distributed resources of one simulated feeder: what they are, where they sit, whose they are.

Devices are columns of one table, ordered by the load at which they sit (in the feeder's own order) and then
by kind; nothing hangs on a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray

VALUE_STEPS = 2
"""Steps of equal width in a flexible load's value of use."""


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
    """Greatest injection, or charge, or demand. [kW]"""
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
    leak_per_h: FloatArray
    """Rate at which a store loses its own level. [1/h]"""
    wear_usd_per_mwh: FloatArray
    """Ageing per MWh charged and discharged again. [$/MWh]"""
    curtailment_usd_per_mwh: FloatArray
    """True cost of a curtailed MWh. [$/MWh]"""
    value_usd_per_mwh: FloatArray
    """Value of use by step, ascending, zero where there is none, shape (ders, steps). [$/MWh]"""
    yield_factor: FloatArray
    """A PV unit's yield over the mean of its feeder; 1 elsewhere."""
    own: Mapping[str, FloatArray]
    """What only one kind has, by name; zero for the other kinds. Its model's file says what and in which
    unit."""
    seed_id: IntArray
    """What the device's draws hang on, with ``rank``."""
    rank: IntArray
    """Place among its feeder's devices of its kind."""
    owner: tuple[str, ...]
    """Aggregator of the device."""
    customer: tuple[str, ...]
    """Whose it is; empty where the study does not say."""
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
        return taken(self, np.flatnonzero(mask))


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
        elif field.name == "own":
            columns["own"] = {
                key: np.concatenate([f.own.get(key, np.zeros(len(f))) for f in fleets])
                for key in sorted(set().union(*values))
            }
        elif isinstance(values[0], tuple):
            columns[field.name] = tuple(x for part in values for x in part)
        else:
            columns[field.name] = np.concatenate(values)
    return Fleet(**columns)  # type: ignore[arg-type]


def taken(fleet: Fleet, places: IntArray) -> Fleet:
    """Devices at some places, in the order of ``places``."""
    columns: dict[str, object] = {}
    for field in fields(Fleet):
        value = getattr(fleet, field.name)
        if isinstance(value, tuple):
            columns[field.name] = tuple(value[k] for k in places.tolist())
        elif isinstance(value, Mapping):
            columns[field.name] = {key: column[places] for key, column in value.items()}
        else:
            columns[field.name] = value[places]
    return Fleet(**columns)  # type: ignore[arg-type]


def flexible_kw_by_load(fleet: Fleet, n_loads: int) -> FloatArray:
    """Part of each load's peak that is flexible, shape (loads,). [kW]"""
    total = np.zeros(n_loads)
    flexible = fleet.of_kind("flexible")
    np.add.at(total, fleet.load[flexible], fleet.power_kw[flexible])
    return total
