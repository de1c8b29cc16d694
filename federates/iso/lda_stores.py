"""Stores that local distribution areas offer the day-ahead market as stores, beside their curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import CodecError


@dataclass(frozen=True, slots=True, kw_only=True)
class LdaStores:
    """Stores of all areas; time is the first axis.

    With charge ``c``, discharge ``d`` and energy ``e``, per interval of ``h`` hours::

        e_t = kept e_(t-1) + eta_c c h - d h / eta_d ,   least_t <= e_t <= most_t
        import_least <= import of the area's curve + sum of its (c - d) <= import_greatest
    """

    curve: IntArray
    """Curve of the area to which each store belongs, shape (stores,)."""
    charge_mw: FloatArray
    """Greatest charge, shape (hours, stores). [MW]"""
    discharge_mw: FloatArray
    """Greatest discharge, shape (hours, stores). [MW]"""
    least_mwh: FloatArray
    """Least energy at the end of each hour, shape (hours, stores). [MWh]"""
    most_mwh: FloatArray
    """Greatest energy at the end of each hour, shape (hours, stores). [MWh]"""
    begin_mwh: FloatArray
    """Energy before the first hour, shape (stores,). [MWh]"""
    kept_share: FloatArray
    """Share of the energy that is left after an hour, shape (stores,)."""
    charge_efficiency: FloatArray
    """Energy stored per energy drawn, shape (stores,)."""
    discharge_efficiency: FloatArray
    """Energy delivered per energy taken from the store, shape (stores,)."""
    wear_usd_per_mwh: FloatArray
    """Cost of a MWh charged and discharged again, shape (stores,). [$/MWh]"""
    end_usd_per_mwh: FloatArray
    """Worth of a MWh left at the end, shape (stores,). [$/MWh]"""
    import_least_mw: FloatArray
    """Least net import of each area with its stores, -inf where there is no limit, (hours, curves). [MW]"""
    import_greatest_mw: FloatArray
    """Greatest net import of each area with its stores, inf where there is no limit, (hours, curves). [MW]"""

    def __post_init__(self) -> None:
        if (self.least_mwh > self.most_mwh).any() or (self.import_least_mw > self.import_greatest_mw).any():
            raise CodecError("storage of an area: a least energy or import lies above the greatest")

    @property
    def count(self) -> int:
        """Number of stores."""
        return self.curve.size


def no_stores(hours: int, curves_count: int) -> LdaStores:
    """No area offers any store."""
    none, flat = np.zeros((hours, 0)), np.zeros(0)
    unlimited = np.full((hours, curves_count), np.inf)
    return LdaStores(
        curve=np.zeros(0, dtype=np.int64),
        charge_mw=none,
        discharge_mw=none,
        least_mwh=none,
        most_mwh=none,
        begin_mwh=flat,
        kept_share=flat,
        charge_efficiency=flat,
        discharge_efficiency=flat,
        wear_usd_per_mwh=flat,
        end_usd_per_mwh=flat,
        import_least_mw=-unlimited,
        import_greatest_mw=unlimited,
    )
