"""What rooms and tanks have in common: one thermal capacitance behind one resistance.

With C dT/dt = (T_a - T) / R + q, the level x = C (T - T_low) of heat above the lower edge of the comfort band
is a store of capacity C (T_high - T_low) that leaks at 1 / (R C) and gains (T_a - T_low) / R + q; a room that
is cooled stores cold below the upper edge in the same way. It is the thermal battery of H. Hao, B. Sanandaji,
K. Poolla and T. Vincent, Aggregate flexibility of thermostatically controlled loads, IEEE Transactions on
Power Systems 30(1), 2015. Units at one site are lumped: n equal rooms have C n and R / n.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.der.fleet import Fleet
from federates.der.model import (
    FleetState,
    Interval,
    PqRange,
    Step,
    StoreWorth,
    plain_step,
    pq_range,
    require_feasible,
)
from federates.der.placement import Placement
from federates.der.seeds import Stream
from federates.der.store import charge_to_kw, stored_kwh

UNITS = "thermal_units"
"""Units that a device stands for."""
BAND_TOLERANCE = 1e-9
"""Share of the band by which rounding may leave it."""
MINUTES_PER_H = 60.0


def lumped(place: Placement, count: int, stream: Stream) -> tuple[IntArray, FloatArray]:
    """Loads at which ``count`` units stand, drawn by peak, and how many stand at each."""
    load, units = np.unique(place.drawn(count, stream), return_counts=True)
    return load, units.astype(np.float64)


def comfort_range(devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
    """Powers that end the interval inside the comfort band, or as near to it as the rating allows."""
    most = np.clip(charge_to_kw(devices, state, interval, devices.energy_kwh), 0.0, devices.power_kw)
    must = np.clip(charge_to_kw(devices, state, interval, np.zeros(len(devices))), 0.0, devices.power_kw)
    return pq_range(devices, -most, -must, has_inverter=False)


def hold_kw(devices: Fleet, state: FleetState, interval: Interval, level: float) -> FloatArray:
    """Injection (negative) of a thermostat that steers for a share of the band, shape (ders,). [kW]"""
    wanted = charge_to_kw(devices, state, interval, level * devices.energy_kwh)
    return -np.clip(wanted, 0.0, devices.power_kw)


def comfort_worth(devices: Fleet) -> StoreWorth:
    """Heat or cold cannot be sold; what is left at the end saves buying it."""
    n = len(devices)
    return StoreWorth(
        discharge_kw=np.zeros(n),
        due_usd_per_mwh=np.zeros(n),
        terminal_share=1.0 / devices.charge_efficiency,
        terminal_below_kwh=devices.energy_kwh,
    )


def comfort_step(devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
    """Level at the interval's end, and the minutes outside the band of all units at a site.

    An interval counts in full when it ends outside: it is then outside for most of it, or about to be.
    """
    require_feasible(devices, comfort_range(devices, state, interval), p_kw)
    level = stored_kwh(devices, state, p_kw, interval)
    slack = BAND_TOLERANCE * devices.energy_kwh
    outside = (level < -slack) | (level > devices.energy_kwh + slack)
    minutes = np.where(outside, devices.own[UNITS] * interval.hours * MINUTES_PER_H, 0.0)
    return plain_step(level, cost_usd=np.zeros_like(level), outside_min=minutes)
