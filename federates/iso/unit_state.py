"""Where the units stand when a market day begins; carried from day to day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.forward import ForwardPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """State of all units at one instant, in case order; every array has shape (units,)."""

    on: BoolArray
    """Whether a fuelled unit is on."""
    in_state_h: FloatArray
    """How long it has been on, or off. [h]"""
    output_mw: FloatArray
    """Output in the hour before. [MW]"""
    energy_mwh: FloatArray
    """Energy in stores. [MWh]"""

    def after(self, commitment: BoolArray, output_mw: FloatArray, energy_mwh: FloatArray) -> UnitState:
        """State at the end of a horizon of hours.

        Parameters
        ----------
        commitment
            Shape (hours, units).
        output_mw, energy_mwh
            Shape (hours, units). [MW], [MWh]
        """
        hours = commitment.shape[0]
        changed = commitment[::-1] != commitment[-1]
        same = np.where(changed.any(axis=0), changed.argmax(axis=0), hours)
        carried = (same == hours) & (commitment[-1] == self.on)
        return UnitState(
            on=commitment[-1].copy(),
            in_state_h=np.where(carried, self.in_state_h + hours, same.astype(np.float64)),
            output_mw=output_mw[-1].copy(),
            energy_mwh=energy_mwh[-1].copy(),
        )


def planned_state(plan: ForwardPlan, day: int) -> UnitState:
    """State in the hour before a market day, as the forward plan has it."""
    return UnitState(
        on=plan.state_on[day],
        in_state_h=plan.state_h[day],
        output_mw=plan.state_mw[day],
        energy_mwh=plan.state_mwh[day],
    )
