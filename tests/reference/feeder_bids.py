"""Every bid of a total DSO on the day of `tests.reference.feeder_day`, judged by what its award costs.

An award P costs C(P') + V(P'): the areas draw P as far as they can with all that their stores carry from hour
to hour, at least cost V, and the bulk system dispatches for what they draw, P'. So no bid looks cheap by a
schedule that its batteries could not follow, and the joint optimum is below every one. What is not drawn as
awarded stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve, fixed_quantity
from federates.der.storage_value import StorageBlocks, marginal_values
from federates.dso.bid import LdaCurve, price_ladder
from federates.dso.day_program import MISS_USD_PER_MWH
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.lda_stores import LdaStores
from federates.iso.network import market_network
from federates.iso.rounds import Round, Rounds
from federates.iso.scuc import Scuc
from tests.reference.feeder_day import (
    BULK_MW,
    END_USD_PER_MWH,
    FORECAST_USD_PER_MWH,
    HOURS,
    KW_PER_MW,
    LIMITS,
    AreaOfDay,
    Exact,
    JointDay,
    exact_day,
)
from tests.reference.feeder_offers import (
    Method,
    area_curve,
    fleet_of,
    followed,
    one_store_each,
)
from tests.reference.layers import CONSTANT_MW

MOST_BLOCKS = 40
UNMET_MWH = 1e-3
"""Load not served, energy without a taker and flow above ratings that a clearing may leave. [MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An award and what it costs."""

    cost_usd: float
    """Of the bulk system and of the areas. [$]"""
    missed_mwh: float
    """Awarded and not drawn, or drawn and not awarded. [MWh]"""


class BidDay:
    """The day, and the ways to bid for it; prices are of shape (hours, areas)."""

    def __init__(self) -> None:
        self.case, self.cuts, self._joint = exact_day()
        self.areas = self.cuts.areas
        self.fleets = [fleet_of(one.stores) for one in self.areas]
        self._market = Scuc(
            market_network(self.case), self.case.units, hours=HOURS,
            curve_bus=np.array([one.bus for one in self.areas]),
            curve_slots=np.full(len(self.areas), MOST_BLOCKS),
        )  # fmt: skip

    @cached_property
    def joint(self) -> JointDay:
        """The joint optimum, by a program of its own."""
        return self._joint.solve()

    @cached_property
    def naive_usd_per_mwh(self) -> FloatArray:
        """Prices of the day with every store idle: what who knows of no store expects."""
        flat = np.full((HOURS, len(self.areas)), FORECAST_USD_PER_MWH)
        return self.prices(self._cleared(self._curves(flat, MOST_BLOCKS, self._idle)))

    def exact(self) -> Exact:
        """Cost of the whole day, question by question."""
        return self.cuts.run(gap=1e-5, rounds_limit=60)

    def bid(self, forecast_usd_per_mwh: FloatArray, how: Method) -> Judged:
        """Stored energy valued at a forecast; what ``how`` sends of each curve is cleared at once."""
        return self.judged(self._round(forecast_usd_per_mwh, how).curve_mw)

    def rounds(self, count: int, how: Method) -> Judged:
        """The same in day-ahead rounds from the naive forecast on."""
        rounds = Rounds(count, self.naive_usd_per_mwh)
        while not rounds.are_over:
            day = self._round(rounds.expected_usd_per_mwh, how)
            rounds.add(Round(cleared=day, book=[], books=None, price_usd_per_mwh=self.prices(day)))
        return self.judged(rounds.best.cleared.curve_mw)

    def virtual_storage(self) -> Judged:
        """Curves without stores, and one store for each area within the import that its feeders carry."""
        stores = one_store_each(self.areas, *self._carried())
        return self.judged(self._cleared(self._without_stores(), stores).curve_mw)

    def without_stores(self) -> Judged:
        """Curves that leave stores out altogether."""
        return self.judged(self._cleared(self._without_stores()).curve_mw)

    def judged(self, award_mw: FloatArray) -> Judged:
        """What an award of shape (hours, areas) costs. [MW]"""
        drawn, cost, missed_mwh = np.zeros_like(award_mw), 0.0, 0.0
        for k, (value, one) in enumerate(zip(self.cuts.values, self.areas, strict=True)):
            sets = float(one.multiplicity)
            best = value.at_import(award_mw[:, k] / sets).optimum
            drawn[:, k] = sets * best.import_mw
            cost += sets * (best.cost_usd - MISS_USD_PER_MWH * best.missed_mwh)
            missed_mwh += sets * best.missed_mwh
        day = self._cleared(held(drawn, self.areas))
        unmet = float(day.shed_mw.sum() + day.surplus_mw.sum() + day.overload_mwh)
        assert unmet <= UNMET_MWH, f"the market left {unmet:.3g} MWh"
        units_usd = float((day.unit_mw @ self.case.units.block_usd_per_mwh[:, 0]).sum())
        return Judged(cost_usd=cost + units_usd, missed_mwh=missed_mwh)

    def prices(self, day: DayAhead) -> FloatArray:
        """Prices of a cleared day at the areas' buses. [$/MWh]"""
        return np.asarray(day.prices.lmp_usd_per_mwh[:, [one.bus for one in self.areas]])

    def _round(self, forecast: FloatArray, how: Method) -> DayAhead:
        curves = self._curves(forecast, how.blocks_limit, self._valued(forecast))
        return self._cleared(
            [
                [how.sent(curve, float(forecast[t, k])) for t, curve in enumerate(hours)]
                for k, hours in enumerate(curves)
            ]
        )

    def _cleared(
        self, curves: Sequence[Sequence[NetCurve | LdaCurve]], stores: LdaStores | None = None
    ) -> DayAhead:
        """The market on curves of one set by area and hour."""
        units = len(self.case.units.ids)
        sent = tuple(
            tuple(
                (c.net_curve if isinstance(c, LdaCurve) else c).scaled(float(one.multiplicity)) for c in hours
            )
            for one, hours in zip(self.areas, curves, strict=True)
        )
        bids = DayBids(
            demand_mw=BULK_MW,
            available_mw=np.tile(self.case.units.p_max_mw, (HOURS, 1)),
            must_take=np.zeros(units, dtype=np.bool_),
            inflow_mw=np.zeros((HOURS, units)),
            curves=sent,
        )
        bids = bids if stores is None else replace(bids, lda_stores=stores)
        return self._market.clear(bids, self.cuts.before, self.cuts.on)

    def _curves(
        self, forecast: FloatArray, blocks: int, store_blocks: Callable[[int, int], StorageBlocks | None]
    ) -> list[list[LdaCurve]]:
        """The areas' curves around a forecast, hour by hour, with blocks of stores by area and hour."""
        return [
            [area_curve(one, t, store_blocks(k, t), float(forecast[t, k]), blocks) for t in range(HOURS)]
            for k, one in enumerate(self.areas)
        ]

    def _without_stores(self) -> list[list[LdaCurve]]:
        return self._curves(self.naive_usd_per_mwh, MOST_BLOCKS, self._idle)

    def _idle(self, area: int, hour: int) -> StorageBlocks | None:
        """No blocks: stores do nothing."""
        del area, hour
        return None

    def _valued(self, forecast: FloatArray) -> Callable[[int, int], StorageBlocks | None]:
        """Blocks at opportunity cost, each hour from the level that following the forecast leaves."""
        paths = []
        for k, (fleet, one) in enumerate(zip(self.fleets, self.areas, strict=True)):
            slopes = marginal_values(fleet, forecast[:, k], np.ones(HOURS), END_USD_PER_MWH)
            paths.append(followed(fleet, slopes, KW_PER_MW * one.stores.begin_mwh, forecast[:, k]))
        return lambda area, hour: paths[area][hour]

    def _carried(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest import that feeders carry with stores at full power, (hours, areas). [MW]"""
        least, greatest = np.zeros((HOURS, len(self.areas))), np.zeros((HOURS, len(self.areas)))
        ladder = price_ladder(FORECAST_USD_PER_MWH).price_usd_per_mwh
        for k, one in enumerate(self.areas):
            for t in range(HOURS):
                for feeder in one.feeders:
                    feeder.bidders[t].refresh(feeder.points[t], feeder.columns[t], LIMITS)
                    drawn = feeder.bidders[t].sweep(ladder).import_mw
                    least[t, k] += one.multiplicity * (drawn.min() + CONSTANT_MW / len(one.feeders))
                    greatest[t, k] += one.multiplicity * (drawn.max() + CONSTANT_MW / len(one.feeders))
        return least, greatest


def held(import_mw: FloatArray, areas: Sequence[AreaOfDay]) -> list[list[NetCurve]]:
    """Curves of one set that draw an import of shape (hours, areas), whatever the price."""
    return [
        [fixed_quantity(p / one.multiplicity) for p in import_mw[:, k].tolist()]
        for k, one in enumerate(areas)
    ]
