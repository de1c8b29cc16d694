"""Fixed demand of every load of one simulated feeder, as it comes and as its DSO expects it.

A load's demand is its peak times the area's shape, plus an evening bump, less the part that is flexible,
times one plus a small noise, plus the vehicles that live there. The noise is a stationary first-order
autoregression on a grid of one minute. A day's values hang on the draws of that day and the one before
alone (older ones have decayed to nothing), so they do not depend on the window that is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.der.ev import DAY_S, Vehicles, charging_kw, expected_charging_kw, place_vehicles
from federates.der.fleet import Fleet, flexible_kw_by_load
from federates.der.mix import Mix
from federates.der.seeds import Stream, generator
from federates.distribution.model import Feeder

NOISE_SIGMA = 0.02
"""Relative standard deviation of one load's noise."""
NOISE_CORRELATION_S = 900
"""Time after which the noise's correlation has fallen to 1/e. [s]"""
NOISE_STEP_S = 60
BUMP_HOUR = 19.5
BUMP_SD_H = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the fixed demand of one feeder is made of; arrays have shape (loads,)."""

    peak_kw: FloatArray
    """Peak of each load, scaled. [kW]"""
    kvar_per_kw: FloatArray
    """Reactive over active demand, vehicles aside."""
    flexible_kw: FloatArray
    """Part of the peak that is flexible and not counted here. [kW]"""
    evening_bump: float
    """Extra demand at 19:30, as a share of the peak."""
    vehicles: Vehicles
    """Vehicles that charge here on arrival."""
    seed_id: int
    """What the noise hangs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPower:
    """Demand of every load over time; positive = drawn."""

    p_kw: FloatArray
    """Shape (times, loads). [kW]"""
    q_kvar: FloatArray
    """Shape (times, loads). [kvar]"""


def build_demand(feeder: Feeder, mix: Mix, fleet: Fleet, seed_id: int) -> Demand:
    """Demand of one simulated feeder whose flexible parts are in ``fleet``."""
    published_kw = np.array([load.kw for load in feeder.loads])
    kvar = np.array([load.kvar for load in feeder.loads])
    return Demand(
        peak_kw=published_kw * mix.load_scale,
        kvar_per_kw=np.divide(kvar, published_kw, out=np.zeros_like(kvar), where=published_kw > 0.0),
        flexible_kw=flexible_kw_by_load(fleet, published_kw.size),
        evening_bump=mix.evening_bump,
        vehicles=place_vehicles(mix.ders.ev, mix.placement("ev", feeder, seed_id)),
        seed_id=seed_id,
    )


def actual_demand(demand: Demand, t_local_s: IntArray, shape: FloatArray) -> LoadPower:
    """Demand that comes. Ask for a day rather than a minute at a time: noise is drawn by the day.

    Parameters
    ----------
    demand
        What it is made of.
    t_local_s
        Seconds since the midnight at which the study's first day begins, shape (times,). [s]
    shape
        Load of the area over its peak at these times, shape (times,).
    """
    base_kw = _base_kw(demand, t_local_s, shape) * np.maximum(1.0 + _noise(demand, t_local_s), 0.0)
    vehicles_kw = charging_kw(demand.vehicles, t_local_s, demand.peak_kw.size)
    return LoadPower(p_kw=base_kw + vehicles_kw, q_kvar=base_kw * demand.kvar_per_kw)


def expected_demand(demand: Demand, t_local_s: IntArray, shape: FloatArray) -> LoadPower:
    """Demand that the DSO expects: no noise, vehicles at their mean; arguments as for `actual_demand`."""
    base_kw = _base_kw(demand, t_local_s, shape)
    vehicles_kw = expected_charging_kw(demand.vehicles, t_local_s, demand.peak_kw.size)
    return LoadPower(p_kw=base_kw + vehicles_kw, q_kvar=base_kw * demand.kvar_per_kw)


def _base_kw(demand: Demand, t_local_s: IntArray, shape: FloatArray) -> FloatArray:
    hour = (t_local_s % DAY_S) / 3_600.0
    bump = demand.evening_bump * np.exp(-0.5 * ((hour - BUMP_HOUR) / BUMP_SD_H) ** 2)
    fixed_kw = demand.peak_kw - demand.flexible_kw
    return np.asarray(shape[:, None] * fixed_kw + bump[:, None] * demand.peak_kw)


def _noise(demand: Demand, t_local_s: IntArray) -> FloatArray:
    """Relative noise, shape (times, loads)."""
    noise = np.zeros((t_local_s.size, demand.peak_kw.size))
    day = t_local_s // DAY_S
    for own in np.unique(day).tolist():
        here = day == own
        minute = (t_local_s[here] - own * DAY_S) // NOISE_STEP_S
        noise[here] = _noise_of_day(demand, own, int(minute.max()) + 1)[minute]
    return noise


def _noise_of_day(demand: Demand, day: int, steps: int) -> FloatArray:
    per_day, n_loads = DAY_S // NOISE_STEP_S, demand.peak_kw.size
    before = generator(demand.seed_id, Stream.DEMAND_NOISE, day - 1).standard_normal((per_day, n_loads))
    own = generator(demand.seed_id, Stream.DEMAND_NOISE, day).standard_normal((steps, n_loads))
    keep = math.exp(-NOISE_STEP_S / NOISE_CORRELATION_S)
    fresh = NOISE_SIGMA * math.sqrt(1.0 - keep**2)
    level = np.zeros(n_loads)
    for z in before[-per_day // 2 :]:
        level = keep * level + fresh * z
    noise = np.empty((steps, n_loads))
    for k, z in enumerate(own):
        level = keep * level + fresh * z
        noise[k] = level
    return noise
