"""Everything that stores, over the hours of a day, as one linear program takes it.

With charge ``c``, discharge ``d`` and level ``e`` of a store, hour by hour::

    e_t = kept_t e_(t-1) + gain_t + eta_c c_t - d_t / eta_d

Half a cycle's wear is paid either way. A level outside the store's range, and what is missing when a store is
due, have a price; what is left at the end has a worth up to a level. It is the energy balance of
:mod:`federates.der.store` with efficiencies that include what leaks in the hour.

At multipliers ``nu`` of the balances, which are worths of energy, stores and hours part: a store charges
below ``eta_c nu - wear/2`` and discharges above ``nu / eta_d + wear/2``, and what its levels are worth by
themselves is a number that :meth:`StoreDay.level_value_usd` gives. Whatever the multipliers, the sum is never
more than the day costs (Lagrangian relaxation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import CodecError
from federates.core.messages import DerStores, StorePlan
from federates.core.time import SimTime
from federates.der.model import FleetState, Interval
from federates.der.portfolio import Portfolio
from federates.der.storage_value import BELOW_USD_PER_MWH
from federates.der.store import idle_hours

KW_PER_MW = 1_000.0
OUTSIDE_USD_PER_MWH = BELOW_USD_PER_MWH
"""Price of a level outside a store's range: a room too cold, a vehicle's trip without energy. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDay:
    """Stores of an area or of an aggregator; T hours, S stores."""

    der: IntArray
    """Place of each among the DERs, ascending, shape (S,)."""
    charge_mw: FloatArray
    """Greatest charge, shape (T, S). [MW]"""
    discharge_mw: FloatArray
    """Greatest discharge, shape (T, S). [MW]"""
    kept_share: FloatArray
    """Share of the level that is left after an hour, shape (T, S)."""
    gain_mwh: FloatArray
    """What a store gains by itself; negative: loses, shape (T, S). [MWh]"""
    due_mwh: FloatArray
    """Level asked for at the end of an hour; 0 where nothing is due, shape (T, S). [MWh]"""
    most_mwh: FloatArray
    """Greatest level, shape (S,). [MWh]"""
    begin_mwh: FloatArray
    """Level before the first hour, shape (S,). [MWh]"""
    charge_efficiency: FloatArray
    """Energy held at an hour's end per energy drawn in it, shape (S,)."""
    discharge_efficiency: FloatArray
    """Energy delivered in an hour per energy missing at its end, shape (S,)."""
    wear_usd_per_mwh: FloatArray
    """Cost of a MWh charged and discharged again, shape (S,). [$/MWh]"""
    due_usd_per_mwh: FloatArray
    """Price of a MWh missing when due, shape (S,). [$/MWh]"""
    end_usd_per_mwh: FloatArray
    """Worth of a MWh left at the end, shape (S,). [$/MWh]"""
    end_below_mwh: FloatArray
    """Level up to which that holds, shape (S,). [MWh]"""

    def __post_init__(self) -> None:
        shape = self.charge_mw.shape
        by_hour = (self.discharge_mw, self.kept_share, self.gain_mwh, self.due_mwh)
        if any(values.shape != shape for values in by_hour) or self.der.size != shape[1]:
            raise CodecError(f"stores of a day: arrays of other shapes than {shape}; send all hours of each")

    @property
    def count(self) -> int:
        """Number of stores."""
        return self.der.size

    @property
    def hours_count(self) -> int:
        """Number of hours."""
        return int(self.charge_mw.shape[0])

    def charge_usd_per_mwh(self, worth_usd_per_mwh: FloatArray) -> FloatArray:
        """Price below which each charges at worths of energy of shape (T, S). [$/MWh]"""
        return np.asarray(worth_usd_per_mwh * self.charge_efficiency - self.wear_usd_per_mwh / 2)

    def discharge_usd_per_mwh(self, worth_usd_per_mwh: FloatArray) -> FloatArray:
        """Price above which each discharges, shape (T, S). [$/MWh]"""
        return np.asarray(worth_usd_per_mwh / self.discharge_efficiency + self.wear_usd_per_mwh / 2)

    def level_value_usd(self, worth_usd_per_mwh: FloatArray) -> float:
        """Least cost of the levels by themselves, when what goes in and out is paid at worths (T, S). [$]

        Each level is chosen alone: its cost is convex with kinks at the ends of its range, at what is due
        and at what has a worth at the end, so that its least is at one of them.
        """
        worth = worth_usd_per_mwh
        after = np.zeros_like(worth)
        after[:-1] = self.kept_share[1:] * worth[1:]
        none = np.zeros_like(worth)
        kinks = [none, none + self.most_mwh, self.due_mwh, none + self.end_below_mwh]
        cost = np.stack([self.level_cost_usd(level) + (worth - after) * level for level in kinks])
        fixed = (worth * self.gain_mwh).sum() + (worth[0] * self.kept_share[0]) @ self.begin_mwh
        return float(cost.min(axis=0).sum() - fixed)

    def level_cost_usd(self, level_mwh: FloatArray) -> FloatArray:
        """What levels of shape (T, S) cost by their range, what is due, and the worth of the end. [$]"""
        outside = np.maximum(-level_mwh, 0.0) + np.maximum(level_mwh - self.most_mwh, 0.0)
        cost = OUTSIDE_USD_PER_MWH * outside
        cost += self.due_usd_per_mwh * np.maximum(self.due_mwh - level_mwh, 0.0) * (self.due_mwh > 0.0)
        cost[-1] -= self.end_usd_per_mwh * np.minimum(level_mwh[-1], self.end_below_mwh)
        return np.asarray(cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLevels:
    """Where stores stand through a day in a plan; T hours, S stores."""

    der: IntArray
    """Place of each among the DERs, ascending, shape (S,)."""
    level_mwh: FloatArray
    """At every hour's beginning and the day's end, shape (T + 1, S). [MWh]"""
    worth_usd_per_mwh: FloatArray
    """Worth of energy at each hour's end, shape (T, S). [$/MWh]"""

    def at(self, hours: float) -> tuple[FloatArray, FloatArray]:
        """Level [MWh] and worth of energy [$/MWh] so long after the day's beginning, shapes (S,)."""
        hour = int(np.clip(np.ceil(hours) - 1.0, 0.0, len(self.worth_usd_per_mwh) - 1.0))
        share = float(np.clip(hours - hour, 0.0, 1.0))
        level = (1.0 - share) * self.level_mwh[hour] + share * self.level_mwh[hour + 1]
        return level, self.worth_usd_per_mwh[hour]


def plan_message(levels: PlannedLevels, interval_s: SimTime, length_s: int) -> StorePlan:
    """Message that carries the plan of an aggregator's stores."""
    return StorePlan(
        interval_s=interval_s,
        length_s=length_s,
        intervals=len(levels.worth_usd_per_mwh),
        der=levels.der,
        level_mwh=levels.level_mwh.ravel(),
        worth_usd_per_mwh=levels.worth_usd_per_mwh.ravel(),
    )


def levels_of(message: StorePlan) -> PlannedLevels:
    """The plan that a message carries."""
    return PlannedLevels(
        der=message.der,
        level_mwh=message.level_mwh.reshape(message.intervals + 1, -1),
        worth_usd_per_mwh=message.worth_usd_per_mwh.reshape(message.intervals, -1),
    )


def store_day(
    portfolio: Portfolio,
    state: FleetState,
    hours: Sequence[Interval],
    end_usd_per_mwh: float,
    directed: BoolArray,
) -> StoreDay:
    """Stores of an aggregator's DERs that follow set-points, by their places in its portfolio.

    Parameters
    ----------
    state
        At the first hour's beginning.
    hours
        What each is expected to bring to the DERs.
    end_usd_per_mwh
        Worth of a MWh left at the end. [$/MWh]
    directed
        Which DERs follow set-points, shape (ders,).
    """
    pick = directed[portfolio.stores]
    der, fleet = portfolio.stores[pick], portfolio.storage
    at = [hour.of(der) for hour in hours]
    leak, length_h = fleet.leak_per_h[pick], hours[0].hours
    counts = idle_hours(leak, length_h)

    def by_hour(values: Sequence[FloatArray]) -> FloatArray:
        return np.stack(values) if values else np.zeros((0, der.size))

    return StoreDay(
        der=der,
        charge_mw=by_hour([np.minimum(fleet.charge_kw[pick], -h.least_kw) for h in at]) / KW_PER_MW,
        discharge_mw=by_hour([np.clip(h.available_kw, 0.0, fleet.discharge_kw[pick]) for h in at])
        / KW_PER_MW,
        kept_share=by_hour([np.where(h.fresh, 0.0, np.exp(-leak * length_h)) for h in at]),
        gain_mwh=by_hour([h.flow_kw * counts for h in at]) / KW_PER_MW,
        due_mwh=by_hour([np.where(h.is_last, h.due_kwh, 0.0) for h in at]) / KW_PER_MW,
        most_mwh=fleet.energy_kwh[pick] / KW_PER_MW,
        begin_mwh=state.energy_kwh[der] / KW_PER_MW,
        charge_efficiency=fleet.charge_efficiency[pick] * counts / length_h,
        discharge_efficiency=fleet.discharge_efficiency[pick] * length_h / counts,
        wear_usd_per_mwh=fleet.wear_usd_per_mwh[pick],
        due_usd_per_mwh=fleet.due_usd_per_mwh[pick],
        end_usd_per_mwh=end_usd_per_mwh * fleet.terminal_share[pick],
        end_below_mwh=fleet.terminal_below_kwh[pick] / KW_PER_MW,
    )


BY_HOUR = ("charge_mw", "discharge_mw", "kept_share", "gain_mwh", "due_mwh")
"""Fields with a value for every hour."""


def stores_message(day: StoreDay, interval_s: SimTime, length_s: int) -> DerStores:
    """Message that carries an aggregator's stores."""
    values = {f.name: getattr(day, f.name) for f in fields(StoreDay)}
    flat = {name: value.ravel() if name in BY_HOUR else value for name, value in values.items()}
    return DerStores(interval_s=interval_s, length_s=length_s, intervals=day.hours_count, **flat)


def stores_of_area(messages: Sequence[DerStores], portfolios: Sequence[IntArray]) -> StoreDay:
    """Stores of all aggregators of an area, by their places in its fleet.

    Parameters
    ----------
    portfolios
        Places of each aggregator's DERs in the fleet.
    """
    days = [_day_of(message) for message in messages]
    own = [replace(day, der=mine[day.der]) for day, mine in zip(days, portfolios, strict=True)]
    order = np.argsort(np.concatenate([day.der for day in own]), kind="stable")
    joined = {
        f.name: np.concatenate([getattr(day, f.name) for day in own], axis=-1)[..., order]
        for f in fields(StoreDay)
    }
    return StoreDay(**joined)


def _day_of(message: DerStores) -> StoreDay:
    values = {f.name: getattr(message, f.name) for f in fields(StoreDay)}
    shaped = {k: v.reshape(message.intervals, -1) if k in BY_HOUR else v for k, v in values.items()}
    return StoreDay(**shaped)
