"""The fleet of a feeder whose user states every DER in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.der_settings import BatterySettings, PvSettings
from federates.core.settings import DEFAULT_SUPPLIER
from federates.der.fleet import Fleet, joined
from federates.der.placement import Placement
from federates.distribution.der_table import TabledDer
from federates.distribution.model import Feeder

TABLED_KINDS = ("pv", "battery")
"""Kinds whose size a table's columns state."""


def attached_fleet(feeder: Feeder, ders: Sequence[TabledDer], seed_id: int) -> Fleet:
    """Devices of a table, kind by kind and in its order; what it does not state is as the settings' defaults.

    ``load`` and ``node`` are -1 where no load stands at a device's bus.
    """
    parts = []
    for kind, build in zip(TABLED_KINDS, (_photovoltaics, _batteries), strict=True):
        rows = [der for der in ders if der.kind == kind]
        parts.append(build(_placed(feeder, rows, kind, seed_id), rows))
    return joined(parts)


def _placed(feeder: Feeder, rows: Sequence[TabledDer], kind: str, seed_id: int) -> Fleet:
    place = Placement(feeder=feeder, load_scale=1.0, seed_id=seed_id, kind=kind, owner=DEFAULT_SUPPLIER)
    at_bus: dict[str, int] = {}
    for k, load in enumerate(feeder.loads):
        at_bus.setdefault(load.bus, k)
    loads: IntArray = np.array([at_bus.get(der.bus, -1) for der in rows], dtype=np.int64)
    devices = place.devices(
        np.maximum(loads, 0), _column(der.power_kw for der in rows), s_kva=_column(der.s_kva for der in rows)
    )
    return replace(
        devices,
        ids=tuple(der.name for der in rows),
        bus=tuple(der.bus for der in rows),
        phases=tuple(der.phases for der in rows),
        load=loads,
        node=np.where(loads < 0, -1, devices.node),
        owner=tuple(der.aggregator or DEFAULT_SUPPLIER for der in rows),
    )


def _photovoltaics(devices: Fleet, rows: Sequence[TabledDer]) -> Fleet:
    cost = PvSettings.model_fields["curtailment_cost_usd_per_mwh"].default
    return replace(devices, curtailment_usd_per_mwh=np.full(len(rows), cost))


def _batteries(devices: Fleet, rows: Sequence[TabledDer]) -> Fleet:
    default = {key: field.default for key, field in BatterySettings.model_fields.items()}
    energy = _column(der.energy_kwh for der in rows)
    return replace(
        devices,
        energy_kwh=energy,
        initial_kwh=energy * default["initial_charge"],
        charge_efficiency=np.full(len(rows), default["efficiency"]),
        discharge_efficiency=np.full(len(rows), default["efficiency"]),
        wear_usd_per_mwh=np.full(len(rows), default["wear_usd_per_mwh"]),
    )


def _column(values: object) -> FloatArray:
    return np.fromiter(values, dtype=np.float64)  # type: ignore[call-overload, no-any-return]
