"""The one energy balance of everything that stores: batteries, vehicles, rooms, tanks, processes.

Inside the store, with its level x, the rate a at which it loses its level, the flow f that it gains or loses
anyway, and the injection p at the terminals (negative: drawn)::

    dx/dt = -a x + f + eta_c max(-p, 0) - max(p, 0) / eta_d

f and p are constant through an interval of h hours, so that exactly

    x(h) = x e^(-a h) + (f + eta_c max(-p, 0) - max(p, 0) / eta_d) w,   w = (1 - e^(-a h)) / a

with w = h where nothing leaks.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.der.fleet import Fleet
from federates.der.model import FleetState, Interval


def idle_hours(leak_per_h: FloatArray, length_h: float) -> FloatArray:
    """Hours w for which a constant power counts at the interval's end, shape (ders,). [h]"""
    lossy = leak_per_h > 0.0
    return np.where(lossy, -np.expm1(-leak_per_h * length_h) / np.where(lossy, leak_per_h, 1.0), length_h)


def weighted_hours(devices: Fleet, interval: Interval) -> FloatArray:
    """The same for devices and an interval, shape (ders,). [h]"""
    return idle_hours(devices.leak_per_h, interval.hours)


def idle_kwh(devices: Fleet, state: FleetState, interval: Interval) -> FloatArray:
    """Level at the interval's end if nothing is drawn or injected, shape (ders,). [kWh]"""
    begin = np.where(interval.fresh, 0.0, state.energy_kwh)
    kept = begin * np.exp(-devices.leak_per_h * interval.hours)
    return np.asarray(kept + interval.flow_kw * weighted_hours(devices, interval))


def charge_to_kw(devices: Fleet, state: FleetState, interval: Interval, level_kwh: FloatArray) -> FloatArray:
    """Power drawn through the interval that ends at a level; negative where that is below idling. [kW]"""
    missing = level_kwh - idle_kwh(devices, state, interval)
    return missing / devices.charge_efficiency / weighted_hours(devices, interval)


def discharge_to_kw(
    devices: Fleet, state: FleetState, interval: Interval, level_kwh: FloatArray
) -> FloatArray:
    """Power injected through the interval that ends at a level, at least 0, shape (ders,). [kW]"""
    held = np.maximum(idle_kwh(devices, state, interval) - level_kwh, 0.0)
    return held * devices.discharge_efficiency / weighted_hours(devices, interval)


def stored_kwh(devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> FloatArray:
    """Level at the interval's end after a constant injection, shape (ders,). [kWh]"""
    change = put_in_kw(devices, p_kw)
    return idle_kwh(devices, state, interval) + change * weighted_hours(devices, interval)


def put_in_kw(devices: Fleet, p_kw: FloatArray) -> FloatArray:
    """What an injection puts into a store less what it takes out, inside the store, shape (ders,). [kW]"""
    charged = np.maximum(-p_kw, 0.0) * devices.charge_efficiency
    return charged - np.maximum(p_kw, 0.0) / devices.discharge_efficiency


def wear_usd(devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
    """Ageing of moving energy through the terminals: half a cycle's wear each way, shape (ders,). [$]"""
    return devices.wear_usd_per_mwh / 2 * np.abs(p_kw) * interval.hours / 1_000.0
