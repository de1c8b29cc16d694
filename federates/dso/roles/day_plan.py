"""The day-ahead dispatch of a total DSO: what its award schedules DERs to do, on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.messages import InterfaceAward
from federates.dso.bid import LdaCurve
from federates.dso.roles.seen import KW_PER_MW

Joined = Callable[[Sequence[FloatArray]], FloatArray]
"""Puts values of each feeder's DERs in fleet order."""
SAME_USD_PER_MWH = 1e-6
"""Prices nearer than this are those of one clearing. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPlan:
    """What one round's bids were made of."""

    curves: tuple[LdaCurve, ...]
    """Curve of each hour, one simulated set, and the set-points behind it."""
    battery_kw: FloatArray
    """Greatest power of the batteries offered as one store beside the curves, shape (ders,). [kW]"""
    expected_usd_per_mwh: FloatArray
    """Price expected as the bids were made, shape (hours,). [$/MWh]"""

    def scheduled_kw(
        self,
        award: InterfaceAward,
        multiplicity: int,
        joined: Joined,
    ) -> list[FloatArray]:
        """Injections of each hour at an award, each of shape (ders,). [kW]

        Curves give their own set-points, which ``joined`` puts in fleet order; what is awarded of the store
        beside them is shared among the batteries by their power.
        """
        stored_mw = award.store_mw if award.store_mw.size else np.zeros(award.award_mw.size)
        share = self.battery_kw / max(float(self.battery_kw.sum()), 1.0 / KW_PER_MW)
        hours = zip(self.curves, award.award_mw.tolist(), stored_mw.tolist(), strict=True)
        return [
            joined(curve.at((import_mw - stored) / multiplicity)[0])
            - share * stored * KW_PER_MW / multiplicity
            for curve, import_mw, stored in hours
        ]


@dataclass(slots=True)
class DayPlans:
    """Plans of one market day, round by round."""

    rounds: list[DayPlan] = field(default_factory=list)

    def answered(self, lmp_usd_per_mwh: FloatArray) -> DayPlan:
        """The round to which an award belongs, by its prices; the last where none of the others had them.

        What is expected of a round is the mean of the rounds before it, which tells each of their prices.
        """
        for k, price in enumerate(self._cleared_usd_per_mwh()):
            if np.abs(price - lmp_usd_per_mwh).max() <= SAME_USD_PER_MWH:
                return self.rounds[k]
        return self.rounds[-1]

    def _cleared_usd_per_mwh(self) -> Sequence[FloatArray]:
        """Prices of every round but the last, each of shape (hours,). [$/MWh]"""
        sums = [k * plan.expected_usd_per_mwh for k, plan in enumerate(self.rounds)]
        return [after - before for before, after in pairwise(sums)]
