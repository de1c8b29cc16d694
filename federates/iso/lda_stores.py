"""Stores that local distribution areas offer the day-ahead market as stores, beside their curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import CodecError
from federates.core.messages import ImportLimits, StorageOffer

HOURS = 24


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


def stores_of(
    offers: Mapping[int, StorageOffer], limits: Mapping[int, ImportLimits], curves_count: int
) -> LdaStores:
    """Stores offered by the areas of some curves, and those areas' limits.

    Raises
    ------
    CodecError
        If an offer does not cover the day hour by hour.
    """
    places = sorted(offers)
    each = [offers[k] for k in places]
    wrong = [k for k in places if offers[k].charge_mw.size != HOURS or limits[k].least_mw.size != HOURS]
    if wrong:
        raise CodecError(f"the store of area {wrong[0]} does not cover the {HOURS} hours of a day")
    least, greatest = np.full((HOURS, curves_count), -np.inf), np.full((HOURS, curves_count), np.inf)
    for k in places:
        least[:, k], greatest[:, k] = limits[k].least_mw, limits[k].greatest_mw
    return LdaStores(
        curve=np.array(places, dtype=np.int64),
        charge_mw=np.stack([o.charge_mw for o in each], axis=1),
        discharge_mw=np.stack([o.discharge_mw for o in each], axis=1),
        least_mwh=np.zeros((HOURS, len(each))),
        most_mwh=np.stack([o.most_mwh for o in each], axis=1),
        begin_mwh=np.array([o.begin_mwh for o in each]),
        kept_share=np.array([o.kept_share for o in each]),
        charge_efficiency=np.array([o.charge_efficiency for o in each]),
        discharge_efficiency=np.array([o.discharge_efficiency for o in each]),
        wear_usd_per_mwh=np.array([o.wear_usd_per_mwh for o in each]),
        end_usd_per_mwh=np.array([o.end_usd_per_mwh for o in each]),
        import_least_mw=least,
        import_greatest_mw=greatest,
    )


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
