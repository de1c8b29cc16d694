"""Energy that batteries keep, each MWh of it for one use.

First comes what a feeder's own head will need in the evening, then capacity that is sold, then reserve, which
may use what is left of both; the market's energy has the rest.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.reserve_offer import DURATION_H
from federates.core.time import Clock, SimTime
from federates.dso.capacity import keeping_kw
from federates.dso.local_need import LocalNeed
from federates.dso.reserve import StoreRoom, store_room
from federates.dso.roles.sold_capacity import SoldCapacity
from federates.scenario.lda import LdaScenario

HOUR_S = 3_600
DURATION_S = int(DURATION_H * HOUR_S)


class KeptEnergy:
    """What the batteries of one simulated set keep.

    Parameters
    ----------
    scenario
        The area.
    need
        What its heads will need.
    capacity
        What is sold; None: the market buys none.
    clock
        The study's time grid.
    """

    def __init__(
        self, scenario: LdaScenario, need: LocalNeed, capacity: SoldCapacity | None, clock: Clock
    ) -> None:
        self._scenario, self._need, self._capacity, self._clock = scenario, need, capacity, clock

    def evening_kwh(self, now: SimTime, at: SimTime) -> FloatArray:
        """Held at a time for the heads, shape (ders,); who follows no set-points now keeps nothing. [kWh]"""
        return np.where(self._scenario.directed(now), self._need.kept_kwh(at), 0.0)

    def capacity_kwh(self, begin: SimTime, until: SimTime) -> FloatArray:
        """Most that is held for capacity at any time between two, shape (ders,). [kWh]"""
        if self._capacity is None:
            return np.zeros(len(self._scenario.fleet))
        return self._capacity.kept_kwh(begin, until)

    def most_kw(self, now: SimTime, begin: SimTime, length_s: int, stored_kwh: FloatArray) -> FloatArray:
        """Greatest injection of every DER in an interval that leaves what is kept, shape (ders,). [kW]

        No battery is made to charge for the evening, but for capacity it is.

        Parameters
        ----------
        begin, length_s
            Of the interval. [s]
        stored_kwh
            Energy in the stores as it begins, shape (ders,). [kWh]
        """
        fleet, hours, end = self._scenario.fleet, length_s / HOUR_S, begin + length_s
        capacity = self.capacity_kwh(end, end)
        both = keeping_kw(fleet, stored_kwh, self.evening_kwh(now, end) + capacity, hours)
        for_capacity = keeping_kw(fleet, stored_kwh, capacity, hours)
        return np.asarray(np.maximum(both, np.minimum(for_capacity, 0.0)))

    def room(self, now: SimTime, end: SimTime, stored_kwh: FloatArray) -> StoreRoom:
        """By how much stores may move when reserve is called in an interval, and held after it.

        Parameters
        ----------
        end
            Of the interval. [s]
        stored_kwh
            Energy in the stores now, shape (ders,). [kWh]
        """
        kept = self.evening_kwh(now, end) + self.capacity_kwh(end, end + DURATION_S)
        return store_room(self._scenario.fleet, stored_kwh, kept)

    def room_for_capacity(self, day: int, now: SimTime, stored_kwh: FloatArray) -> StoreRoom:
        """By how much stores may move through the commitment of a day to come; there must be one.

        ``stored_kwh``: energy in the stores now, shape (ders,). [kWh]
        """
        assert self._capacity is not None
        begin = self._capacity.begins_s(day)
        reached = self._capacity.reached_kwh(day, now, stored_kwh)
        return store_room(self._scenario.fleet, reached, self._evening_of_day(day, now, begin))

    def room_in_hour(self, day: int, now: SimTime, end: SimTime, stored_kwh: FloatArray) -> StoreRoom:
        """By how much stores may move when the reserve of an hour of a day to come is called.

        What they will hold is not known: no more than they can. All that capacity may be sold of is kept.

        Parameters
        ----------
        end
            Of the hour. [s]
        stored_kwh
            Energy in the stores now, shape (ders,). [kWh]
        """
        fleet = self._scenario.fleet
        kept = self._evening_of_day(day, now, end)
        if self._capacity is not None and self._capacity.hours(day):
            claim = self.room_for_capacity(day, now, stored_kwh)
            kept = kept + self._capacity.claimed_kwh(day, claim, end, end + DURATION_S)
        free_kwh = np.asarray(fleet.energy_kwh)
        return StoreRoom(spare_kwh=store_room(fleet, free_kwh, kept).spare_kwh, free_kwh=free_kwh)

    def _evening_of_day(self, day: int, now: SimTime, at: SimTime) -> FloatArray:
        left = self._need.left_on_day_kwh(at, self._clock.midnight(day + 1))
        return np.where(self._scenario.directed(now), left, 0.0)
