"""Headroom: room to move up that a commitment keeps for what the forecast misses.

Room of committed fuelled units above their schedule, and of curtailed wind and PV, against a requirement by
hour with a priced shortfall. It shapes the commitment only: the pricing run, with the commitment given,
lifts it, so that it neither earns nor sets a price.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.penalties import Penalties
from federates.iso.products.commitment import Commitment
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program


class Headroom:
    """Rows of the requirement over the horizon."""

    def __init__(
        self, blueprint: Blueprint, commitment: Commitment, renewable: IntArray, penalties: Penalties
    ) -> None:
        hours = commitment.on.shape[0]
        self._rows = blueprint.rows((hours,), -np.inf, np.inf)
        short = blueprint.columns((hours,), 0.0, np.inf, penalties.headroom_usd_per_mwh)
        rows = self._rows[:, None]
        blueprint.entries(rows, commitment.on, commitment.traits.blocks.width_mw.sum(axis=1))
        blueprint.entries(rows[..., None], commitment.block, -1.0)
        blueprint.entries(rows, renewable, -1.0)
        blueprint.entries(self._rows, short, 1.0)

    def require(self, program: Program, headroom_mw: FloatArray, renewable_mw: FloatArray) -> None:
        """Ask for ``headroom_mw``, shape (hours,), where ``renewable_mw`` of wind and PV is available."""
        lower = np.where(headroom_mw > 0.0, headroom_mw - renewable_mw, -np.inf)
        program.set_row_bounds(self._rows, lower, np.inf)

    def lift(self, program: Program) -> None:
        """Ask for nothing."""
        program.set_row_bounds(self._rows, -np.inf, np.inf)
