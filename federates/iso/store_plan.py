"""Stores from market to market: their energy as metered, and where the day-ahead schedule wants it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import FloatArray
from federates.iso.offers import SCHEDULED
from federates.iso.products.stores import StoreOutlook


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlan:
    """Energy now, energy wanted at the end of a look-ahead, and what a MWh more or less is worth then."""

    energy_mwh: FloatArray
    """Shape (units,). [MWh]"""
    target_mwh: FloatArray
    """Shape (units,). [MWh]"""
    short_usd_per_mwh: FloatArray
    """What a MWh below the target costs, shape (units,). [$/MWh]"""
    spare_usd_per_mwh: FloatArray
    """What a MWh above it is worth, shape (units,). [$/MWh]"""

    def outlook(self, inflow_mw: FloatArray, available_mw: FloatArray) -> StoreOutlook:
        """The plan with inflow and availability, shape (intervals, units). [MW]"""
        return StoreOutlook(
            energy_mwh=self.energy_mwh,
            inflow_mw=inflow_mw,
            target_mwh=self.target_mwh,
            short_usd_per_mwh=self.short_usd_per_mwh,
            spare_usd_per_mwh=self.spare_usd_per_mwh,
            available_mw=available_mw,
        )


def store_plan(
    units: Units,
    *,
    energy_mwh: FloatArray,
    schedule_mwh: FloatArray,
    begin_mwh: FloatArray,
    lmp_usd_per_mwh: FloatArray,
    end_h: float,
) -> StorePlan:
    """Where stores are to go by a day-ahead schedule.

    A MWh in store gives the discharge efficiency's share of the hour's price: the dearest hour left says what
    a missing one costs, the cheapest what one more earns.

    Parameters
    ----------
    energy_mwh
        Energy now, shape (units,). [MWh]
    schedule_mwh
        Scheduled energy at the end of each hour, shape (hours, units). [MWh]
    begin_mwh
        Scheduled energy at the schedule's beginning, shape (units,). [MWh]
    lmp_usd_per_mwh
        Day-ahead prices, shape (hours, buses). [$/MWh]
    end_h
        End of the look-ahead, from the schedule's beginning; beyond its end: its end. [h]
    """
    hours = schedule_mwh.shape[0]
    knots = np.vstack((begin_mwh, schedule_mwh))
    at = min(max(end_h, 0.0), float(hours))
    low = min(int(at), hours - 1)
    target = knots[low] + (at - low) * (knots[low + 1] - knots[low])
    left = lmp_usd_per_mwh[low:, units.bus] * np.sqrt(units.round_trip)
    return StorePlan(
        energy_mwh=energy_mwh,
        target_mwh=target,
        short_usd_per_mwh=np.maximum(left.max(axis=0), 0.0),
        spare_usd_per_mwh=np.maximum(left.min(axis=0), 0.0),
    )


def store_levels_mwh(
    units: Units, energy_mwh: FloatArray, unit_mwh: FloatArray, inflow_mwh: FloatArray
) -> FloatArray:
    """Energy in stores after an interval, shape (units,). [MWh]

    What does not fit is spilled. A store that gave more than it had (by participation, for a minute) is
    empty.

    Parameters
    ----------
    energy_mwh
        Energy before, shape (units,). [MWh]
    unit_mwh
        Metered injection, negative = charging, shape (units,). [MWh]
    inflow_mwh
        Natural inflow, shape (units,). [MWh]
    """
    one_way = np.sqrt(units.round_trip)
    change = np.where(unit_mwh >= 0.0, -unit_mwh / one_way, -unit_mwh * one_way) + inflow_mwh
    after = np.clip(energy_mwh + change, 0.0, units.energy_mwh)
    return np.where(units.of_kind(*SCHEDULED), after, energy_mwh)
