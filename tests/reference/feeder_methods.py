"""The day of `tests.reference.feeder_day` by every other bid method, judged by what is done.

As in `tests.reference.storage_day`: hour by hour stores offer what they hold at its opportunity cost against
the prices expected, the DSO makes one curve, the ISO clears that hour, the award is dispatched and the energy
moves. Cost is that of all units and DERs and of wear, less what is left in store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve
from federates.der.storage_value import (
    StorageBlocks,
    marginal_values,
    offer_blocks,
    planned,
)
from federates.dso.bid import LdaCurve
from federates.dso.bid_method import IntervalCurve
from federates.dso.day_program import DayOptimum
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.lda_cuts import ImportRange
from federates.iso.lda_stores import LdaStores, no_stores
from federates.iso.network import market_network
from federates.iso.rounds import Round, Rounds
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState
from tests.reference.feeder_day import (
    BULK_MW,
    END_USD_PER_MWH,
    HOURS,
    KW_PER_MW,
    AreaOfDay,
)
from tests.reference.feeder_offers import (
    Method,
    area_curve,
    fleet_of,
    followed,
    moved_kwh,
    offered,
    one_store_each,
)

BLOCKS = 20
FIRST_USD_PER_MWH = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """What a day came to."""

    cost_usd: float
    moved_mwh: float
    """Drawn and given back by the stores of one set of each area. [MWh]"""


class HourlyDay:
    """The day, bid hour by hour."""

    def __init__(self, case: TransmissionCase, areas: Sequence[AreaOfDay], within: ImportRange) -> None:
        self.case, self.areas, self._within = case, areas, within
        self.bus = np.array([one.bus for one in areas])
        self.fleets = [fleet_of(one.stores) for one in areas]
        self.method = IntervalCurve(blocks_limit=BLOCKS)
        idle = self.cleared(self._idle())
        self.naive_usd_per_mwh = self.prices(idle)
        self.idle_usd = self._idle_usd(idle)
        """Cost of the day with its batteries idle. [$]"""

    def cleared(
        self, curves: Sequence[Sequence[NetCurve]], first_hour: int = 0, stores: LdaStores | None = None
    ) -> DayAhead:
        """Hours from ``first_hour`` on; curves of one set of each area."""
        hours, units = len(curves[0]), len(self.case.units.ids)
        market = Scuc(
            market_network(self.case), self.case.units, hours=hours, curve_bus=self.bus,
            curve_slots=np.full(self.bus.size, 40),
        )  # fmt: skip
        bids = DayBids(
            demand_mw=BULK_MW[first_hour : first_hour + hours],
            available_mw=np.tile(self.case.units.p_max_mw, (hours, 1)),
            must_take=np.zeros(units, dtype=np.bool_),
            inflow_mw=np.zeros((hours, units)),
            curves=tuple(
                tuple(curve.scaled(float(one.multiplicity)) for curve in own)
                for one, own in zip(self.areas, curves, strict=True)
            ),
            lda_stores=no_stores(hours, self.bus.size) if stores is None else stores,
        )
        on = np.ones((hours, units), dtype=np.bool_)
        before = UnitState(
            on=on[0], in_state_h=np.full(units, 48.0), output_mw=np.zeros(units), energy_mwh=np.zeros(units)
        )
        return market.clear(bids, before, on)

    def prices(self, day: DayAhead) -> FloatArray:
        """Prices at the areas' buses, shape (hours, areas). [$/MWh]"""
        return np.asarray(day.prices.lmp_usd_per_mwh[:, self.bus])

    def curve(self, area: int, hour: int, blocks: StorageBlocks | None, price_usd_per_mwh: float) -> LdaCurve:
        """One set's curve, as a total DSO makes it."""
        return area_curve(self.areas[area], hour, blocks, price_usd_per_mwh, BLOCKS)

    def _idle(self) -> list[list[NetCurve]]:
        return [
            [self.curve(k, t, None, FIRST_USD_PER_MWH).net_curve for t in range(HOURS)]
            for k in range(len(self.areas))
        ]

    def _idle_usd(self, day: DayAhead) -> float:
        cost = float((day.unit_mw @ self.case.units.block_usd_per_mwh[:, 0]).sum())
        for k, one in enumerate(self.areas):
            for t in range(HOURS):
                award = float(day.curve_mw[t, k]) / one.multiplicity
                curve = self.curve(k, t, None, FIRST_USD_PER_MWH)
                cost += one.multiplicity * float(np.interp(award, curve.import_mw, curve.cost_usd_per_h))
            cost -= END_USD_PER_MWH * one.multiplicity * float(one.stores.begin_mwh.sum())
        return cost

    def slopes(self, forecast: FloatArray) -> list[FloatArray]:
        """Marginal values of stored energy against prices of shape (24, areas)."""
        return [
            marginal_values(fleet, forecast[:, k], np.ones(HOURS), END_USD_PER_MWH)
            for k, fleet in enumerate(self.fleets)
        ]

    def _stores_kw(self, area: int, p_kw: Sequence[FloatArray]) -> FloatArray:
        """Injections of the stores, from those of all DERs feeder by feeder. [kW]"""
        own = np.zeros(self.fleets[area].count)
        for feeder, p in zip(self.areas[area].feeders, p_kw, strict=True):
            own[feeder.stores.store] = p[feeder.stores.der]
        return own

    def realised(
        self, forecast: FloatArray, method: Method | None = None, plans: Sequence[DayOptimum] = ()
    ) -> Realised:
        """The day hour by hour, stored energy valued against a forecast of shape (24, areas).

        ``plans``: what stores keep to, area by area; empty: nothing.
        """
        how = self.method if method is None else method
        slopes = self.slopes(forecast)
        for own, fleet, plan in zip(slopes, self.fleets, plans, strict=False):
            for t in range(HOURS):
                level_kwh, worth = KW_PER_MW * plan.level_mwh[t], plan.worth_usd_per_mwh[t]
                own[t + 1] = planned(fleet, own[t + 1], level_kwh, worth)
        soc = [KW_PER_MW * one.stores.begin_mwh for one in self.areas]
        cost = moved = 0.0
        for t in range(HOURS):
            curves = [
                self.curve(k, t, offer_blocks(fleet, slopes[k][t + 1], soc[k], 1.0), forecast[t, k])
                for k, fleet in enumerate(self.fleets)
            ]
            hour = self.cleared([[how.sent(c, forecast[t, k])] for k, c in enumerate(curves)], t)
            cost += float(hour.unit_mw[0] @ self.case.units.block_usd_per_mwh[:, 0])
            for k, (one, curve) in enumerate(zip(self.areas, curves, strict=True)):
                p_kw, _, _ = curve.at(float(hour.curve_mw[0, k]) / one.multiplicity)
                own = self._stores_kw(k, p_kw)
                soc[k] = moved_kwh(self.fleets[k], soc[k], own)
                moved += float(np.abs(own).sum()) / KW_PER_MW
                wear = float(np.abs(own) @ self.fleets[k].wear_usd_per_mwh) / 2 / KW_PER_MW
                ders = sum(
                    offered(feeder, t, None).cost_usd_per_h(p)
                    for feeder, p in zip(one.feeders, p_kw, strict=True)
                )
                cost += one.multiplicity * (wear + ders)
        left = sum(one.multiplicity * s.sum() for one, s in zip(self.areas, soc, strict=True))
        return Realised(cost_usd=cost - END_USD_PER_MWH * float(left) / KW_PER_MW, moved_mwh=moved)

    def after_rounds(self, count: int) -> FloatArray:
        """Prices of the best of some day-ahead rounds, shape (24, areas). [$/MWh]"""
        rounds = Rounds(count, self.naive_usd_per_mwh)
        while not rounds.are_over:
            day = self._round(rounds.expected_usd_per_mwh)
            rounds.add(Round(cleared=day, book=[], books=None, price_usd_per_mwh=self.prices(day)))
        return rounds.best.price_usd_per_mwh

    def _round(self, forecast: FloatArray) -> DayAhead:
        """Each hour offered from the state that following the forecast leaves."""
        slopes, curves = self.slopes(forecast), []
        for k, (one, fleet) in enumerate(zip(self.areas, self.fleets, strict=True)):
            blocks = followed(fleet, slopes[k], KW_PER_MW * one.stores.begin_mwh, forecast[:, k])
            curves.append([self.curve(k, t, b, forecast[t, k]).net_curve for t, b in enumerate(blocks)])
        return self.cleared(curves)

    def virtual_storage(self) -> FloatArray:
        """Prices of a day-ahead with one store for each area, shape (24, areas). [$/MWh]"""
        stores = one_store_each(self.areas, self._within.least_mw, self._within.greatest_mw)
        return self.prices(self.cleared(self._idle(), stores=stores))
