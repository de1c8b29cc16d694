"""The cost of a day, stated question by question to the ISO."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.messages import ImportQuery, InterfaceAward, StorePlan, ValueCut
from federates.core.time import SimTime
from federates.der.store_day import PlannedLevels, StoreDay, plan_message
from federates.dso.day_value import DayValue
from federates.dso.roles.day_plan import Joined
from federates.dso.roles.seen import HOUR_S

LAST_ROUND_OFFSET_S = 58
"""Last second of a physical step at which a DSO states a cost."""


class DayCost:
    """The statements of one market day, for all equal sets together.

    Parameters
    ----------
    value, stores
        The day of one simulated set, and what stores in it.
    midnight_s
        When the day begins. [s]
    multiplicity
        Number of equal sets.
    """

    def __init__(self, value: DayValue, stores: StoreDay, midnight_s: SimTime, multiplicity: int) -> None:
        self._value, self._midnight_s, self._multiplicity = value, midnight_s, multiplicity
        self._stores = stores
        self._answered_count = 0

    def first(self, price_usd_per_mwh: FloatArray) -> ValueCut:
        """The area's own optimum at prices expected of the day, shape (24,)."""
        cut = self._value.at_prices(price_usd_per_mwh)
        return cut.message(self._midnight_s, HOUR_S, 0, self._multiplicity)

    def is_open(self, query: ImportQuery) -> bool:
        """Whether a question is about this day and not answered yet."""
        return query.interval_s == self._midnight_s and query.round_count > self._answered_count

    def answer(self, query: ImportQuery) -> ValueCut:
        """What the import asked for costs."""
        self._answered_count = query.round_count
        cut = self._value.at_import(query.import_mw / self._multiplicity)
        return cut.message(self._midnight_s, HOUR_S, query.round_count, self._multiplicity)

    def scheduled_kw(self, award: InterfaceAward, joined: Joined) -> list[FloatArray]:
        """Injections of each hour at an award, each of shape (ders,). [kW]"""
        return [joined(feeders) for feeders in self._value.scheduled_kw(award.award_mw / self._multiplicity)]

    def plans(self, import_mw: FloatArray, portfolios: Sequence[IntArray]) -> list[StorePlan]:
        """The plan behind an award of shape (24,), for each aggregator's DERs, given by their places."""
        plan, stores = self._value.plan(import_mw / self._multiplicity), self._stores
        level_mwh = np.vstack([stores.begin_mwh, plan.level_mwh])
        found = []
        for mine in portfolios:
            own = np.isin(stores.der, mine)
            levels = PlannedLevels(
                der=np.searchsorted(mine, stores.der[own]),
                level_mwh=level_mwh[:, own],
                worth_usd_per_mwh=plan.worth_usd_per_mwh[:, own],
            )
            found.append(plan_message(levels, self._midnight_s, HOUR_S))
        return found
