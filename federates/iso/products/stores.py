"""Storage and solar-thermal stores: energy carried from hour to hour.

A store ends the horizon with at least the energy it began with. Losses are split evenly between charging
and discharging. Solar-thermal plants fill from their natural inflow, may spill it, and are not committed:
their least output and start-up cost are left out.
"""

from __future__ import annotations

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import FloatArray
from federates.iso.offers import SCHEDULED
from federates.iso.products.energy import Energy
from federates.iso.unit_state import UnitState
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program


class Stores:
    """Columns and rows of the stores over ``times`` hours."""

    def __init__(self, blueprint: Blueprint, energy: Energy, units: Units, times_count: int) -> None:
        self.place = place = np.flatnonzero(units.of_kind(*SCHEDULED))
        self._capacity_mwh = units.energy_mwh[place]
        shape = (times_count, place.size)
        one_way = np.sqrt(units.round_trip[place])
        self.discharge = blueprint.columns(shape, 0.0, units.p_max_mw[place], 0.0)
        self.charge = blueprint.columns(shape, 0.0, units.charge_mw[place], 0.0)
        self.spill = blueprint.columns(shape, 0.0, 0.0, 0.0)
        self.energy = blueprint.columns(shape, 0.0, self._capacity_mwh, 0.0)
        self._rows = blueprint.rows(shape, 0.0, 0.0)
        blueprint.entries(self._rows, self.energy, 1.0)
        blueprint.entries(self._rows[1:], self.energy[:-1], -1.0)
        blueprint.entries(self._rows, self.charge, -one_way)
        blueprint.entries(self._rows, self.discharge, 1.0 / one_way)
        blueprint.entries(self._rows, self.spill, 1.0)
        energy.inject(blueprint, self.discharge, units.bus[place], 1.0)
        energy.inject(blueprint, self.charge, units.bus[place], -1.0)

    def set_day(self, program: Program, inflow_mw: FloatArray, state: UnitState | None) -> None:
        """Set inflow, shape (times, units), and the energy to begin and end with; half full without state."""
        begin = 0.5 * self._capacity_mwh if state is None else state.energy_mwh[self.place]
        begin = np.minimum(begin, self._capacity_mwh)
        inflow = inflow_mw[:, self.place].copy()
        program.set_column_bounds(self.spill.ravel(), 0.0, inflow.ravel())
        inflow[0] += begin
        program.set_row_bounds(self._rows.ravel(), inflow.ravel(), inflow.ravel())
        program.set_column_bounds(self.energy[-1], begin, self._capacity_mwh)

    def output_mw(self, x: FloatArray) -> FloatArray:
        """Net output, negative = charging, shape (times, stores). [MW]"""
        net: FloatArray = x[self.discharge] - x[self.charge]
        return net
