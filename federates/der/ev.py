"""Electric vehicles, each at home from an evening to the next morning.

Those that charge on arrival are fixed demand at the loads where they live. Managed ones are DERs, vehicle by
vehicle: plugged from arrival to departure, with the energy that their driver asks for by then. What a day's
trip takes leaves the battery evenly while the vehicle is away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.der_settings import EV_MOST, EvSettings
from federates.der.fleet import Fleet
from federates.der.model import (
    FleetState,
    Interval,
    PqRange,
    Step,
    StoreModel,
    StoreWorth,
    Surroundings,
    plain_interval,
    plain_step,
    pq_range,
    require_feasible,
)
from federates.der.placement import Placement
from federates.der.seeds import Stream, device_draws, generator
from federates.der.store import charge_to_kw, discharge_to_kw, stored_kwh, wear_usd

DAY_S = 86_400
S_PER_H = 3_600.0
ARRIVAL_MEAN_H = 18.0
ARRIVAL_SD_H = 1.5
DEPARTURE_MEAN_H = 7.5
DEPARTURE_SD_H = 1.0
ENERGY_SPREAD = EV_MOST - 1.0
"""A day's energy is uniform within this share of its mean, either way."""
MISSING_USD_PER_MWH = 1_000.0
"""What an aggregator pays at most to keep its word on the energy at departure. [$/MWh]"""
LATE_S = 1_800
"""A vehicle that is overdue is expected so much later. [s]"""
_SPREAD_LIMIT_SD = 3.0
"""Arrivals and departures of managed vehicles stay within so many standard deviations of their mean."""
_GRID_S = 60
_QUADRATURE = 16
MISSED_KWH = 1e-6
"""Shortfall that is rounding, not missing energy. [kWh]"""
_DAILY_KWH = "ev_daily_kwh"
"""Mean energy of a day's trips. [kWh]"""
_TARGET_KWH = "ev_target_kwh"
"""Energy asked for at departure. [kWh]"""
_DISCHARGE_KW = "ev_discharge_kw"
"""Power that may flow back. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicles:
    """The vehicles of one feeder."""

    load: IntArray
    """Load at which each lives, shape (vehicles,)."""
    charger_kw: float
    """Charging power of each. [kW]"""
    daily_kwh: float
    """Mean energy of a day. [kWh]"""
    seed_id: int
    """What arrivals and energies hang on."""


def place_vehicles(settings: EvSettings | None, place: Placement) -> Vehicles:
    """Vehicles that charge on arrival, at loads drawn in proportion to peak, more often on the farther half;
    none where the vehicles are managed.
    """
    fixed = settings is not None and settings.charging == "on_arrival"
    ev = settings if settings is not None and fixed else EvSettings(count=0)
    return Vehicles(
        load=place.drawn(ev.count, Stream.EV_PLACEMENT, ev.far_weight),
        charger_kw=ev.charger_kw,
        daily_kwh=ev.daily_energy_kwh,
        seed_id=place.seed_id,
    )


def charging_kw(vehicles: Vehicles, t_local_s: IntArray, n_loads: int) -> FloatArray:
    """Charging at each load.

    Parameters
    ----------
    vehicles
        Vehicles of the feeder.
    t_local_s
        Seconds since the midnight at which the study's first day begins, shape (times,). [s]
    n_loads
        Number of loads.

    Returns
    -------
    numpy.ndarray
        Shape (times, loads). [kW]
    """
    power = np.zeros((t_local_s.size, n_loads))
    if vehicles.load.size == 0 or t_local_s.size == 0:
        return power
    for day in range(int(t_local_s.min()) // DAY_S - 1, int(t_local_s.max()) // DAY_S + 1):
        rng = generator(vehicles.seed_id, Stream.EV_SESSIONS, day)
        begin_h = rng.normal(ARRIVAL_MEAN_H, ARRIVAL_SD_H, vehicles.load.size)
        energy_kwh = vehicles.daily_kwh * rng.uniform(1 - ENERGY_SPREAD, 1 + ENERGY_SPREAD, begin_h.size)
        end_h = begin_h + energy_kwh / vehicles.charger_kw
        hour = (t_local_s - day * DAY_S) / S_PER_H
        charging = (begin_h <= hour[:, None]) & (hour[:, None] < end_h)
        time, vehicle = np.nonzero(charging)
        np.add.at(power, (time, vehicles.load[vehicle]), vehicles.charger_kw)
    return power


def expected_charging_kw(vehicles: Vehicles, t_local_s: IntArray, n_loads: int) -> FloatArray:
    """Expectation of `charging_kw`, for who knows where vehicles live but not when they come; same shape."""
    spread = ENERGY_SPREAD * (2.0 * (np.arange(_QUADRATURE) + 0.5) / _QUADRATURE - 1.0)
    durations_h = vehicles.daily_kwh * (1.0 + spread) / vehicles.charger_kw
    hour = (t_local_s % DAY_S) / S_PER_H
    share = np.zeros(t_local_s.size)
    for shift_h in (0.0, 24.0):
        ended = np.mean([_arrived(hour + shift_h - d) for d in durations_h], axis=0)
        share += _arrived(hour + shift_h) - ended
    count = np.bincount(vehicles.load, minlength=n_loads)
    return np.asarray(vehicles.charger_kw * share[:, None] * count)


def _arrived(hour: FloatArray) -> FloatArray:
    """Probability of having arrived by an hour of the day."""
    z = (hour - ARRIVAL_MEAN_H) / (ARRIVAL_SD_H * math.sqrt(2.0))
    return np.array([0.5 * (1.0 + math.erf(x)) for x in z.tolist()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """When vehicles leave in the morning of one day and come back in its evening, shape (ders,)."""

    departure_s: FloatArray
    """On the clock that begins at the study's first midnight. [s]"""
    arrival_s: FloatArray
    """After the departure. [s]"""
    trip_kwh: FloatArray
    """Energy used in between. [kWh]"""


def sessions(devices: Fleet, day: int) -> Sessions:
    """Sessions of one day (counted from the study's first), on whole minutes."""
    draws = device_draws(devices.seed_id, devices.rank, Stream.EV_SESSIONS, day, 5)
    limit = _SPREAD_LIMIT_SD
    z = np.clip(_normals(draws[:, :4]), -limit, limit)
    begin_s = day * DAY_S
    departure_h = DEPARTURE_MEAN_H + DEPARTURE_SD_H * z[:, 0]
    arrival_h = ARRIVAL_MEAN_H + ARRIVAL_SD_H * z[:, 1]
    spread = 1.0 + ENERGY_SPREAD * (2.0 * draws[:, 4] - 1.0)
    return Sessions(
        departure_s=begin_s + _on_grid(departure_h),
        arrival_s=begin_s + _on_grid(arrival_h),
        trip_kwh=devices.own[_DAILY_KWH] * spread,
    )


def expected_sessions(devices: Fleet, day: int, issue_s: int) -> Sessions:
    """Sessions as known at ``issue_s``: who has come has said when it leaves and by how much it was used; of
    the others only the habit is known, and who is overdue is expected half an hour later.
    """
    actual, last = sessions(devices, day), sessions(devices, day - 1)
    left, back = last.arrival_s <= issue_s, actual.arrival_s <= issue_s
    departure_s = np.where(left, actual.departure_s, day * DAY_S + _on_grid(np.float64(DEPARTURE_MEAN_H)))
    habit_s = np.maximum(day * DAY_S + _on_grid(np.float64(ARRIVAL_MEAN_H)), issue_s + LATE_S)
    return Sessions(
        departure_s=departure_s,
        arrival_s=np.where(back, actual.arrival_s, habit_s),
        trip_kwh=np.where(back, actual.trip_kwh, devices.own[_DAILY_KWH]),
    )


class ManagedVehicles(StoreModel[EvSettings]):
    """Vehicles whose charging can be moved between arrival and departure, and turned round where they may.

    The charger keeps the driver's word: it holds back no power that the energy asked for still needs, so that
    a vehicle leaves with it whenever full power from its arrival would have been enough.
    """

    kind = "ev"
    has_inverter = True

    def build(self, settings: EvSettings, place: Placement) -> Fleet:
        """Every vehicle by itself; none where they charge on arrival."""
        count = settings.count if settings.charging == "managed" else 0
        load = place.drawn(count, Stream.EV_PLACEMENT, settings.far_weight)
        return replace(
            place.devices(load, np.full(count, settings.charger_kw)),
            energy_kwh=np.full(count, settings.battery_kwh),
            initial_kwh=np.full(count, settings.battery_kwh * settings.initial_charge),
            charge_efficiency=np.full(count, settings.efficiency),
            discharge_efficiency=np.full(count, settings.efficiency),
            wear_usd_per_mwh=np.full(count, settings.wear_usd_per_mwh),
            own={
                _DAILY_KWH: np.full(count, settings.daily_energy_kwh),
                _TARGET_KWH: np.full(count, settings.battery_kwh * settings.departure_charge),
                _DISCHARGE_KW: np.full(count, settings.charger_kw if settings.v2g else 0.0),
            },
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """Plugged or not, by the day's sessions."""
        day = around.t_s // DAY_S
        return self._plugged(devices, around, [sessions(devices, d) for d in range(day - 1, day + 3)])

    def expected(self, devices: Fleet, around: Surroundings, issue_s: int) -> Interval:
        """Plugged or not, by what is known at ``issue_s``."""
        day = around.t_s // DAY_S
        days = [expected_sessions(devices, d, issue_s) for d in range(day - 1, day + 3)]
        return self._plugged(devices, around, days)

    def _plugged(self, devices: Fleet, around: Surroundings, days: list[Sessions]) -> Interval:
        """Interval between the departures of consecutive days."""
        begin, end = float(around.t_s), float(around.t_s + around.length_s)
        n = len(devices)
        away_kwh, plugged, due_s = np.zeros(n), np.zeros(n, dtype=np.bool_), np.full(n, np.inf)
        for today, tomorrow in zip(days, [*days[1:], None], strict=True):
            away_s = np.clip(
                np.minimum(end, today.arrival_s) - np.maximum(begin, today.departure_s), 0.0, None
            )
            away_kwh += today.trip_kwh * away_s / (today.arrival_s - today.departure_s)
            if tomorrow is not None:
                home = (today.arrival_s <= begin) & (end <= tomorrow.departure_s)
                plugged |= home
                due_s = np.where(home, tomorrow.departure_s - begin, due_s)
        least = np.where(plugged, -devices.power_kw, 0.0)
        most = np.where(plugged, devices.own[_DISCHARGE_KW], 0.0)
        return replace(
            plain_interval(around.length_s, least, most),
            flow_kw=-away_kwh * S_PER_H / around.length_s,
            due_kwh=np.where(plugged, devices.own[_TARGET_KWH], 0.0),
            due_s=due_s,
        )

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """What charger and battery allow, and the energy still needed by departure demands."""
        charge = np.clip(charge_to_kw(devices, state, interval, devices.energy_kwh), 0.0, -interval.least_kw)
        must = np.minimum(self._must_kw(devices, state, interval), charge)
        spare = np.where(np.isinf(interval.due_s), 0.0, self._floor_kwh(devices, interval))
        discharge = np.minimum(discharge_to_kw(devices, state, interval, spare), interval.available_kw)
        most = np.where(must > 0.0, -must, discharge)
        return pq_range(devices, -charge, most, has_inverter=True)

    def _floor_kwh(self, devices: Fleet, interval: Interval) -> FloatArray:
        """Level at the interval's end from which full power still reaches the energy due, shape (ders,)."""
        whole = np.floor(np.where(np.isinf(interval.due_s), 0.0, interval.due_s) / interval.length_s)
        left_h = np.maximum(whole - 1.0, 0.0) * interval.hours
        reach = devices.power_kw * devices.charge_efficiency * left_h
        return np.maximum(interval.due_kwh - reach, 0.0)

    def _must_kw(self, devices: Fleet, state: FleetState, interval: Interval) -> FloatArray:
        """Power that must be drawn now lest the energy due be missed, shape (ders,). [kW]"""
        need = charge_to_kw(devices, state, interval, self._floor_kwh(devices, interval))
        return np.where(interval.least_kw < 0.0, np.maximum(need, 0.0), 0.0)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """Full power until the energy asked for is there."""
        del site_kw
        need = charge_to_kw(devices, state, interval, interval.due_kwh)
        return -np.clip(need, 0.0, -interval.least_kw)

    def worth(self, devices: Fleet) -> StoreWorth:
        """What is asked for at departure must be there; what is left at the end saves buying up to that."""
        n = len(devices)
        return StoreWorth(
            discharge_kw=devices.own[_DISCHARGE_KW],
            due_usd_per_mwh=np.full(n, MISSING_USD_PER_MWH),
            terminal_share=1.0 / devices.charge_efficiency,
            terminal_below_kwh=devices.own[_TARGET_KWH],
        )

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """Energy held at the interval's end; what a vehicle that leaves now lacks of what it asked for."""
        require_feasible(devices, self.feasible(devices, state, interval), p_kw)
        level = np.clip(stored_kwh(devices, state, p_kw, interval), 0.0, devices.energy_kwh)
        lacks = np.where(interval.is_last, np.maximum(interval.due_kwh - level, 0.0), 0.0)
        return plain_step(
            level,
            cost_usd=self.cost_usd(devices, p_kw, interval),
            unserved_kwh=np.where(lacks > MISSED_KWH, lacks, 0.0),
        )

    def cost_usd(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """Wear of what is discharged, whole cycles."""
        return 2.0 * wear_usd(devices, np.maximum(p_kw, 0.0), interval)


def _normals(uniform: FloatArray) -> FloatArray:
    """Standard normals by Box and Muller (1958), two columns from each two, shape (..., columns)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform[:, 0::2]))
    angle = 2.0 * math.pi * uniform[:, 1::2]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _on_grid(hour: FloatArray | np.float64) -> FloatArray:
    """Hours as whole minutes. [s]"""
    return np.asarray(np.rint(hour * S_PER_H / _GRID_S) * _GRID_S)
