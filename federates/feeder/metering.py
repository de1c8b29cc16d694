"""The meters of an LDA's DERs: energy of a market interval, for each aggregator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.messages import DerMeters
from federates.core.time import SimTime

S_PER_H = 3_600.0
KW_PER_MW = 1_000.0


class DerMeter:
    """Integrates what DERs inject in accepted physical steps, until it is read.

    Parameters
    ----------
    portfolios
        Places of each aggregator's DERs in the fleet, in wiring order.
    multiplicity
        How often the LDA counts at its interface.
    step_s
        Length of a physical step. [s]
    """

    def __init__(self, portfolios: Sequence[IntArray], multiplicity: int, step_s: int) -> None:
        self._portfolios = portfolios
        self._mwh_per_kw = multiplicity * step_s / S_PER_H / KW_PER_MW
        self._energy_mwh = np.zeros(len(portfolios))

    def add(self, p_kw: FloatArray) -> None:
        """Take the injection of every DER of the fleet in one step. [kW]"""
        injected_kw = np.array([p_kw[mine].sum() for mine in self._portfolios])
        self._energy_mwh = self._energy_mwh + self._mwh_per_kw * injected_kw

    def read(self, interval: SimTime) -> DerMeters:
        """Readings since the last reading, which become those of ``interval``; the meter starts again."""
        readings = DerMeters(interval_s=interval, energy_mwh=self._energy_mwh)
        self._energy_mwh = np.zeros(len(self._portfolios))
        return readings
