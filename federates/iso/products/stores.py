"""Storage and solar-thermal stores: energy carried from interval to interval.

Per interval of ``h`` hours, discharge ``d``, charge ``c``, spill ``s`` and energy ``e``::

    e_t = e_(t-1) + eta c h - d h / eta + inflow h - s h ,   eta = square root of the round-trip efficiency
    d - c + up-reserve <= greatest discharge ;  d - c - down-reserve >= -greatest charge
    e_t >= hours sustained x up-reserve / eta ;  e_t <= capacity - hours sustained x eta x down-reserve

A store does not charge and discharge at once (:meth:`Stores.add_broken`). A day ends with at least the energy
it began with. A look-ahead ends with what its energy is worth: below its target, each MWh missing costs the
dearest, above it, each MWh left earns the cheapest hour to come.
Solar-thermal plants fill from their natural inflow, may spill it, and are not committed: their least output
and start-up cost are left out, and so they sell no reserve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import FloatArray, IntArray
from federates.core.reserve_offer import DURATION_H
from federates.iso.offers import SCHEDULED
from federates.iso.products.energy import Energy
from federates.iso.reserves import PRODUCTS, REG_DOWN, REG_UP, SPIN, ReserveRoom
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program

BOTH_WAYS_MW = 1e-4
"""Charge and discharge at once that counts as a loss of energy, not as an error of the solution."""
TIE_BREAK_USD_PER_MWH = 1e-5
"""Spread of the price differences that decide which of two equally good hours a store uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOutlook:
    """What a look-ahead needs to know of the stores; arrays over all units of the case."""

    energy_mwh: FloatArray
    """Energy at the beginning, shape (units,). [MWh]"""
    inflow_mw: FloatArray
    """Natural inflow, shape (times, units). [MW]"""
    target_mwh: FloatArray
    """Energy to end with, shape (units,). [MWh]"""
    short_usd_per_mwh: FloatArray
    """What a MWh below the target costs, shape (units,). [$/MWh]"""
    spare_usd_per_mwh: FloatArray
    """What a MWh above it is worth, not more than ``short``, shape (units,). [$/MWh]"""
    available_mw: FloatArray
    """Greatest output, shape (times, units); 0 where the unit has tripped. [MW]"""


class Stores:
    """Columns and rows of the stores over ``times`` intervals of ``hours`` each."""

    def __init__(
        self,
        blueprint: Blueprint,
        energy: Energy,
        units: Units,
        times_count: int,
        *,
        hours: float = 1.0,
        with_reserves: bool = False,
    ) -> None:
        self.place = place = np.flatnonzero(units.of_kind(*SCHEDULED))
        self._program, self._hours = blueprint.program, hours
        self._capacity_mwh = units.energy_mwh[place]
        self._p_max_mw, self._charge_mw = units.p_max_mw[place], units.charge_mw[place]
        shape = (times_count, place.size)
        one_way = np.sqrt(units.round_trip[place])
        self.discharge = blueprint.columns(shape, 0.0, self._p_max_mw, 0.0)
        self.charge = blueprint.columns(shape, 0.0, self._charge_mw, 0.0)
        self.spill = blueprint.columns(shape, 0.0, 0.0, 0.0)
        self.energy = blueprint.columns(shape, 0.0, self._capacity_mwh, 0.0)
        self._short = blueprint.columns((place.size,), 0.0, 0.0, 0.0)
        self._spare = blueprint.columns((place.size,), 0.0, 0.0, 0.0)
        self._rows = blueprint.rows(shape, 0.0, 0.0)
        self._end = blueprint.rows((place.size,), -np.inf, np.inf)
        blueprint.entries(self._rows, self.energy, 1.0)
        blueprint.entries(self._rows[1:], self.energy[:-1], -1.0)
        blueprint.entries(self._rows, self.charge, -one_way * hours)
        blueprint.entries(self._rows, self.discharge, hours / one_way)
        blueprint.entries(self._rows, self.spill, hours)
        blueprint.entries(self._end, self.energy[-1], 1.0)
        blueprint.entries(self._end, self._short, 1.0)
        blueprint.entries(self._end, self._spare, -1.0)
        self._tie_break = _tie_break(units, place, times_count)
        energy.inject(blueprint, self.discharge, units.bus[place], 1.0)
        energy.inject(blueprint, self.charge, units.bus[place], -1.0)
        self._sells = units.of_kind("storage")[place] & (self._p_max_mw > 0.0)
        self._with_reserves = with_reserves
        if with_reserves:
            self._add_room(blueprint, units, times_count, one_way)

    def _add_room(self, blueprint: Blueprint, units: Units, times: int, one_way: FloatArray) -> None:
        able = self.sellers
        shape = (times, able.size)
        head = blueprint.rows(shape, -np.inf, self._p_max_mw[able])
        foot = blueprint.rows(shape, -self._charge_mw[able], np.inf)
        joint = blueprint.rows(shape, -np.inf, np.inf)
        for rows in (head, foot):
            blueprint.entries(rows, self.discharge[:, able], 1.0)
            blueprint.entries(rows, self.charge[:, able], -1.0)
        self._full = blueprint.rows(shape, 0.0, np.inf)
        self._empty = blueprint.rows(shape, -np.inf, self._capacity_mwh[able])
        blueprint.entries(self._full, self.energy[:, able], 1.0)
        blueprint.entries(self._empty, self.energy[:, able], 1.0)
        self._one_way = one_way[able]
        self.room = ReserveRoom(
            bus=units.bus[self.place[able]],
            ramp_mw_per_min=np.full(able.size, np.inf),
            head=head,
            foot=foot,
            joint=joint,
            standstill=head,
            quick=np.zeros(able.size, dtype=np.bool_),
        )

    @property
    def sellers(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Stores that may sell reserve, by their place among the stores."""
        return np.flatnonzero(self._sells)

    def sustain(self, blueprint: Blueprint, columns: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
        """Hold energy for reserve columns of the room, shape (times, k, products, slots)."""
        for product in range(len(PRODUCTS)):
            mine = columns[:, :, product, 0]
            if product in (REG_UP, SPIN):
                blueprint.entries(self._full, mine, -DURATION_H / self._one_way)
            elif product == REG_DOWN:
                blueprint.entries(self._empty, mine, DURATION_H * self._one_way)

    def set_day(self, program: Program, inflow_mw: FloatArray, energy_mwh: FloatArray | None) -> None:
        """Set inflow, shape (times, units), and the energy to begin and end with; half full where not
        given.
        """
        begin = 0.5 * self._capacity_mwh if energy_mwh is None else energy_mwh[self.place]
        begin = np.minimum(begin, self._capacity_mwh)
        self._set_inflow(program, inflow_mw[:, self.place], begin)
        program.set_column_bounds(self.energy[-1], begin, self._capacity_mwh)

    def set_outlook(self, program: Program, outlook: StoreOutlook) -> None:
        """Set a look-ahead's beginning, inflow and the worth of what it leaves."""
        begin = np.clip(outlook.energy_mwh[self.place], 0.0, self._capacity_mwh)
        self._set_inflow(program, outlook.inflow_mw[:, self.place], begin)
        available = np.minimum(outlook.available_mw[:, self.place], self._p_max_mw)
        program.set_column_bounds(self.discharge.ravel(), 0.0, available.ravel())
        out = available <= 0.0
        charge = np.where(out, 0.0, self._charge_mw)
        program.set_column_bounds(self.charge.ravel(), 0.0, charge.ravel())
        if self._with_reserves:
            sells = self.sellers
            program.set_row_bounds(self.room.head.ravel(), -np.inf, available[:, sells].ravel())
            program.set_row_bounds(self.room.foot.ravel(), -charge[:, sells].ravel(), np.inf)
        target = np.clip(outlook.target_mwh[self.place], 0.0, self._capacity_mwh)
        program.set_row_bounds(self._end, target, target)
        program.set_column_bounds(self._short, 0.0, np.inf)
        program.set_column_bounds(self._spare, 0.0, np.inf)
        # the objective is in $/h of one interval: an amount at the end counts once
        program.set_costs(self._short, outlook.short_usd_per_mwh[self.place] / self._hours)
        program.set_costs(self._spare, -outlook.spare_usd_per_mwh[self.place] / self._hours)

    def break_ties(self, program: Program, *, on: bool) -> None:
        """Whether moving energy costs a little: no cycle without a gain, early charge, late discharge."""
        for columns, more in zip((self.discharge, self.charge), self._tie_break, strict=True):
            program.set_costs(columns.ravel(), (on * more).ravel())

    def tie_break_usd_per_h(self, x: FloatArray) -> float:
        """What the tie break adds to the objective. [$/h]"""
        discharge, charge = self._tie_break
        return float((x[self.discharge] * discharge).sum() + (x[self.charge] * charge).sum())

    def add_broken(self, x: FloatArray) -> int:
        """Hold stores that charge and discharge at once to the greater of the two; return how many do.

        At negative prices the conversion itself would be worth while as waste. A commitment's search does
        without this rule: what it finds is then a bound for the market with it.
        """
        discharge, charge = x[self.discharge], x[self.charge]
        both = np.minimum(discharge, charge) > BOTH_WAYS_MW
        self._program.set_column_bounds(self.discharge[both & (charge > discharge)], 0.0, 0.0)
        self._program.set_column_bounds(self.charge[both & (charge <= discharge)], 0.0, 0.0)
        return int(both.sum())

    def _set_inflow(self, program: Program, inflow_mw: FloatArray, begin_mwh: FloatArray) -> None:
        program.set_column_bounds(self.spill.ravel(), 0.0, inflow_mw.ravel())
        into = inflow_mw * self._hours
        into[0] += begin_mwh
        program.set_row_bounds(self._rows.ravel(), into.ravel(), into.ravel())

    def output_mw(self, x: FloatArray) -> FloatArray:
        """Net output, negative = charging, shape (times, stores). [MW]"""
        net: FloatArray = x[self.discharge] - x[self.charge]
        return net


def _tie_break(units: Units, place: IntArray, times_count: int) -> tuple[FloatArray, FloatArray]:
    """Of discharge and charge, shape (times, stores): by physical size, never by name. [$/MWh]"""
    order = np.lexsort((units.p_max_mw[place], units.energy_mwh[place]))
    rank = np.empty(place.size)
    rank[order] = np.arange(1, place.size + 1) / max(place.size, 1)
    late = np.arange(1, times_count + 1)[:, None] / times_count
    scale = TIE_BREAK_USD_PER_MWH * (1.0 + rank)
    return scale * (2.0 - late), scale * (1.0 + late)
