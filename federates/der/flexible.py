"""Flexible loads: demand with a value of use, that can stop in part or whole."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.der.fleet import Fleet
from federates.der.model import Interval, PqRange, pq_range, require_feasible


def demand_kw(devices: Fleet, shape: FloatArray) -> FloatArray:
    """Whole demand of each flexible load: its peak times the area's shape.

    Parameters
    ----------
    devices
        Flexible loads.
    shape
        Load of the area over its peak, shape (times,).

    Returns
    -------
    numpy.ndarray
        Shape (times, ders), positive. [kW]
    """
    return np.asarray(shape[:, None] * devices.power_kw)


class FlexibleLoad:
    """Loads that draw between nothing and their whole demand; what is not used is not made up later."""

    kind = "flexible"

    def feasible(self, devices: Fleet, soc_kwh: FloatArray, interval: Interval) -> PqRange:
        """From the whole demand (negative injection) to none."""
        return pq_range(devices, -interval.limit_kw, np.zeros_like(soc_kwh))

    def advance(
        self, devices: Fleet, soc_kwh: FloatArray, p_kw: FloatArray, interval: Interval
    ) -> FloatArray:
        """Nothing is stored: the energy stays as it is."""
        require_feasible(devices, self.feasible(devices, soc_kwh, interval), p_kw)
        return soc_kwh.copy()
