"""Make-whole payments: what a unit that the ISO committed is short of its offer cost over a market day.

Day-ahead: max(0, no-load + starts + energy blocks + reserve offers - energy and reserve revenue) of the
schedule. Real time, apart from it: the same of what departs from the schedule, in cost and in revenue. *All*
revenue counts, reserves included; otherwise a unit would be paid twice for the hours in which a reserve price
carries it. Only units with fuel are committed by the ISO; others offer at their own risk. The time in which a
unit is out is its own risk as well, and no start is paid for a return from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray
from federates.core.costs import start_cost_usd, unit_cost_usd_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Whether units run and since when; both of shape (units,)."""

    on: BoolArray
    """Whether the unit runs."""
    in_state_h: FloatArray
    """How long it has been so. [h]"""

    def after(self, on: BoolArray, length_h: float) -> RunState:
        """State after ``length_h`` in which ``on`` held. [h]"""
        spent = np.where(on == self.on, self.in_state_h + length_h, length_h)
        return RunState(on=on.copy(), in_state_h=spent)


def starts_usd(units: Units, before: RunState, on: BoolArray) -> FloatArray:
    """Cost of the starts between ``before`` and ``on``, by the hours that each unit was off, (units,). [$]"""
    if units.start_usd.shape[1] == 0:
        return np.zeros(len(units.ids))
    cost = start_cost_usd(before.in_state_h, start_after_h=units.start_after_h, start_usd=units.start_usd)
    return np.where(on & ~before.on, cost, 0.0)


def offer_cost_usd_per_h(units: Units, output_mw: FloatArray, on: BoolArray) -> FloatArray:
    """No-load and energy blocks of every unit at its output, shape (units,). [$/h]"""
    return unit_cost_usd_per_h(
        output_mw,
        on,
        p_min_mw=units.p_min_mw,
        no_load_usd_per_h=units.no_load_usd_per_h,
        block_mw=units.block_mw,
        block_usd_per_mwh=units.block_usd_per_mwh,
    )


def make_whole_usd(cost_usd: FloatArray, revenue_usd: FloatArray) -> FloatArray:
    """What a day's revenue is short of its offer cost, same shape; never negative. [$]"""
    return np.maximum(cost_usd - revenue_usd, 0.0)
