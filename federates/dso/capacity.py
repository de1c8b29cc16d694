"""Capacity of a total DSO: how far below its baseline it can keep its import, hour by hour, at a confidence.

The baseline is the import forecast day-ahead with batteries, flexible loads and photovoltaics at rest; other
DERs are where they are expected. The called state is one that the twin carries: batteries give no more than
their energy sustains through all of the commitment, flexible loads stop, and the sun gives what is expected
of it. What is offered then stands the errors of the forecast: of many paths of demand and sun, drawn as the
errors are, as many as the confidence says leave it in every hour.

Energy for it is kept from the award on: a floor under what each battery holds, reached in time and given up
only as the commitment runs out (:func:`needed_kwh`). Generators are not counted, as they stand unless running
pays, nor are vehicles, which leave when they like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.curve import QUANTITY_TICK_MW
from federates.der.fleet import Fleet

PATHS_COUNT = 2_000
"""Paths of the forecast's error that an offer has to stand."""
SURE = 0.95
"""Confidence that the share of paths is not luck of the draw: the rank is a lower bound of the quantile by
order statistics (S. S. Wilks, Annals of Mathematical Statistics 12, 1941, by its normal approximation)."""
CHARGE_SHARE = 0.5
"""Of a battery's power, with which it is counted on to charge until a commitment begins: feeders and prices
have a say in it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmHour:
    """One hour of one simulated set, as forecast."""

    baseline_mw: float
    """Import with the DERs that answer a call at rest. [MW]"""
    least_mw: float
    """Import when all of them are called and held. [MW]"""
    demand_mw: float
    """Fixed demand. [MW]"""
    sun_mw: float
    """What photovoltaics could give. [MW]"""
    used_sun_mw: float
    """What they give when called. [MW]"""
    discharge_kw: FloatArray
    """What each battery gives when called, shape (ders,). [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityOffer:
    """Capacity of one simulated set for one commitment."""

    capacity_mw: float
    """Import below the baseline that can be kept. [MW]"""
    baseline_mw: FloatArray
    """In each market interval of the commitment, shape (intervals,). [MW]"""
    discharge_kw: FloatArray
    """Greatest discharge of each battery that it takes, shape (ders,). [kW]"""


def relief_mw(hours: Sequence[FirmHour], demand_factor: FloatArray, sun_factor: FloatArray) -> FloatArray:
    """What a call leaves below the baseline in each hour if demand and sun come otherwise than forecast. [MW]

    More demand draws more, less draws less; less sun gives less, more is not counted on.

    Parameters
    ----------
    demand_factor, sun_factor
        What comes over what is forecast, shape (hours, paths).
    """
    columns = (
        np.array([[getattr(hour, name)] for hour in hours])
        for name in ("baseline_mw", "least_mw", "demand_mw", "sun_mw", "used_sun_mw")
    )
    baseline, least, demand, sun, used = columns
    missing = np.maximum(used - sun * sun_factor, 0.0)
    relief: FloatArray = baseline - least - demand * (demand_factor - 1.0) - missing
    return relief


def firm_mw(relief: FloatArray, confidence: float) -> float:
    """What every hour leaves in as many paths as the confidence says, (hours, paths); at least 0. [MW]"""
    worst = np.sort(relief.min(axis=0))
    n, missed = worst.size, 1.0 - confidence
    luck = NormalDist().inv_cdf(SURE) * np.sqrt(n * missed * confidence)
    rank = max(int(n * missed - luck), 0)
    firm = max(float(worst[rank]), 0.0)
    return float(np.floor(firm / QUANTITY_TICK_MW) * QUANTITY_TICK_MW)


def reached_kwh(fleet: Fleet, stored_kwh: FloatArray, hours: float) -> FloatArray:
    """Energy that each store can hold after some hours, shape (ders,). [kWh]"""
    charged = CHARGE_SHARE * fleet.power_kw * fleet.charge_efficiency * hours
    return np.minimum(fleet.energy_kwh, stored_kwh + np.where(fleet.of_kind("battery"), charged, 0.0))


def needed_kwh(fleet: Fleet, discharge_kw: FloatArray, ahead_h: float, left_h: float) -> FloatArray:
    """Energy that each battery must hold to sustain a discharge through a commitment, shape (ders,). [kWh]

    Parameters
    ----------
    discharge_kw
        Shape (ders,). [kW]
    ahead_h
        Until the commitment begins, 0 once it has: so long it may still charge. [h]
    left_h
        Of the commitment that is still to come. [h]
    """
    drawn = discharge_kw / fleet.discharge_efficiency * left_h * np.exp(fleet.leak_per_h * left_h)
    charged = CHARGE_SHARE * fleet.power_kw * fleet.charge_efficiency * ahead_h
    needed: FloatArray = np.maximum(drawn - charged, 0.0)
    return needed


def keeping_kw(fleet: Fleet, stored_kwh: FloatArray, needed: FloatArray, hours: float) -> FloatArray:
    """Greatest injection that leaves each store what is needed after some hours, shape (ders,). [kW]

    Negative where it has to charge; without a limit where nothing is needed.
    """
    spare = stored_kwh - needed
    kept = np.where(spare > 0.0, spare * fleet.discharge_efficiency, spare / fleet.charge_efficiency) / hours
    return np.where(needed > 0.0, kept, np.inf)


def after(fleet: Fleet, stored_kwh: FloatArray, p_kw: FloatArray, hours: float) -> FloatArray:
    """Energy of each store after some hours at an injection, shape (ders,). [kWh]"""
    drawn = np.where(p_kw > 0.0, p_kw / fleet.discharge_efficiency, p_kw * fleet.charge_efficiency)
    left: FloatArray = np.clip(stored_kwh - drawn * hours, 0.0, fleet.energy_kwh)
    return left
