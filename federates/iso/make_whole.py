"""Make-whole payments: what a unit that the ISO committed is short of its offer cost over a market day.

Day-ahead: max(0, no-load + starts + energy blocks + reserve offers - energy and reserve revenue) of the
schedule. Real time, apart from it: the same of what departs from the schedule, in cost and in revenue. *All*
revenue counts, reserves included; otherwise a unit would be paid twice for the hours in which a reserve price
carries it. Only units with fuel are committed by the ISO; others offer at their own risk. The time in which a
unit is out is its own risk as well, and no start is paid for a return from it. So is energy that it buys
back: where it is below its schedule, the cost that this saves counts as at least what the energy is bought
back for, so that a loss is not made good, while a gain counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray
from federates.core.costs import start_cost_usd, unit_cost_usd_per_h

DAY_AHEAD, REAL_TIME = "day_ahead", "real_time"
MARKETS = (DAY_AHEAD, REAL_TIME)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How units run over one interval, as scheduled or as metered; arrays of shape (units,)."""

    output_mw: FloatArray
    """Average output. [MW]"""
    on: BoolArray
    """Whether the unit runs."""
    reserve_cost_usd_per_h: FloatArray
    """What the unit asked for its reserve awards. [$/h]"""
    starts_usd: FloatArray
    """Cost of starts at the beginning of the interval. [$]"""


class UnitBooks:
    """Offer cost and revenue of units over a market day, in the day-ahead market and beyond it.

    Parameters
    ----------
    units
        Units of the case.
    committed
        Units that the ISO commits and so makes whole, shape (units,).
    """

    def __init__(self, units: Units, committed: BoolArray) -> None:
        self._units = units
        self._committed = committed
        none = np.zeros(committed.size)
        self._cost_usd, self._revenue_usd = dict.fromkeys(MARKETS, none), dict.fromkeys(MARKETS, none)

    def add_day_ahead(self, scheduled: Operation, revenue_usd: FloatArray, length_h: float) -> None:
        """Take ``length_h`` [h] of the schedule, and what the day-ahead market pays for it, (units,). [$]"""
        cost = self._running_usd(scheduled, length_h) + scheduled.starts_usd
        self._add(DAY_AHEAD, cost, revenue_usd, self._committed)

    def add_real_time(
        self,
        scheduled: Operation,
        incurred: Operation,
        revenue_usd: FloatArray,
        length_h: float,
        out: BoolArray,
    ) -> None:
        """Take an interval as it was run, and what the real-time market pays for its departure.

        Parameters
        ----------
        scheduled, incurred
            The same interval as scheduled and as metered.
        revenue_usd
            Shape (units,). [$]
        length_h
            Length of the interval. [h]
        out
            Units that are out in it, shape (units,).
        """
        running = self._running_usd(incurred, length_h) - self._running_usd(scheduled, length_h)
        bought_back = incurred.output_mw < scheduled.output_mw
        running = np.where(bought_back, np.minimum(running, revenue_usd), running)
        cost = running + incurred.starts_usd - scheduled.starts_usd
        self._add(REAL_TIME, cost, revenue_usd, self._committed & ~out)

    def make_whole_usd(self, market: str) -> FloatArray:
        """Make-whole payment of each unit in one market, shape (units,). [$]"""
        return make_whole_usd(self._cost_usd[market], self._revenue_usd[market])

    def _running_usd(self, operation: Operation, length_h: float) -> FloatArray:
        running = offer_cost_usd_per_h(self._units, operation.output_mw, operation.on)
        return length_h * (running + operation.reserve_cost_usd_per_h)

    def _add(self, market: str, cost_usd: FloatArray, revenue_usd: FloatArray, counts: BoolArray) -> None:
        self._cost_usd[market] = self._cost_usd[market] + np.where(counts, cost_usd, 0.0)
        self._revenue_usd[market] = self._revenue_usd[market] + np.where(counts, revenue_usd, 0.0)
