"""The cost of the areas' days in the market's program: a column for each, held up by cuts made of curves.

With the import ``P = least + y`` of an area and each of its cuts, hour by hour::

    y_t = sum of blocks x_tb ,  0 <= x_tb <= width_tb
    cost + sum of worth_tb x_tb >= cost at the least import

Blocks of a cut fill in the order of their worth, dearest first, since that alone lets the cost come down.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.lda_cuts import ImportRange, LdaCut
from federates.iso.products.energy import Energy
from federates.lp.blueprint import Blueprint


class LdaCosts:
    """Columns of the areas' imports and costs; cuts come one by one.

    Parameters
    ----------
    blueprint
        The program while it is drawn.
    bus
        Bus of each area, shape (areas,).
    within
        What can be asked of each.
    """

    def __init__(self, blueprint: Blueprint, energy: Energy, bus: IntArray, within: ImportRange) -> None:
        self._program, self._within = blueprint.program, within
        self._room_mw = within.greatest_mw - within.least_mw
        self.more = blueprint.columns(within.least_mw.shape, 0.0, self._room_mw, 0.0)
        energy.inject(blueprint, self.more, bus, -1.0)
        self.cost = blueprint.columns((bus.size,), -np.inf, np.inf, 1.0)

    def add(self, area: int, cut: LdaCut) -> None:
        """Hold an area's cost above a cut."""
        blueprint = Blueprint(self._program)
        widths = [curve.width_mw for curve in cut.curves]
        worth = np.concatenate([curve.value_usd_per_mwh for curve in cut.curves])
        hour = np.repeat(np.arange(len(widths)), [width.size for width in widths])
        blocks = blueprint.columns(worth.shape, 0.0, np.concatenate(widths), 0.0)
        filled = blueprint.rows((len(widths),), 0.0, 0.0)
        blueprint.entries(filled, self.more[:, area], -1.0)
        blueprint.entries(filled[hour], blocks, 1.0)
        bound = blueprint.rows((1,), cut.least_usd, np.inf)
        blueprint.entries(bound, self.cost[[area]], 1.0)
        blueprint.entries(bound, blocks, worth)
        blueprint.pour()

    def hold(self, import_mw: FloatArray) -> None:
        """Fix the imports, shape (hours, areas)."""
        more = np.clip(import_mw - self._within.least_mw, 0.0, self._room_mw).ravel()
        self._program.set_column_bounds(self.more.ravel(), more, more)

    def free(self) -> None:
        """Let the imports go where the areas can."""
        self._program.set_column_bounds(self.more.ravel(), 0.0, self._room_mw.ravel())

    def import_mw(self, x: FloatArray) -> FloatArray:
        """Net imports, shape (hours, areas). [MW]"""
        net: FloatArray = self._within.least_mw + x[self.more]
        return net

    def cost_usd(self, x: FloatArray) -> FloatArray:
        """What the cuts say that each area's day costs, shape (areas,). [$]"""
        cost: FloatArray = x[self.cost]
        return cost
