"""Coefficients of linear maps that serve several intervals, each with new right-hand sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.time import SimTime
from federates.distribution.linear import Coefficients, OperatingPoint

KEPT_S = 3_600
"""Coefficients serve within the hour in which they were taken. [s]"""
TAPS_KEPT = 2
"""Steps that a tap may move meanwhile."""


class KeptCoefficients:
    """Coefficients of an area's radial maps, as long as they serve."""

    def __init__(self) -> None:
        self._coefficients: tuple[Coefficients, ...] | None = None
        self._at: SimTime = 0
        self._taps: FloatArray = np.zeros(0)

    def at(self, interval_s: SimTime, taps: FloatArray) -> tuple[Coefficients, ...] | None:
        """What may serve an interval at tap positions; None where they are to be taken anew."""
        if self._coefficients is None or interval_s // KEPT_S != self._at // KEPT_S:
            return None
        if taps.size != self._taps.size or np.abs(taps - self._taps).max(initial=0.0) > TAPS_KEPT:
            return None
        return self._coefficients

    def keep(self, interval_s: SimTime, taps: FloatArray, points: Sequence[OperatingPoint]) -> None:
        """Take the coefficients of newly taken maps."""
        self._coefficients = tuple(point.coefficients for point in points)
        self._at, self._taps = interval_s, taps
