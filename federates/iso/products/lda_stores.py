"""The stores of local distribution areas: energy carried from hour to hour within their areas' limits.

The formulation is :class:`~federates.iso.lda_stores.LdaStores`'s. A store does not charge and discharge at
once. What is left at the end has the worth that its area states, half a cycle's wear is paid either way.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.lda_stores import LdaStores
from federates.iso.products.energy import Energy
from federates.iso.products.stores import BOTH_WAYS_MW
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program


class LdaStorage:
    """Columns and rows of the areas' stores, an hour each.

    Parameters
    ----------
    blueprint
        The program while it is drawn.
    bus
        Bus of each curve, shape (curves,).
    sold_back
        Columns of the curves' blocks sold back, shape (hours, curves, slots).
    stores
        What is offered.
    """

    def __init__(
        self, blueprint: Blueprint, energy: Energy, bus: IntArray, sold_back: IntArray, stores: LdaStores
    ) -> None:
        self._program, self._stores = blueprint.program, stores
        shape = stores.charge_mw.shape
        wear = stores.wear_usd_per_mwh / 2
        self.charge = blueprint.columns(shape, 0.0, stores.charge_mw, wear)
        self.discharge = blueprint.columns(shape, 0.0, stores.discharge_mw, wear)
        worth = np.zeros(shape)
        worth[-1] = -stores.end_usd_per_mwh
        self.energy = blueprint.columns(shape, stores.least_mwh, stores.most_mwh, worth)
        begin = np.zeros(shape)
        begin[0] = stores.kept_share * stores.begin_mwh
        rows = blueprint.rows(shape, begin, begin)
        blueprint.entries(rows, self.energy, 1.0)
        blueprint.entries(rows[1:], self.energy[:-1], -stores.kept_share)
        blueprint.entries(rows, self.charge, -stores.charge_efficiency)
        blueprint.entries(rows, self.discharge, 1.0 / stores.discharge_efficiency)
        at = bus[stores.curve]
        energy.inject(blueprint, self.discharge, at, 1.0)
        energy.inject(blueprint, self.charge, at, -1.0)
        self._range = blueprint.rows(sold_back.shape[:2], -np.inf, np.inf)
        blueprint.entries(self._range[..., None], sold_back, 1.0)
        blueprint.entries(self._range[:, stores.curve], self.discharge, 1.0)
        blueprint.entries(self._range[:, stores.curve], self.charge, -1.0)

    def set_range(self, program: Program, full_mw: FloatArray) -> None:
        """Hold each area's import, ``full_mw`` less what is sold back and discharged, within its limits.

        ``full_mw`` has the shape (hours, curves).
        """
        least = full_mw - self._stores.import_greatest_mw
        greatest = full_mw - self._stores.import_least_mw
        program.set_row_bounds(self._range.ravel(), least.ravel(), greatest.ravel())

    def add_broken(self, x: FloatArray) -> int:
        """Hold stores that charge and discharge at once to the greater of the two; return how many do."""
        discharge, charge = x[self.discharge], x[self.charge]
        both = np.minimum(discharge, charge) > BOTH_WAYS_MW
        self._program.set_column_bounds(self.discharge[both & (charge > discharge)], 0.0, 0.0)
        self._program.set_column_bounds(self.charge[both & (charge <= discharge)], 0.0, 0.0)
        return int(both.sum())

    def drawn_mw(self, x: FloatArray) -> FloatArray:
        """Charge less discharge, shape (hours, stores). [MW]"""
        net: FloatArray = x[self.charge] - x[self.discharge]
        return net

    def drawn_by_curve_mw(self, x: FloatArray) -> FloatArray:
        """The same by area, shape (hours, curves). [MW]"""
        drawn, curves = self.drawn_mw(x), self._range.shape[1]
        return np.stack([drawn[:, self._stores.curve == k].sum(axis=1) for k in range(curves)], axis=1)
