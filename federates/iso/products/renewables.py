"""Wind, sun and water: taken as they come or curtailed, with what is curtailed as room for reserves."""

from __future__ import annotations

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import FloatArray, IntArray
from federates.iso.offers import FUELLED, IDLE, SCHEDULED
from federates.iso.products.energy import Energy
from federates.iso.reserves import ReserveRoom
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program


class Renewables:
    """Columns of the units without fuel, store or commitment, over ``times`` intervals."""

    def __init__(
        self, blueprint: Blueprint, energy: Energy, units: Units, times_count: int, *, with_reserves: bool
    ) -> None:
        self.place: IntArray = np.flatnonzero(~units.of_kind(*FUELLED, *SCHEDULED, *IDLE))
        shape = (times_count, self.place.size)
        self.output: IntArray = blueprint.columns(shape, 0.0, 0.0, 0.0)
        energy.inject(blueprint, self.output, units.bus[self.place], 1.0)
        self.sellers: IntArray = np.flatnonzero(units.of_kind("wind", "pv")[self.place])
        if with_reserves:
            self._add_room(blueprint, units)

    def _add_room(self, blueprint: Blueprint, units: Units) -> None:
        shape = (self.output.shape[0], self.sellers.size)
        head, foot = blueprint.rows(shape, -np.inf, 0.0), blueprint.rows(shape, 0.0, np.inf)
        for rows in (head, foot):
            blueprint.entries(rows, self.output[:, self.sellers], 1.0)
        self.room = ReserveRoom(
            bus=units.bus[self.place[self.sellers]],
            ramp_mw_per_min=np.full(self.sellers.size, np.inf),
            head=head,
            foot=foot,
            joint=blueprint.rows(shape, -np.inf, np.inf),
            standstill=head,
            quick=np.zeros(self.sellers.size, dtype=np.bool_),
        )

    def set(self, program: Program, available_mw: FloatArray, *, with_reserves: bool) -> None:
        """Give the output its bound, shape (times, places). [MW]"""
        program.set_column_bounds(self.output.ravel(), 0.0, available_mw.ravel())
        if with_reserves:
            program.set_row_bounds(self.room.head.ravel(), -np.inf, available_mw[:, self.sellers].ravel())
