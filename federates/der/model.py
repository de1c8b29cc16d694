"""What a DER model is: what its devices meet, can do, do by themselves, and are afterwards.

Three things are kept apart. *Actual*: what an interval really brings, known to the plant alone. *Expected*:
the forecast of it, made at a stated instant. *Offered*: what an aggregator makes of its own expectation; see
:mod:`federates.der.offer`. All functions are pure: state goes in and comes out, and only the plant keeps it,
once per accepted step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Generic, TypeVar

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.der_settings import DerSettings
from federates.core.errors import ModelError
from federates.der.fleet import Fleet
from federates.der.inverter import reactive_room_kvar
from federates.der.offer import Blocks, PricePath
from federates.der.placement import Placement

S_PER_H = 3_600.0
POWER_TOLERANCE_KW = 1e-6
"""Width by which a set-point may leave its range before it is an error. [kW]"""

Settings = TypeVar("Settings", bound=DerSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an area brings to its devices in one interval."""

    t_s: int
    """Beginning, since the midnight at which the study's first day begins. [s]"""
    length_s: int
    """Length. [s]"""
    sun: FloatArray
    """What the sun gives to the mean PV unit at each device's feeder, or where its profile says, over its
    rating, shape (ders,)."""
    profile: FloatArray
    """What a device's own profile says, over its rating; NaN where it has none, shape (ders,)."""
    level: float
    """Load of the area over its peak."""

    def of(self, places: IntArray) -> Surroundings:
        """The same for some of the devices."""
        return replace(self, sun=self.sun[places], profile=self.profile[places])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What an interval brings to each device; arrays have shape (ders,)."""

    length_s: int
    """Length. [s]"""
    least_kw: FloatArray
    """Least injection that use or connection allow, whatever is stored. [kW]"""
    available_kw: FloatArray
    """Greatest injection that sun, use or connection allow, whatever is stored. [kW]"""
    flow_kw: FloatArray
    """What a store gains by itself, inside the store; losses that hang on its own level not included. [kW]"""
    due_kwh: FloatArray
    """Energy that a store is asked to hold when it is due; 0 where nothing is asked. [kWh]"""
    due_s: FloatArray
    """Time from the interval's beginning until then; inf where nothing is due. [s]"""
    fresh: BoolArray
    """Whether a store is empty at the interval's beginning, whatever it held before."""

    @property
    def hours(self) -> float:
        """Length. [h]"""
        return self.length_s / S_PER_H

    @property
    def is_last(self) -> BoolArray:
        """Whether no whole interval of this length fits between this one and what is due, shape (ders,)."""
        last: BoolArray = self.due_s < 2 * self.length_s
        return last

    def of(self, places: IntArray) -> Interval:
        """The same for some of the devices."""
        return Interval(
            length_s=self.length_s,
            **{f.name: getattr(self, f.name)[places] for f in fields(self) if f.name != "length_s"},
        )


def plain_interval(length_s: int, least_kw: FloatArray, available_kw: FloatArray) -> Interval:
    """Interval that only bounds powers."""
    n = least_kw.size
    return Interval(
        length_s=length_s,
        least_kw=least_kw,
        available_kw=available_kw,
        flow_kw=np.zeros(n),
        due_kwh=np.zeros(n),
        due_s=np.full(n, np.inf),
        fresh=np.zeros(n, dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """What devices carry from one interval to the next; arrays have shape (ders,)."""

    energy_kwh: FloatArray
    """Energy in each store, 0 where there is none. A room's or a tank's is heat (or cold) above the worse
    edge of its comfort band, and outside the band it leaves [0, capacity]. [kWh]"""
    p_kw: FloatArray
    """Injection of the interval before. [kW]"""

    def of(self, places: IntArray) -> FleetState:
        """The same for some of the devices."""
        return FleetState(energy_kwh=self.energy_kwh[places], p_kw=self.p_kw[places])


def initial_state(fleet: Fleet) -> FleetState:
    """State at a study's start: nothing runs."""
    return FleetState(energy_kwh=fleet.initial_kwh.copy(), p_kw=np.zeros(len(fleet)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PqRange:
    """Powers that devices can hold through an interval; injection positive, shape (ders,)."""

    p_min_kw: FloatArray
    """Least injection. [kW]"""
    p_max_kw: FloatArray
    """Greatest injection. [kW]"""
    p_running_kw: FloatArray
    """Least injection above zero: nothing lies between it and zero. [kW]"""
    q_max_kvar: FloatArray
    """Reactive power possible either way at any of these active powers. [kvar]"""

    def clip(self, p_kw: FloatArray) -> FloatArray:
        """Nearest possible active power, shape (ders,). [kW]"""
        p = np.clip(p_kw, self.p_min_kw, self.p_max_kw)
        between = (p > 0.0) & (p < self.p_running_kw)
        stops = between & (self.p_min_kw <= 0.0) & (2.0 * p < self.p_running_kw)
        return np.where(stops, 0.0, np.where(between, self.p_running_kw, p))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an interval left behind; arrays have shape (ders,)."""

    energy_kwh: FloatArray
    """Energy in each store at its end. [kWh]"""
    unserved_kwh: FloatArray
    """Energy that was due in this interval and is missing. [kWh]"""
    outside_min: FloatArray
    """Minutes outside the comfort band, of all units that a device stands for. [min]"""
    started: FloatArray
    """1 where a device started."""
    cost_usd: FloatArray
    """True cost: fuel, starts, wear, use forgone, sun not taken. [$]"""
    co2_kg: FloatArray
    """Emissions. [kg]"""


class DerModel(ABC, Generic[Settings]):
    """Behaviour of all devices of one kind; arrays are over these devices."""

    kind: ClassVar[str]
    """Key of the kind, as in a study."""
    has_inverter: ClassVar[bool] = False
    """Whether the devices can give and take reactive power."""
    follows_site: ClassVar[bool] = False
    """Whether a device by itself evens out what its site draws."""

    @abstractmethod
    def build(self, settings: Settings, place: Placement) -> Fleet:
        """Devices of one simulated feeder."""

    @abstractmethod
    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """What an interval really brings."""

    def expected(self, devices: Fleet, around: Surroundings, issue_s: int) -> Interval:
        """What an interval is expected to bring, at ``issue_s`` (on the clock of ``around``); ``around`` is
        then the forecast made at that instant.
        """
        del issue_s
        return self.actual(devices, around)

    @abstractmethod
    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """What the devices can hold through the interval, what their owners insist on kept."""

    @abstractmethod
    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """What devices ask for when nobody directs them, shape (ders,); `feasible` has to allow it. [kW]

        ``site_kw``: demand less other injections at each device's site, read where `follows_site`.
        """

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """What is left after ``p_kw`` was held through the interval.

        Raises
        ------
        ModelError
            If a power is not feasible; clip it first.
        """
        require_feasible(devices, self.feasible(devices, state, interval), p_kw)
        return plain_step(state.energy_kwh, cost_usd=self.cost_usd(devices, p_kw, interval))

    def curtailed_kw(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """What is available but not injected, or wanted but not served, shape (ders,). [kW]"""
        del devices, interval
        return np.zeros_like(p_kw)

    def cost_usd(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """True cost of holding a power through an interval, starts aside, shape (ders,). [$]"""
        del devices, interval
        return np.zeros_like(p_kw)


class PricedModel(DerModel[Settings]):
    """Devices offered at a price of their own."""

    blocks_count: ClassVar[int] = 1
    """Price blocks of a device's offer."""

    @abstractmethod
    def offer(self, devices: Fleet, state: FleetState, interval: Interval, ahead: PricePath) -> Blocks:
        """What is offered in an interval as its owner expects it; ``ahead`` begins with the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWorth:
    """What decides on the worth of stored energy; arrays have shape (ders,)."""

    discharge_kw: FloatArray
    """Greatest discharge at the terminals. [kW]"""
    due_usd_per_mwh: FloatArray
    """Worth of a MWh that is asked for and missing when a store is due. [$/MWh]"""
    terminal_share: FloatArray
    """Worth of a MWh left at the end of the prices known, over that of stored energy in general."""
    terminal_below_kwh: FloatArray
    """Level up to which that holds. [kWh]"""


class StoreModel(DerModel[Settings]):
    """Devices offered at the opportunity cost of the energy that they store."""

    @abstractmethod
    def worth(self, devices: Fleet) -> StoreWorth:
        """What decides on the worth of their energy."""


def plain_step(
    energy_kwh: FloatArray,
    *,
    cost_usd: FloatArray,
    unserved_kwh: FloatArray | None = None,
    outside_min: FloatArray | None = None,
    started: FloatArray | None = None,
    co2_kg: FloatArray | None = None,
) -> Step:
    """Step whose counts are zero unless given."""
    zero = np.zeros_like(energy_kwh)
    return Step(
        energy_kwh=energy_kwh.copy(),
        unserved_kwh=zero if unserved_kwh is None else unserved_kwh,
        outside_min=zero if outside_min is None else outside_min,
        started=zero if started is None else started,
        cost_usd=cost_usd,
        co2_kg=zero if co2_kg is None else co2_kg,
    )


def pq_range(
    devices: Fleet,
    p_min_kw: FloatArray,
    p_max_kw: FloatArray,
    *,
    has_inverter: bool,
    p_running_kw: FloatArray | None = None,
) -> PqRange:
    """Range with the reactive power that an inverter has left at the rated active power."""
    zero = np.zeros_like(devices.power_kw)
    return PqRange(
        p_min_kw=p_min_kw,
        p_max_kw=p_max_kw,
        p_running_kw=zero if p_running_kw is None else p_running_kw,
        q_max_kvar=reactive_room_kvar(devices.s_kva, devices.power_kw) if has_inverter else zero,
    )


def require_feasible(devices: Fleet, possible: PqRange, p_kw: FloatArray) -> None:
    """Check powers against a range.

    Raises
    ------
    ModelError
        If one lies outside; names the device.
    """
    outside = np.abs(possible.clip(p_kw) - p_kw)
    if outside.size and outside.max() > POWER_TOLERANCE_KW:
        worst = int(np.argmax(outside))
        raise ModelError(
            f"DER {devices.ids[worst]!r}: {p_kw[worst]:.3f} kW is outside "
            f"{possible.p_min_kw[worst]:.3f} .. {possible.p_max_kw[worst]:.3f} kW; clip the set-point first"
        )
