"""The day-ahead market of areas that state the cost of their whole day, round by round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.messages import ValueCut
from federates.iso.cut_rounds import Bounds, CutRounds
from federates.iso.day_ahead import DayAhead
from federates.iso.lda_cuts import cut_of, import_range
from federates.iso.market import DayAheadInputs, DayAheadMarket
from federates.iso.unit_state import UnitState


class CutMarket:
    """One market day, opened with the areas' first statements.

    Parameters
    ----------
    market
        Of this system.
    inputs, state, committed
        As in `DayAheadMarket.clear`.
    first
        The areas' first statements, in their order.
    gap
        Certified gap at which the rounds end.
    rounds_limit
        Most statements of each area.
    """

    def __init__(
        self,
        market: DayAheadMarket,
        inputs: DayAheadInputs,
        state: UnitState,
        committed: BoolArray,
        first: Sequence[ValueCut],
        *,
        gap: float,
        rounds_limit: int,
    ) -> None:
        self.market, self.inputs = market, inputs
        self._hours = len(inputs.load_mw)
        cuts = [cut_of(message, self._hours) for message in first]
        self._scuc = market.open(inputs, import_range(cuts), state, committed)
        self._scuc.add_cuts(cuts)
        self._rounds = CutRounds(self._scuc.relax(), gap=gap, rounds_limit=rounds_limit)

    @property
    def question(self) -> int:
        """Number of the question that is open."""
        return self._rounds.question

    @property
    def asked_mw(self) -> FloatArray:
        """Net imports that it asks for, shape (24, areas). [MW]"""
        return self._rounds.asked_mw

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """Bounds of the cost after each question."""
        return self._rounds.bounds

    def answer(self, statements: Sequence[ValueCut]) -> DayAhead | None:
        """Take up the areas' answers; the cleared day, or None where one more question is open."""
        self._scuc.add_cuts([cut_of(message, self._hours) for message in statements])
        cost = np.array([message.asked_usd for message in statements])
        self._rounds.answer(cost, self._scuc.relax())
        return self._scuc.close(self._rounds.best_mw) if self._rounds.are_over else None
