"""Photovoltaics: what the sun gives, and any part of it."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.der.fleet import Fleet
from federates.der.model import Interval, PqRange, pq_range, require_feasible


def available_kw(devices: Fleet, profile: FloatArray) -> FloatArray:
    """Power that each PV unit could give.

    Parameters
    ----------
    devices
        PV units.
    profile
        Output over rating of the feeder's mean unit, 0 to 1, shape (times,).

    Returns
    -------
    numpy.ndarray
        Shape (times, ders), at most the rating. [kW]
    """
    own = np.minimum(profile[:, None] * devices.yield_factor, 1.0)
    return np.asarray(devices.power_kw * np.maximum(own, 0.0))


def expected_kw(devices: Fleet, profile: FloatArray) -> FloatArray:
    """Power that each unit would give if all had the same yield, shape (times, ders). [kW]"""
    return np.asarray(devices.power_kw * np.clip(profile, 0.0, 1.0)[:, None])


class Photovoltaics:
    """Units that can be curtailed to nothing."""

    kind = "pv"

    def feasible(self, devices: Fleet, soc_kwh: FloatArray, interval: Interval) -> PqRange:
        """From zero to what the sun gives."""
        return pq_range(devices, np.zeros_like(soc_kwh), np.minimum(interval.limit_kw, devices.power_kw))

    def advance(
        self, devices: Fleet, soc_kwh: FloatArray, p_kw: FloatArray, interval: Interval
    ) -> FloatArray:
        """Nothing is stored: the energy stays as it is."""
        require_feasible(devices, self.feasible(devices, soc_kwh, interval), p_kw)
        return soc_kwh.copy()
