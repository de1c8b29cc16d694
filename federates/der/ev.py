"""Electric vehicles that charge on arrival: fixed demand at the loads where they live."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.der.fleet import Mix
from federates.der.seeds import Stream, generator

DAY_S = 86_400
S_PER_H = 3_600.0
ARRIVAL_MEAN_H = 18.0
ARRIVAL_SD_H = 1.5
ENERGY_SPREAD = 0.5
"""A day's energy is uniform within this share of its mean, either way."""
_QUADRATURE = 16


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


def place_vehicles(mix: Mix, peak_kw: FloatArray, distance: FloatArray, seed_id: int) -> Vehicles:
    """Vehicles at loads drawn in proportion to peak, more often on the farther half.

    Parameters
    ----------
    mix
        Totals.
    peak_kw
        Peak of each load, shape (loads,). [kW]
    distance
        Distance of each load from the head, any unit, shape (loads,).
    seed_id
        What the draw hangs on.
    """
    weight = peak_kw * np.where(distance > np.median(distance), mix.ev_far_weight, 1.0)
    rng = generator(seed_id, Stream.EV_PLACEMENT)
    load = np.sort(rng.choice(peak_kw.size, size=mix.ev_count, p=weight / weight.sum())).astype(np.int64)
    return Vehicles(load=load, charger_kw=mix.ev_charger_kw, daily_kwh=mix.ev_daily_kwh, seed_id=seed_id)


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
