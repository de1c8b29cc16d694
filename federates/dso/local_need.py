"""Energy that stores keep for hours in which a feeder's own demand is more than its head may draw.

Stored energy is offered at what prices at the bus make of it, and those know nothing of a feeder's head: a
battery would sell everything in the dearest hour and be empty when vehicles come home. The DSO, whose limit
it is, holds back what it will need: the energy by which demand is expected to exceed the limit over the hours
ahead, shared out over a feeder's batteries by their size. Charging until then is not counted on.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.time import SimTime
from federates.scenario.lda import LdaScenario

AHEAD_S = 12 * 3_600
"""How far the DSO looks: from noon past the evening. [s]"""
STRETCH_S = 900
HOUR_S = 3_600
LOSS_SHARE = 0.04
"""What a feeder loses over what its loads draw, near the limit of its head."""


def needed_kwh(demand_kw: FloatArray, limit_kw: FloatArray, stretch_h: float) -> FloatArray:
    """Energy above a limit from each stretch on, shape (stretches + 1, feeders). [kWh]

    Parameters
    ----------
    demand_kw
        Mean over each stretch, shape (stretches, feeders). [kW]
    limit_kw
        Greatest import, same shape. [kW]
    stretch_h
        Length of a stretch. [h]
    """
    above = np.maximum(demand_kw - limit_kw, 0.0) * stretch_h
    left = np.cumsum(above[::-1], axis=0)[::-1]
    return np.concatenate([left, np.zeros((1, demand_kw.shape[1]))])


class LocalNeed:
    """What an area's batteries keep, feeder by feeder, by the forecast of the day before.

    Parameters
    ----------
    scenario
        The area.
    loading_share
        Part of the heads' limits that the DSO uses.
    """

    def __init__(self, scenario: LdaScenario, loading_share: float) -> None:
        feeder_of_der: IntArray = np.array(scenario.model.der_feeder, dtype=np.int64)
        self._scenario = scenario
        self._limit_kva = loading_share * np.array([limits.import_kva for limits in scenario.limits])
        batteries = scenario.fleet.of_kind("battery")
        energy = np.where(batteries, scenario.fleet.energy_kwh, 0.0)
        count = self._limit_kva.size
        total = np.bincount(feeder_of_der, energy, count)
        share = np.divide(energy, total[feeder_of_der], out=np.zeros_like(energy), where=energy > 0.0)
        self._share = share / np.where(batteries, scenario.fleet.discharge_efficiency, 1.0)
        self._feeder_of_der = feeder_of_der
        self._from_s: SimTime | None = None
        self._needed_kwh: FloatArray = np.zeros((1, count))

    def kept_kwh(self, at: SimTime) -> FloatArray:
        """Energy that each store is to hold at a time, shape (ders,). [kWh]"""
        hour = at // HOUR_S * HOUR_S
        if self._from_s != hour:
            self._from_s, self._needed_kwh = hour, self._needed(hour, hour + AHEAD_S)
        place = np.arange(self._needed_kwh.shape[0]) * STRETCH_S
        needed = np.array([np.interp(at - hour, place, column) for column in self._needed_kwh.T])
        return np.asarray(
            np.minimum(self._share * needed[self._feeder_of_der], self._scenario.fleet.energy_kwh)
        )

    def left_on_day_kwh(self, at: SimTime, day_end: SimTime) -> FloatArray:
        """What the rest of a market day needs of each store from a time on, shape (ders,). [kWh]

        It takes no forecast but that of the day, which is there before its bids.
        """
        needed = self._needed(at, day_end)[0]
        return np.asarray(
            np.minimum(self._share * needed[self._feeder_of_der], self._scenario.fleet.energy_kwh)
        )

    def _needed(self, begin: SimTime, until: SimTime) -> FloatArray:
        """Energy needed from the quarters of an hour on, the day-ahead forecast's likely error among it."""
        end = min(begin + AHEAD_S, until, self._scenario.study.horizon.duration_s)
        demand, limit = [], []
        for stretch in range(begin, max(end, begin + STRETCH_S), STRETCH_S):
            expected = self._scenario.day_ahead_demand(stretch, STRETCH_S)
            p_kw, q_kvar = (
                np.bincount(self._scenario.load_feeder, values, self._limit_kva.size)
                for values in (expected.kw, expected.kvar)
            )
            demand.append(p_kw * (1.0 + LOSS_SHARE + expected.sigma))
            limit.append(self._limit_kva * p_kw / np.maximum(np.hypot(p_kw, q_kvar), 1e-9))
        return needed_kwh(np.array(demand), np.array(limit), STRETCH_S / HOUR_S)
