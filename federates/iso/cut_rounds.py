"""Rounds in which the areas' costs of a day are found as far as the market needs them.

The market's optimum on the cuts known so far is a lower bound of the cost of the whole system: nothing costs
less. What it asks for is not what is asked of the areas: half-way between it and the best import found so far
the answers say more (in-out separation; W. Ben-Ameur and J. Neto, "Acceleration of cutting-plane and column
generation algorithms", Networks 49(1), 2007). The bulk system's own cost is convex, so that half-way it is at
most the mean, and with what the areas answer that bounds the whole cost from above. Where the bounds meet,
the import is the optimum, within their gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray

INWARD_SHARE = 0.5
"""How far each question lies from the market's optimum towards the best import found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOptimum:
    """The market's optimum on the cuts known."""

    objective_usd: float
    """No schedule of the whole system costs less. [$]"""
    import_mw: FloatArray
    """Net imports, shape (hours, areas). [MW]"""
    area_usd: FloatArray
    """What the cuts say of each area's cost, shape (areas,). [$]"""

    @property
    def bulk_usd(self) -> float:
        """Cost of the bulk system. [$]"""
        return self.objective_usd - float(self.area_usd.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is certain after a round."""

    lower_usd: float
    """The whole system costs at least this. [$]"""
    upper_usd: float
    """The best import found costs at most this. [$]"""

    @property
    def gap(self) -> float:
        """(upper - lower) / |upper|."""
        return (self.upper_usd - self.lower_usd) / max(abs(self.upper_usd), 1e-9)


class CutRounds:
    """The questions and answers of one market day.

    Parameters
    ----------
    first
        The market's optimum on the areas' first cuts.
    gap
        Relative gap at which the rounds end.
    rounds_limit
        Most messages from each area, the first cut included.
    inward_share
        How far questions lie from the market's optimum towards the best import found.
    """

    def __init__(
        self, first: CutOptimum, *, gap: float, rounds_limit: int, inward_share: float = INWARD_SHARE
    ) -> None:
        self._gap, self._limit, self._inward = gap, rounds_limit, inward_share
        self._lower_usd = first.objective_usd
        self._upper_usd = np.inf
        self._asked_mw, self._asked_bulk_usd = first.import_mw, first.bulk_usd
        self._best_mw, self._best_bulk_usd = first.import_mw, first.bulk_usd
        self._bounds: list[Bounds] = []

    @property
    def question(self) -> int:
        """Number of the present question, from 1."""
        return len(self._bounds) + 1

    @property
    def asked_mw(self) -> FloatArray:
        """Import whose cost is asked for, shape (hours, areas). [MW]"""
        return self._asked_mw

    @property
    def best_mw(self) -> FloatArray:
        """The cheapest import found, shape (hours, areas). [MW]"""
        return self._best_mw

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """What was certain after each question."""
        return tuple(self._bounds)

    @property
    def are_over(self) -> bool:
        """Whether the bounds have met, or no message is left."""
        met = bool(self._bounds) and self._bounds[-1].gap <= self._gap
        return met or len(self._bounds) + 1 >= self._limit

    def answer(self, area_usd: FloatArray, optimum: CutOptimum) -> None:
        """Take up what the import asked for costs each area, and the market's optimum with the new cuts.

        Parameters
        ----------
        area_usd
            Shape (areas,). [$]
        """
        whole_usd = self._asked_bulk_usd + float(area_usd.sum())
        if whole_usd < self._upper_usd:
            self._upper_usd = whole_usd
            self._best_mw, self._best_bulk_usd = self._asked_mw, self._asked_bulk_usd
        self._lower_usd = max(self._lower_usd, optimum.objective_usd)
        self._bounds.append(Bounds(lower_usd=self._lower_usd, upper_usd=self._upper_usd))
        share = self._inward
        self._asked_mw = share * self._best_mw + (1.0 - share) * optimum.import_mw
        self._asked_bulk_usd = share * self._best_bulk_usd + (1.0 - share) * optimum.bulk_usd
