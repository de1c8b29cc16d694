"""A DSO whose quantity counts its DERs: nobody awards them anything, and what they do is foreseen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.protocol import Grant, Outbox
from federates.core.time import SimTime
from federates.dso.roles.fixed_quantity import Believed, FixedQuantity
from federates.scenario.schedule_records import ScheduleRecords


class NetQuantity(FixedQuantity):
    """Bids all that its interface draws, and writes what it foresees of its DERs."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        every = np.arange(len(self.scenario.fleet))
        self._schedules = ScheduleRecords(context.recorder, self.scenario, every)

    def quantity_mw(self, drawn_mw: float, p_kw: FloatArray, now: SimTime) -> float:
        """All that the interface draws."""
        del p_kw, now
        return drawn_mw

    def day_ahead_bid_of(self, grant: Grant, day: int, hours: Sequence[Believed]) -> Outbox:
        """Bid for a day of which so much is believed."""
        self._schedules.add(day, [hour.expected.ders for hour in hours], [hour.p_kw for hour in hours])
        return super().day_ahead_bid_of(grant, day, hours)
