"""Batteries: energy with an efficiency each way, within bounds."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.der.fleet import Fleet
from federates.der.model import S_PER_H, Interval, PqRange, pq_range, require_feasible


class Battery:
    """Stores without idle loss."""

    kind = "battery"

    def feasible(self, devices: Fleet, soc_kwh: FloatArray, interval: Interval) -> PqRange:
        """What rating and energy both allow through the whole interval."""
        hours = interval.length_s / S_PER_H
        room_kwh = np.maximum(devices.energy_kwh - soc_kwh, 0.0)
        charge = np.minimum(devices.power_kw, room_kwh / (devices.charge_efficiency * hours))
        held_kwh = np.maximum(soc_kwh, 0.0)
        discharge = np.minimum(devices.power_kw, held_kwh * devices.discharge_efficiency / hours)
        return pq_range(devices, -charge, discharge)

    def advance(
        self, devices: Fleet, soc_kwh: FloatArray, p_kw: FloatArray, interval: Interval
    ) -> FloatArray:
        """Energy held at the interval's end."""
        require_feasible(devices, self.feasible(devices, soc_kwh, interval), p_kw)
        hours = interval.length_s / S_PER_H
        stored = np.maximum(-p_kw, 0.0) * devices.charge_efficiency
        taken = np.maximum(p_kw, 0.0) / devices.discharge_efficiency
        return np.clip(soc_kwh + (stored - taken) * hours, 0.0, devices.energy_kwh)


def self_consume(
    fleet: Fleet, limit_kw: FloatArray, load_kw: FloatArray, load_node: IntArray, possible: PqRange
) -> FloatArray:
    """Set-points of uncoordinated devices: all PV, all demand, batteries even out their own bus.

    A battery charges from what PV gives beyond the bus's demand and discharges to meet what is left of that
    demand, never more. Batteries at one bus share in proportion to their power.

    Parameters
    ----------
    fleet
        All devices of one feeder.
    limit_kw
        What the sun gives, or the whole demand of a flexible load, shape (ders,). [kW]
    load_kw
        Fixed demand of each load, shape (loads,). [kW]
    load_node
        Node of each load, as `federates.der.fleet.load_nodes` gives it, shape (loads,).
    possible
        What each device can do in the interval, shape (ders,).

    Returns
    -------
    numpy.ndarray
        Injections, shape (ders,). [kW]
    """
    battery = fleet.of_kind("battery")
    p_kw = np.where(fleet.of_kind("pv"), limit_kw, np.where(fleet.of_kind("flexible"), -limit_kw, 0.0))
    n_nodes = int(max(load_node.max(), fleet.node.max(initial=0))) + 1
    surplus_kw, power_kw = np.zeros(n_nodes), np.zeros(n_nodes)
    np.add.at(surplus_kw, fleet.node, p_kw)
    np.subtract.at(surplus_kw, load_node, load_kw)
    np.add.at(power_kw, fleet.node[battery], fleet.power_kw[battery])
    own = fleet.node[battery]
    p_kw[battery] = -surplus_kw[own] * fleet.power_kw[battery] / power_kw[own]
    return possible.clip(p_kw)
