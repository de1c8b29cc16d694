"""What a day's net import costs an area, and a bound of it that holds at every import: a cut made of curves.

At an import P the day's program gives the cost V(P) and the worth nu of energy in every store at every hour's
end. With stores paid at nu the hours part, and each hour has a curve of its own as in any other bid. Their
sum, with what the levels are worth by themselves, is never above V (Lagrangian relaxation) and meets it at P
(strong duality)::

    V(P') >= levels(nu) + sum_t phi_t(P'_t; nu)   for every P'

A plane through V at P with the same prices lies below it (M. L. Fisher, "The Lagrangian relaxation method for
solving integer programming problems", Management Science 27(1), 1981). Each phi is stated from below: by its
tangents at the bid's ladder of prices and at the price at P. Their corners are a curve of blocks, as long for
ten DERs as for many thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.curve import NetCurve, bid_of
from federates.core.messages import ValueCut
from federates.core.time import SimTime
from federates.der.store_day import StoreDay
from federates.distribution.linear import OperatingPoint
from federates.dso.bid import (
    HIGHEST_USD_PER_MWH,
    LOWEST_USD_PER_MWH,
    FeederBidder,
    FeederCurve,
)
from federates.dso.case import FeederLimits
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.day_program import AreaHour, DayOptimum, DayProgram, FeederStores

LADDER_USD_PER_MWH = (1.0, 4.0, 15.0)
"""Distances of the tangents' prices from the price at the import asked for, either way. [$/MWh]"""
SAME_USD_PER_MWH = 1e-6
"""Prices nearer than this are one."""
NOTHING_MW = 1e-9
"""Width of a block that rounding has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederHour:
    """One feeder in one hour, ready to be asked."""

    bidder: FeederBidder
    """Its own, so that its program stays warm from round to round."""
    point: OperatingPoint
    columns: DerColumns
    """Offers in fleet order, those of stores as `with_stores` puts them."""
    limits: FeederLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueHour:
    """One hour of an area, ready to be asked."""

    feeders: tuple[FeederHour, ...]
    constant_mw: float
    """Drawn beyond the feeders. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCut:
    """Cost of a day at one import, and the bound at every other, of one simulated set."""

    cost_usd: float
    """Cost at the import asked for. [$]"""
    least_usd: float
    """Bound with the least import in every hour. [$]"""
    curves: tuple[NetCurve, ...]
    """Worth of more import than that, hour by hour."""
    optimum: DayOptimum
    """The day at that import."""

    def bound_usd(self, import_mw: FloatArray) -> float:
        """The bound at an import of shape (hours,) inside the curves' ranges. [$]"""
        worth = 0.0
        for curve, drawn in zip(self.curves, import_mw.tolist(), strict=True):
            filled = np.clip(drawn - curve.import_mw[:-1], 0.0, curve.width_mw)
            worth += float(filled @ curve.value_usd_per_mwh)
        return self.least_usd - worth

    def message(self, interval_s: SimTime, length_s: int, round_count: int, multiplicity: int) -> ValueCut:
        """The cut of ``multiplicity`` equal sets, as it is sent."""
        factor = float(multiplicity)
        bid = bid_of([curve.scaled(factor) for curve in self.curves], interval_s, length_s)
        return ValueCut(
            interval_s=interval_s,
            length_s=length_s,
            round_count=round_count,
            asked_usd=factor * self.cost_usd,
            least_usd=factor * self.least_usd,
            counts=bid.counts,
            import_mw=bid.import_mw,
            price_usd_per_mwh=bid.price_usd_per_mwh,
        )


class DayValue:
    """An area's cost of a day as a function of its net import, asked question by question.

    Parameters
    ----------
    hours
        What each brings.
    stores
        What stores do.
    feeder_of_der
        Feeder of each DER, shape (ders,).
    limit_mw
        Greatest import and export of the substation. [MW]
    name
        Says in errors which area failed.
    """

    def __init__(
        self,
        hours: Sequence[ValueHour],
        stores: StoreDay,
        feeder_of_der: IntArray,
        limit_mw: float,
        name: str,
    ) -> None:
        self._hours, self._stores, self._limit_mw = hours, stores, limit_mw
        self._in_fleet = stores_on_feeders(stores, feeder_of_der, len(hours[0].feeders))
        cases = [
            AreaHour(
                cases=tuple(f.bidder.refresh(f.point, f.columns, f.limits) for f in hour.feeders),
                constant_mw=hour.constant_mw,
            )
            for hour in hours
        ]
        in_map = [
            FeederStores(store=own.store, der=np.argsort(feeder.bidder.map.order)[own.der])
            for own, feeder in zip(self._in_fleet, hours[0].feeders, strict=True)
        ]
        self._program = DayProgram(cases, stores, in_map, limit_mw, name)
        self._planned: tuple[FloatArray, DayOptimum] | None = None

    def at_prices(self, price_usd_per_mwh: FloatArray) -> DayCut:
        """The area's own optimum at prices of its import, shape (hours,)."""
        return self._cut(self._program.at_prices(price_usd_per_mwh))

    def at_import(self, import_mw: FloatArray) -> DayCut:
        """What an import of shape (hours,) costs. [MW]"""
        return self._cut(self._program.at_import(import_mw))

    def scheduled_kw(self, import_mw: FloatArray) -> list[list[FloatArray]]:
        """Least-cost injections at an import, shape (hours,) [MW], by hour and feeder in fleet order. [kW]"""
        p_kw = self.plan(import_mw).p_kw
        return [
            [feeder.bidder.map.to_fleet_order(p) for feeder, p in zip(hour.feeders, own, strict=True)]
            for hour, own in zip(self._hours, p_kw, strict=True)
        ]

    def plan(self, import_mw: FloatArray) -> DayOptimum:
        """What the area does at an import of shape (hours,), found once for all who ask for the same. [MW]"""
        if self._planned is None or not np.array_equal(self._planned[0], import_mw):
            self._planned = import_mw.copy(), self._program.at_import(import_mw)
        return self._planned[1]

    def _cut(self, optimum: DayOptimum) -> DayCut:
        worth = optimum.worth_usd_per_mwh
        total, curves = self._stores.level_value_usd(worth), []
        for t in range(len(self._hours)):
            at_least, curve = self._hour(t, worth[t], float(optimum.price_usd_per_mwh[t]))
            total += at_least
            curves.append(curve)
        return DayCut(cost_usd=optimum.cost_usd, least_usd=total, curves=tuple(curves), optimum=optimum)

    def _hour(self, t: int, worth: FloatArray, price_usd_per_mwh: float) -> tuple[float, NetCurve]:
        """Bound of an hour's cost at its least import, and the worth of more, with stores paid at a worth."""
        hour = self._hours[t]
        ladder = _ladder(price_usd_per_mwh)
        charge = self._stores.charge_usd_per_mwh(worth)
        discharge = self._stores.discharge_usd_per_mwh(worth)
        swept = []
        for feeder, own in zip(hour.feeders, self._in_fleet, strict=True):
            columns = _priced(feeder.columns, own, charge, discharge)
            feeder.bidder.refresh(feeder.point, columns, feeder.limits)
            swept.append(feeder.bidder.sweep(ladder))
        full_charge = float(charge @ self._stores.charge_mw[t])
        return _from_below(swept, hour.constant_mw, -full_charge, self._limit_mw)


def _ladder(price_usd_per_mwh: float) -> FloatArray:
    """Prices of tangents around one, ascending: dense where the next question may fall. [$/MWh]"""
    steps = np.array(LADDER_USD_PER_MWH)
    near = price_usd_per_mwh + np.concatenate([-steps[::-1], [0.0], steps])
    ends = np.array([LOWEST_USD_PER_MWH, HIGHEST_USD_PER_MWH])
    every = np.sort(np.concatenate([near, ends]))
    return np.asarray(every[np.append(True, np.diff(every) > SAME_USD_PER_MWH)])


def with_stores(columns: DerColumns, stores: FeederStores, day: StoreDay, hour: int) -> DerColumns:
    """Offers with two blocks of each store, from full charge to none and on to full discharge.

    Parameters
    ----------
    columns
        Offers in fleet order of the feeder.
    stores
        The stores on it, in the same order.
    """
    keep = ~np.isin(columns.der, stores.der)
    charge, discharge = (KW_PER_MW * p[hour, stores.store] for p in (day.charge_mw, day.discharge_mw))
    floor = columns.floor_kw.copy()
    floor[stores.der] = -charge
    none = np.zeros(stores.der.size)
    der = np.concatenate([columns.der[keep], stores.der, stores.der])
    width = np.concatenate([columns.width_kw[keep], charge, discharge])
    price = np.concatenate([columns.price_usd_per_mwh[keep], none, none])
    order = np.argsort(der, kind="stable")
    return replace(
        columns,
        der=der[order],
        width_kw=width[order],
        price_usd_per_mwh=price[order],
        floor_kw=floor,
    )


def stores_on_feeders(stores: StoreDay, feeder_of_der: IntArray, feeders_count: int) -> list[FeederStores]:
    """Stores of each feeder, by their places among its DERs in fleet order."""
    found = []
    for feeder in range(feeders_count):
        store = np.flatnonzero(feeder_of_der[stores.der] == feeder)
        rank = np.cumsum(feeder_of_der == feeder) - 1
        found.append(FeederStores(store=store, der=rank[stores.der[store]]))
    return found


def _priced(columns: DerColumns, own: FeederStores, charge: FloatArray, discharge: FloatArray) -> DerColumns:
    """Offers with the two blocks of each store at prices, in their order."""
    price = columns.price_usd_per_mwh.copy()
    first = np.searchsorted(columns.der, own.der)
    price[first], price[first + 1] = charge[own.store], discharge[own.store]
    order = np.lexsort((price, columns.der))
    return replace(columns, width_kw=columns.width_kw[order], price_usd_per_mwh=price[order])


def _from_below(
    swept: Sequence[FeederCurve], constant_mw: float, floor_usd: float, limit_mw: float
) -> tuple[float, NetCurve]:
    """Envelope of the tangents of an hour's curve: its value at the least import, and the worth of more.

    ``floor_usd`` is the cost of all floors together.
    """
    drawn = np.sum([curve.import_mw for curve in swept], axis=0) + constant_mw
    least, greatest = (float(np.clip(drawn[k], -limit_mw, limit_mw)) for k in (-1, 0))
    price = swept[0].price_usd_per_mwh[1:-1]
    cost = np.sum([curve.cost_usd_per_h for curve in swept], axis=0)[1:-1] + floor_usd
    at_zero = cost + price * drawn[1:-1]
    corners = np.clip(np.diff(at_zero) / np.diff(price), least, greatest)[::-1]
    ends = np.maximum.accumulate(np.concatenate([[least], corners, [greatest]]))
    at_least = float((at_zero - price * least).max())
    kept = np.flatnonzero(np.diff(ends) > NOTHING_MW)
    if not kept.size:
        return at_least, NetCurve(import_mw=np.array([least]), price_usd_per_mwh=np.zeros(1))
    worth = price[::-1][kept]
    import_mw = np.concatenate([[least], ends[kept + 1]])
    import_mw[-1] = greatest
    return at_least, NetCurve(import_mw=import_mw, price_usd_per_mwh=np.concatenate([worth[:1], worth]))
