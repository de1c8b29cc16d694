"""Capacity that a total DSO has offered and sold, from the day-ahead bid to the end of its commitment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.commitment import committed_intervals
from federates.core.messages import InterfaceBid
from federates.core.protocol import State
from federates.core.settings import CapacitySettings
from federates.core.time import Clock, SimTime
from federates.dso.capacity import (
    PATHS_COUNT,
    CapacityOffer,
    FirmHour,
    firm_mw,
    needed_kwh,
    reached_kwh,
    relief_mw,
)
from federates.dso.reserve import StoreRoom
from federates.scenario.lda import LdaScenario

HOUR_S = 3_600
PREFIX = "capacity"
"""Of the names of saved arrays."""


class SoldCapacity:
    """Offers of capacity by market day, and what is awarded of them; of one simulated set.

    Parameters
    ----------
    settings
        What the market buys.
    scenario
        The area.
    clock
        The study's time grid.
    """

    def __init__(self, settings: CapacitySettings, scenario: LdaScenario, clock: Clock) -> None:
        self._settings, self._scenario, self._clock = settings, scenario, clock
        self._offers: dict[int, CapacityOffer] = {}
        self._share: dict[int, float] = {}

    def hours(self, day: int) -> range:
        """Hours of a day that its offer looks at: those of the commitment, and one before and after it."""
        held = self._intervals(day)
        if not held:
            return range(0)
        midnight = self._clock.midnight(day)
        first, last = (held[0] - midnight) // HOUR_S, (held[-1] - midnight) // HOUR_S
        return range(max(first - 1, 0), min(last + 2, 24))

    def begins_s(self, day: int) -> SimTime:
        """When a day's commitment begins; there must be one. [s]"""
        return self._intervals(day)[0]

    def length_h(self, day: int) -> float:
        """How long a day's commitment lasts. [h]"""
        return len(self._intervals(day)) * self._clock.market_s / HOUR_S

    def reached_kwh(self, day: int, now: SimTime, stored_kwh: FloatArray) -> FloatArray:
        """Energy that each store can hold as a day's commitment begins, shape (ders,). [kWh]"""
        ahead_h = max(self.begins_s(day) - max(now, 0), 0) / HOUR_S
        return reached_kwh(self._scenario.fleet, stored_kwh, ahead_h)

    def offer(self, day: int, hours: Sequence[FirmHour]) -> CapacityOffer:
        """What is offered for a day, of its hours as `hours` names them."""
        looked, held, midnight = self.hours(day), self._intervals(day), self._clock.midnight(day)
        middles = midnight + HOUR_S * np.array(looked) + HOUR_S // 2
        baseline = np.interp(
            np.array(held) + self._clock.market_s / 2.0, middles, [hour.baseline_mw for hour in hours]
        )
        inside = {(t - midnight) // HOUR_S for t in held}
        mine = [one for one, hour in zip(hours, looked, strict=True) if hour in inside]
        begins = midnight + HOUR_S * np.array(sorted(inside))
        factors = self._scenario.error_paths(begins, self._clock.day_ahead_issue(day), PATHS_COUNT)
        made = CapacityOffer(
            capacity_mw=firm_mw(relief_mw(mine, *factors), self._settings.confidence),
            baseline_mw=baseline,
            discharge_kw=np.max([hour.discharge_kw for hour in mine], axis=0),
        )
        self._offers = {d: kept for d, kept in self._offers.items() if d >= day - 1} | {day: made}
        return made

    def award(self, day: int, capacity_mw: float) -> None:
        """Take up the award of a day; without an offer there is none."""
        if capacity_mw > 0.0:
            self._share[day] = capacity_mw / self._offers[day].capacity_mw

    def kept_kwh(self, begin: SimTime, until: SimTime) -> FloatArray:
        """Most that each store is to hold for what is sold at any time between two, shape (ders,). [kWh]

        What is to be held rises until a commitment begins, and falls as it runs out.
        """
        needed = np.zeros(len(self._scenario.fleet))
        for day, offer in self._offers.items():
            sold_kw = self._share.get(day, 0.0) * offer.discharge_kw
            needed = np.maximum(needed, self._needed_kwh(day, sold_kw, begin, until))
        return needed

    def claimed_kwh(self, day: int, room: StoreRoom, begin: SimTime, until: SimTime) -> FloatArray:
        """The same if all that stores can give in a day's commitment were sold, shape (ders,). [kWh]"""
        if not self._intervals(day):
            return np.zeros(len(self._scenario.fleet))
        all_kw = room.spare_kwh * self._scenario.fleet.discharge_efficiency / self.length_h(day)
        return self._needed_kwh(day, all_kw, begin, until)

    def _needed_kwh(self, day: int, discharge_kw: FloatArray, begin: SimTime, until: SimTime) -> FloatArray:
        """Most energy that a discharge through a day's commitment needs at any time between two. [kWh]"""
        held = self._intervals(day)
        at = min(max(held[0], begin), until)
        ahead_s, left_s = held[0] - at, held[-1] + self._clock.market_s - max(at, held[0])
        return needed_kwh(
            self._scenario.fleet, discharge_kw, max(ahead_s, 0) / HOUR_S, max(left_s, 0) / HOUR_S
        )

    def import_limit_mw(self, interval: SimTime, called: float) -> float:
        """Greatest import that a call of a share of the award leaves in an interval. [MW]"""
        day = self._clock.day_of(interval)
        held = self._intervals(day)
        if called <= 0.0 or interval not in held or day not in self._share:
            return np.inf
        offer = self._offers[day]
        baseline = float(offer.baseline_mw[held.index(interval)])
        return baseline - called * self._share[day] * offer.capacity_mw

    def _intervals(self, day: int) -> range:
        return committed_intervals(self._settings, self._clock, day)

    def save(self) -> State:
        """Offers and the shares of them that are awarded."""
        state = {f"{PREFIX}_days": np.array([float(day) for day in self._offers])}
        for day, offer in self._offers.items():
            state[f"{PREFIX}_{day}_mw"] = np.array([offer.capacity_mw, self._share.get(day, 0.0)])
            state[f"{PREFIX}_{day}_baseline_mw"] = offer.baseline_mw
            state[f"{PREFIX}_{day}_discharge_kw"] = offer.discharge_kw
        return state

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        for day in state[f"{PREFIX}_days"].astype(int).tolist():
            capacity, share = state[f"{PREFIX}_{day}_mw"].tolist()
            if share > 0.0:
                self._share[day] = share
            self._offers[day] = CapacityOffer(
                capacity_mw=capacity,
                baseline_mw=state[f"{PREFIX}_{day}_baseline_mw"],
                discharge_kw=state[f"{PREFIX}_{day}_discharge_kw"],
            )


def with_capacity(bid: InterfaceBid, offer: CapacityOffer, sets: int) -> InterfaceBid:
    """Bid that carries the capacity of ``sets`` simulated sets as well."""
    return replace(
        bid, capacity_mw=np.array([sets * offer.capacity_mw]), baseline_mw=sets * offer.baseline_mw
    )
