"""The meters of an LDA: energy of a market interval, of each aggregator's DERs and of every customer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.messages import CustomerMeters, DerMeters
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


class CustomerMeter:
    """Integrates what every DER and load of one simulated set does in accepted steps, until it is read.

    Parameters
    ----------
    ders_count, loads_count
        Number of DERs and of loads.
    step_s
        Length of a physical step. [s]
    """

    def __init__(self, ders_count: int, loads_count: int, step_s: int) -> None:
        self._ders_count = ders_count
        self._mwh_per_kw = step_s / S_PER_H / KW_PER_MW
        self._energy_mwh = np.zeros(2 + ders_count + loads_count)

    def add(self, *, import_kw: float, lost_kw: float, der_kw: FloatArray, load_kw: FloatArray) -> None:
        """Take what is drawn at the interface and lost, injected by each DER and drawn by each load. [kW]"""
        power_kw = np.concatenate([[import_kw, lost_kw], der_kw, load_kw])
        self._energy_mwh = self._energy_mwh + self._mwh_per_kw * power_kw

    def read(self, interval: SimTime) -> CustomerMeters:
        """Readings since the last reading, which become those of ``interval``; the meters start again."""
        import_mwh, lost_mwh = self._energy_mwh[:2].tolist()
        customers = self._energy_mwh[2:]
        self._energy_mwh = np.zeros_like(self._energy_mwh)
        return CustomerMeters(
            interval_s=interval,
            import_mwh=import_mwh,
            lost_mwh=lost_mwh,
            der_mwh=customers[: self._ders_count],
            load_mwh=customers[self._ders_count :],
        )
