"""THE list of DER models, the devices of a feeder, and what a whole fleet meets, can do and becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.der.battery import Battery
from federates.der.ev import ManagedVehicles
from federates.der.fleet import Fleet, joined, taken
from federates.der.flexible import FlexibleLoad
from federates.der.generator import SmallGenerator
from federates.der.hvac import Hvac
from federates.der.inverter import reactive_room_kvar
from federates.der.mix import Mix
from federates.der.model import DerModel, FleetState, Interval, PqRange, Step, Surroundings
from federates.der.process import Process
from federates.der.pv import Photovoltaics
from federates.der.seeds import Stream, generator
from federates.der.water_heater import WaterHeater
from federates.distribution.model import Feeder

DER_MODELS: tuple[DerModel[Any], ...] = (
    Photovoltaics(),
    Battery(),
    ManagedVehicles(),
    FlexibleLoad(),
    Hvac(),
    WaterHeater(),
    Process(),
    SmallGenerator(),
)
"""Every kind, in the order in which they stand at one load."""

T = TypeVar("T", Interval, PqRange, Step)


def build_fleet(feeder: Feeder, mix: Mix, seed_id: int) -> Fleet:
    """Devices of one simulated feeder.

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
    if not any(load.kw for load in feeder.loads):
        raise ConfigError(f"feeder {feeder.name!r} has no loads; DERs stand at loads")
    parts = []
    for model in DER_MODELS:
        place = mix.placement(model.kind, feeder, seed_id)
        settings = mix.of_kind(model.kind)
        nothing = place.devices(np.zeros(0, dtype=np.int64), np.zeros(0))
        parts.append(nothing if settings is None else model.build(settings, place))
    fleet = joined(parts)
    rank = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    fleet = taken(fleet, np.lexsort((rank, fleet.load)))
    drawn = generator(seed_id, Stream.PARTICIPATION).random(len(fleet))
    return replace(fleet, participates=drawn < mix.ders.participation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The devices of one kind in a fleet."""

    model: DerModel[Any]
    places: IntArray
    """Places in the fleet."""
    devices: Fleet


class Behaviour:
    """What the devices of a fleet meet, can do, do by themselves and become; arrays in fleet order."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        places = {model.kind: np.flatnonzero(fleet.of_kind(model.kind)) for model in DER_MODELS}
        present = [model for model in DER_MODELS if places[model.kind].size] or DER_MODELS[:1]
        self.parts: tuple[Part, ...] = tuple(
            Part(model=model, places=places[model.kind], devices=taken(fleet, places[model.kind]))
            for model in present
        )
        self.has_inverter: BoolArray = self._mask(lambda model: model.has_inverter)
        self.follows_site: BoolArray = self._mask(lambda model: model.follows_site)

    def actual(self, around: Surroundings) -> Interval:
        """What an interval really brings."""
        return self._gathered(
            Interval, ((p, p.model.actual(p.devices, around.of(p.places))) for p in self.parts)
        )

    def expected(self, around: Surroundings, issue_s: int) -> Interval:
        """What an interval is expected to bring, at ``issue_s`` (on the clock of ``around``)."""
        parts = ((p, p.model.expected(p.devices, around.of(p.places), issue_s)) for p in self.parts)
        return self._gathered(Interval, parts)

    def feasible(self, state: FleetState, interval: Interval) -> PqRange:
        """What every device can hold through an interval."""
        parts = (
            (p, p.model.feasible(p.devices, state.of(p.places), interval.of(p.places))) for p in self.parts
        )
        return self._gathered(PqRange, parts)

    def advance(self, state: FleetState, p_kw: FloatArray, interval: Interval) -> tuple[FleetState, Step]:
        """State after a power was held through an interval, and what that interval left behind.

        Raises
        ------
        ModelError
            If a power is not feasible.
        """
        parts = (
            (p, p.model.advance(p.devices, state.of(p.places), p_kw[p.places], interval.of(p.places)))
            for p in self.parts
        )
        step = self._gathered(Step, parts)
        return FleetState(energy_kwh=step.energy_kwh, p_kw=p_kw.copy()), step

    def passive_kw(self, state: FleetState, interval: Interval, site_kw: FloatArray) -> FloatArray:
        """What every device asks for when nobody directs it, shape (ders,). [kW]"""
        p_kw = np.zeros(len(self.fleet))
        for p in self.parts:
            here, now = state.of(p.places), interval.of(p.places)
            p_kw[p.places] = p.model.passive_kw(p.devices, here, now, site_kw[p.places])
        return p_kw

    def curtailed_kw(self, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """What is available but not injected, or wanted but not served, shape (ders,). [kW]"""
        held = np.zeros(len(self.fleet))
        for p in self.parts:
            held[p.places] = p.model.curtailed_kw(p.devices, p_kw[p.places], interval.of(p.places))
        return held

    def cost_usd(self, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """True cost of holding a power through an interval, starts aside, shape (ders,). [$]"""
        cost = np.zeros(len(self.fleet))
        for p in self.parts:
            cost[p.places] = p.model.cost_usd(p.devices, p_kw[p.places], interval.of(p.places))
        return cost

    def reactive_kvar(self, p_kw: FloatArray, asked_kvar: FloatArray) -> FloatArray:
        """Reactive power nearest to what is asked inside the inverters' circles, shape (ders,). [kvar]"""
        room = np.where(self.has_inverter, reactive_room_kvar(self.fleet.s_kva, p_kw), 0.0)
        return np.clip(asked_kvar, -room, room)

    def _mask(self, holds: Callable[[DerModel[Any]], bool]) -> BoolArray:
        mask = np.zeros(len(self.fleet), dtype=np.bool_)
        for p in self.parts:
            mask[p.places] = holds(p.model)
        return mask

    def _gathered(self, record: type[T], parts: Iterator[tuple[Part, T]]) -> T:
        """Records of the kinds as one record of the fleet; what is no array is the same for all."""
        columns: dict[str, Any] = {}
        for part, own in parts:
            for field in fields(record):
                value = getattr(own, field.name)
                if not isinstance(value, np.ndarray):
                    columns[field.name] = value
                    continue
                column = columns.setdefault(field.name, np.zeros(len(self.fleet), dtype=value.dtype))
                column[part.places] = value
        return record(**columns)
