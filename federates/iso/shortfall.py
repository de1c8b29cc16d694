"""What metered DERs missed of their last award: the ISO sees it one interval later, and buys it elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.core.protocol import State
from federates.core.time import SimTime

HOUR_S = 3_600


class Shortfall:
    """Awards of the interval before against its meters, aggregator by aggregator, multiplicity included.

    Parameters
    ----------
    lda
        Place of each aggregator's LDA, shape (aggregators,).
    market_s
        Length of an interval. [s]
    """

    def __init__(self, lda: IntArray, market_s: int) -> None:
        self._lda = lda
        self._market_s = market_s
        self._interval: SimTime | None = None
        self._award_mw: FloatArray = np.zeros(lda.size)
        self._missed_mw: FloatArray = np.zeros(lda.size)

    def award(self, interval: SimTime, award_mw: FloatArray) -> None:
        """Take the awards of an interval, shape (aggregators,). [MW]"""
        self._interval, self._award_mw = interval, award_mw

    def meter(self, interval: SimTime, energy_mwh: FloatArray) -> None:
        """Take what the meters have read of an interval, shape (aggregators,). [MWh]"""
        if interval == self._interval:
            self._missed_mw = self._award_mw - energy_mwh * HOUR_S / self._market_s

    @property
    def missed_mw(self) -> FloatArray:
        """Award less metered injection of the last interval metered, shape (aggregators,). [MW]"""
        return self._missed_mw

    def added_to(self, curves: Sequence[NetCurve]) -> list[NetCurve]:
        """Curves of the LDAs moved by what their DERs are expected to miss again."""
        missed = np.bincount(self._lda, weights=self._missed_mw, minlength=len(curves))
        return [
            replace(curve, import_mw=curve.import_mw + more)
            for curve, more in zip(curves, missed.tolist(), strict=True)
        ]

    def save(self) -> State:
        """What was missed last; awards are metered before a day ends."""
        return {"shortfall_mw": self._missed_mw}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._missed_mw = state["shortfall_mw"].copy()
