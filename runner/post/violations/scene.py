"""A violation within its history, and what rules ask of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from runner.post.violations.history import History, Outlook
from runner.post.violations.violation import (
    FULL_PCT,
    Kind,
    PlantHistory,
    Side,
    Violation,
    voltage_limits_pu,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A violation within its history."""

    violation: Violation
    history: History

    @property
    def sign(self) -> int:
        """1 where drawing less would help, -1 where drawing more would."""
        return self.violation.side.value

    @property
    def is_voltage(self) -> bool:
        """Whether a voltage is outside."""
        return self.violation.kind in {Kind.RANGE_A, Kind.RANGE_B}

    @property
    def is_short(self) -> bool:
        """Whether it was over in less than a market interval, and not merely by the next award."""
        v = self.violation
        by_award = v.to_s % self.history.market_s == 0 and self.taps_moved(v.first, v.last) == 0.0
        return v.to_s - v.from_s < self.history.market_s and not by_award

    def market_start(self, place: int) -> int:
        """Place of the first step of the interval that holds a step."""
        t_s = self.history.plant.t_s
        return int(np.searchsorted(t_s, t_s[place] // self.history.market_s * self.history.market_s))

    def taps_moved(self, first: int, last: int) -> float:
        """Tap steps of the feeder's regulators from one step to another, both included."""
        return float(self.history.plant.tap_moves_count[first : last + 1].sum())

    @property
    def measured(self) -> FloatArray:
        """The plant's figure for what was violated, step by step, shape (steps,)."""
        return self._violated(self.history.plant)

    @property
    def has_outlook(self) -> bool:
        """Whether a DSO dispatched in the worst step's interval, and said what it expected."""
        return not np.isnan(self.history.outlook.p_kw[self.violation.worst])

    @property
    def expected(self) -> float:
        """The dispatch's figure for what was violated, in the worst step; NaN without a dispatch."""
        return float(self._violated(self.history.outlook)[self.violation.worst])

    def _violated(self, figures: PlantHistory | Outlook) -> FloatArray:
        """Of the figures that tell how a feeder is, the one of what was violated, shape (steps,)."""
        if self.violation.kind is Kind.RATING:
            return figures.loading_max_pct
        if self.violation.kind is Kind.HEAD:
            return np.asarray(np.hypot(figures.p_kw, figures.q_kvar))
        return figures.v_min_pu if self.violation.side is Side.DRAWS else figures.v_max_pu

    @property
    def is_foreseen(self) -> bool:
        """Whether the dispatch expected to be outside; a DSO keeps voltages within range A."""
        if self.violation.kind is Kind.RATING:
            return self.expected > FULL_PCT
        if self.violation.kind is Kind.HEAD:
            return self.expected > self.head_limit_kva
        low, high = voltage_limits_pu(Kind.RANGE_A)
        return self.expected < low if self.violation.side is Side.DRAWS else self.expected > high

    @property
    def room_kw(self) -> float:
        """Room that DERs had left at the dispatch to help, in the worst step; NaN without a dispatch. [kW]"""
        look = self.history.outlook
        room = look.room_less_kw if self.violation.side is Side.DRAWS else look.room_more_kw
        return float(room[self.violation.worst])

    @property
    def head_limit_kva(self) -> float:
        """Limit of a head that was exceeded. [kVA]"""
        over_kva = self.history.plant.head_over_kva[self.violation.worst]
        return float(self.measured[self.violation.worst] - over_kva)

    @property
    def excess_pu(self) -> float:
        """How far a voltage was outside in the first step. [pu]"""
        low, high = voltage_limits_pu(self.violation.kind)
        now = float(self.measured[self.violation.first])
        return low - now if self.violation.side is Side.DRAWS else now - high

    def seen(self, *, inside: bool) -> float | None:
        """What the twin as metered first showed meanwhile, inside or outside; never a loading."""
        v, insight = self.violation, self.history.insight
        if v.kind is Kind.RATING:
            return None
        low, high = (-np.inf, self.head_limit_kva) if v.kind is Kind.HEAD else voltage_limits_pu(v.kind)
        of_side = insight.v_min_pu if v.side is Side.DRAWS else insight.v_max_pu
        shown = (insight.head_kva if v.kind is Kind.HEAD else of_side)[v.first : v.last + 1]
        shown = shown[~np.isnan(shown)]
        wanted = shown[((shown >= low) & (shown <= high)) == inside]
        return float(wanted[0]) if wanted.size else None

    def text(self, value: float) -> str:
        """A figure of what was violated, with its unit."""
        if self.violation.kind is Kind.RATING:
            return f"{value:.1f} %"
        return f"{value:,.0f} kVA" if self.violation.kind is Kind.HEAD else f"{value:.4f} pu"
