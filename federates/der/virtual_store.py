"""Batteries as one store: what is offered of them where the market itself carries energy through the day.

Powers and energies are summed; efficiencies, self-discharge, wear and worth are means by power. This is exact
for batteries alike but for their size; for others it says a little too much, for a full one cannot lend its
power to an empty one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.messages import StorageOffer
from federates.core.time import SimTime
from federates.der.fleet import Fleet
from federates.der.model import FleetState, Interval

KW_PER_MW = 1_000.0


def battery_offer(
    fleet: Fleet,
    who: BoolArray,
    state: FleetState,
    intervals: Sequence[Interval],
    end_usd_per_mwh: float,
    *,
    interval_s: SimTime,
) -> StorageOffer:
    """Some batteries of a fleet as one store.

    Parameters
    ----------
    who
        Which, shape (ders,).
    state
        At the first interval's beginning.
    intervals
        What consecutive intervals of one length bring.
    end_usd_per_mwh
        Worth of a MWh left at the end. [$/MWh]
    interval_s
        When the first begins. [s]
    """
    hours = intervals[0].hours
    mine = fleet.select(who)
    by = mine.power_kw

    def summed(values: Sequence[FloatArray]) -> FloatArray:
        return np.array([float(v[who].sum()) for v in values]) / KW_PER_MW

    capacity = float(mine.energy_kwh.sum()) / KW_PER_MW
    return StorageOffer(
        interval_s=interval_s,
        length_s=intervals[0].length_s,
        charge_mw=summed([-now.least_kw for now in intervals]),
        discharge_mw=summed([now.available_kw for now in intervals]),
        most_mwh=np.full(len(intervals), capacity),
        begin_mwh=float(state.energy_kwh[who].sum()) / KW_PER_MW,
        kept_share=_mean(np.exp(-mine.leak_per_h * hours), by, 1.0),
        charge_efficiency=_mean(mine.charge_efficiency, by, 1.0),
        discharge_efficiency=_mean(mine.discharge_efficiency, by, 1.0),
        wear_usd_per_mwh=_mean(mine.wear_usd_per_mwh, by, 0.0),
        end_usd_per_mwh=end_usd_per_mwh,
    )


def merged_store(offers: Sequence[StorageOffer], factor: float) -> StorageOffer:
    """Several stores as one, ``factor`` times as large."""
    by = np.array([offer.charge_mw.max(initial=0.0) for offer in offers])

    def mean(name: str, none: float) -> float:
        return _mean(np.array([getattr(offer, name) for offer in offers]), by, none)

    return StorageOffer(
        interval_s=offers[0].interval_s,
        length_s=offers[0].length_s,
        charge_mw=factor * np.sum([offer.charge_mw for offer in offers], axis=0),
        discharge_mw=factor * np.sum([offer.discharge_mw for offer in offers], axis=0),
        most_mwh=factor * np.sum([offer.most_mwh for offer in offers], axis=0),
        begin_mwh=factor * sum(offer.begin_mwh for offer in offers),
        kept_share=mean("kept_share", 1.0),
        charge_efficiency=mean("charge_efficiency", 1.0),
        discharge_efficiency=mean("discharge_efficiency", 1.0),
        wear_usd_per_mwh=mean("wear_usd_per_mwh", 0.0),
        end_usd_per_mwh=mean("end_usd_per_mwh", 0.0),
    )


def _mean(values: FloatArray, weight: FloatArray, none: float) -> float:
    """Weighted mean; ``none`` where there is no weight."""
    return float(np.average(values, weights=weight)) if weight.sum() > 0.0 else none
