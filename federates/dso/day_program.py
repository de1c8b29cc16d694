"""The DSO's linear program for a whole day of its area: all hours, all feeders, and what stores carry over.

Hour by hour and feeder by feeder it is the program of :mod:`federates.dso.program`, with reactive power held;
the stores' balances (:mod:`federates.der.store_day`) join the hours. Limits of the feeders are added only
where a solution breaks them. The least cost as a function of the day's net import is convex, and its slopes
are the prices of the import.

An import that the area cannot draw is missed at a price above all that the market pays for energy, so that
every question has an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ModelError
from federates.der.store_day import OUTSIDE_USD_PER_MWH, StoreDay
from federates.dso.case import FeederCase
from federates.dso.columns import KW_PER_MW
from federates.dso.program import (
    POWER_TOLERANCE_MW,
    ROUNDS_LIMIT,
    VOLTAGE_TOLERANCE_PU2,
    limit_rows,
    row_scale,
    worst_broken,
)
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import Solution

MISS_USD_PER_MWH = 5_000.0
"""Price of an import that the area cannot draw: above the market's price of load not served. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederStores:
    """The stores on one feeder."""

    store: IntArray
    """Places among the stores of the day, shape (n,)."""
    der: IntArray
    """Places among the feeder's DERs, in the map's order, shape (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaHour:
    """One hour of an area."""

    cases: tuple[FeederCase, ...]
    """Its feeders; what is offered of stores in them is not looked at."""
    constant_mw: float
    """Drawn beyond the feeders. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOptimum:
    """Least cost of a day."""

    cost_usd: float
    """Of DERs against their floors, and of stores; an import that is missed included. [$]"""
    import_mw: FloatArray
    """What is drawn, shape (hours,). [MW]"""
    price_usd_per_mwh: FloatArray
    """What one more MW drawn would save, shape (hours,). [$/MWh]"""
    worth_usd_per_mwh: FloatArray
    """Worth of energy in each store at each hour's end, shape (hours, stores). [$/MWh]"""
    level_mwh: FloatArray
    """Energy in each store at each hour's end, shape (hours, stores). [MWh]"""
    p_kw: tuple[tuple[FloatArray, ...], ...]
    """Injections by hour and feeder, in the map's order. [kW]"""
    missed_mwh: float
    """Import asked for and not drawn, or drawn and not asked for. [MWh]"""
    binding_count: int
    """Limits of feeders that have a price, over all hours."""


class DayProgram:
    """A day's program, kept warm from question to question.

    Parameters
    ----------
    hours
        What each brings.
    stores
        What stores do.
    on_feeder
        Where the stores stand, feeder by feeder.
    limit_mw
        Greatest import and export of the substation. [MW]
    name
        Says in errors which area failed.
    """

    def __init__(
        self,
        hours: Sequence[AreaHour],
        stores: StoreDay,
        on_feeder: Sequence[FeederStores],
        limit_mw: float,
        name: str,
    ) -> None:
        self._hours, self._stores, self._on_feeder, self._name = hours, stores, on_feeder, name
        self._program = Program(name, look_at="the DERs' offers and the base state of each hour")
        blueprint = Blueprint(self._program)
        self._draw_stores(blueprint)
        times = len(hours)
        self._drawn = blueprint.columns((times,), -limit_mw, limit_mw, 0.0)
        miss = blueprint.columns((times, 2), 0.0, np.inf, MISS_USD_PER_MWH)
        self._miss = miss
        constant = np.array([hour.constant_mw for hour in hours])
        self._balance = blueprint.rows((times,), -constant, -constant)
        blueprint.entries(self._balance, self._drawn, -1.0)
        self._asked = blueprint.rows((times,), -np.inf, np.inf)
        blueprint.entries(self._asked, self._drawn, 1.0)
        blueprint.entries(self._asked[:, None], miss, np.array([1.0, -1.0]))
        self._feeders = [
            [self._draw_feeder(blueprint, t, f) for f in range(len(on_feeder))] for t in range(times)
        ]
        blueprint.pour()
        self._first_limit = self._program.rows_count

    def _draw_stores(self, blueprint: Blueprint) -> None:
        """Columns and balances of the stores; level = inside + above - below."""
        stores = self._stores
        shape = stores.charge_mw.shape
        half_wear = stores.wear_usd_per_mwh / 2
        self._charge = blueprint.columns(shape, 0.0, stores.charge_mw, half_wear)
        self._discharge = blueprint.columns(shape, 0.0, stores.discharge_mw, half_wear)
        inside = blueprint.columns(shape, 0.0, stores.most_mwh, 0.0)
        outside = blueprint.columns((2, *shape), 0.0, np.inf, OUTSIDE_USD_PER_MWH)
        is_due = stores.due_mwh > 0.0
        lacks = blueprint.columns(shape, 0.0, np.where(is_due, np.inf, 0.0), stores.due_usd_per_mwh)
        left = blueprint.columns((stores.count,), -np.inf, stores.end_below_mwh, -stores.end_usd_per_mwh)
        self._level = ((inside, 1.0), (outside[0], 1.0), (outside[1], -1.0))
        begins = stores.gain_mwh.copy()
        begins[0] += stores.kept_share[0] * stores.begin_mwh
        self._kept = blueprint.rows(shape, begins, begins)
        due = blueprint.rows(shape, np.where(is_due, stores.due_mwh, -np.inf), np.inf)
        end = blueprint.rows((stores.count,), -np.inf, 0.0)
        for column, sign in self._level:
            blueprint.entries(self._kept, column, sign)
            blueprint.entries(self._kept[1:], column[:-1], -sign * stores.kept_share[1:])
            blueprint.entries(due, column, sign)
            blueprint.entries(end, column[-1], -sign)
        blueprint.entries(self._kept, self._charge, -stores.charge_efficiency)
        blueprint.entries(self._kept, self._discharge, 1.0 / stores.discharge_efficiency)
        blueprint.entries(due, lacks, 1.0)
        blueprint.entries(end, left, 1.0)

    def _draw_feeder(self, blueprint: Blueprint, t: int, f: int) -> _FeederHour:
        """Columns of one feeder in one hour, and what its head draws."""
        case, here = self._hours[t].cases[f], self._on_feeder[f]
        columns = case.columns
        block = np.flatnonzero(~np.isin(columns.der, here.der))
        x = blueprint.columns(
            (block.size,), 0.0, columns.width_kw[block] / KW_PER_MW, columns.price_usd_per_mwh[block]
        )
        still_kw = columns.floor_kw.copy()
        still_kw[here.der] = 0.0
        at_still = case.import_mw(still_kw, columns.q_kvar)
        head = blueprint.columns((1,), case.least_import_mw, case.greatest_import_mw, 0.0)
        row = blueprint.rows((1,), at_still, at_still)
        one = _FeederHour(
            case=case,
            still_kw=still_kw,
            der=np.concatenate([columns.der[block], here.der, here.der]),
            column=np.concatenate([x, self._discharge[t, here.store], self._charge[t, here.store]]),
            sign=np.repeat([1.0, 1.0, -1.0], [block.size, here.der.size, here.der.size]),
            at_still=case.excess(still_kw, columns.q_kvar),
            present=np.zeros(case.bound.shape, dtype=np.bool_),
        )
        blueprint.entries(row, head, 1.0)
        blueprint.entries(row, one.column, one.sign * case.point.relief_by_p[one.der])
        blueprint.entries(self._balance[[t]], head, 1.0)
        return one

    def at_prices(self, price_usd_per_mwh: FloatArray) -> DayOptimum:
        """Least cost when the day's import is paid at prices of shape (hours,)."""
        self._program.set_costs(self._drawn, price_usd_per_mwh)
        self._program.set_row_bounds(self._asked, -np.inf, np.inf)
        found = self._solved()
        paid = float(price_usd_per_mwh @ found.x[self._drawn])
        return self._optimum(found, found.objective - paid)

    def at_import(self, import_mw: FloatArray) -> DayOptimum:
        """Least cost at a net import of shape (hours,), or as near to it as the area can come. [MW]"""
        self._program.set_costs(self._drawn, 0.0)
        self._program.set_row_bounds(self._asked, import_mw, import_mw)
        found = self._solved()
        return self._optimum(found, found.objective)

    def _solved(self) -> Solution:
        """Optimum, with the worst broken limits added until none is broken."""
        for _ in range(ROUNDS_LIMIT):
            found = self._program.solve()
            added = [self._add_broken(one, found.x) for of_hour in self._feeders for one in of_hour]
            if not any(added):
                return found
        raise ModelError(f"{self._name}: limits still broken after {ROUNDS_LIMIT} rounds; check the map")

    def _add_broken(self, one: _FeederHour, x: FloatArray) -> bool:
        """Add rows for the worst broken limits of one feeder in one hour; say whether there were any."""
        broken = one.case.excess(one.p_kw(x), one.case.columns.q_kvar)
        broken[one.present] = -np.inf
        broken[:2] -= VOLTAGE_TOLERANCE_PU2
        broken[2:] -= POWER_TOLERANCE_MW
        kind, place = worst_broken(broken)
        if not kind.size:
            return False
        by_p, _ = limit_rows(one.case, kind, place)
        entries = by_p[:, one.der] * one.sign
        row, column = np.nonzero(entries)
        self._program.add_rows(
            -np.inf,
            -row_scale(kind) * one.at_still[kind, place],
            np.searchsorted(row, np.arange(kind.size)),
            one.column[column],
            entries[row, column],
        )
        one.present[kind, place] = True
        return True

    def _optimum(self, found: Solution, cost_usd: float) -> DayOptimum:
        level = np.zeros(self._stores.charge_mw.shape)
        for column, sign in self._level:
            level += sign * found.x[column]
        return DayOptimum(
            cost_usd=cost_usd,
            import_mw=found.x[self._drawn],
            price_usd_per_mwh=-found.row_dual[self._balance],
            worth_usd_per_mwh=-found.row_dual[self._kept],
            level_mwh=level,
            p_kw=tuple(tuple(one.p_kw(found.x) for one in of_hour) for of_hour in self._feeders),
            missed_mwh=float(found.x[self._miss].sum()),
            binding_count=int(np.count_nonzero(found.row_dual[self._first_limit :])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FeederHour:
    """One feeder in one hour, as columns of the program."""

    case: FeederCase
    still_kw: FloatArray
    """Injections with all its columns at zero, shape (D,). [kW]"""
    der: IntArray
    """DER of each column, shape (columns,)."""
    column: IntArray
    sign: FloatArray
    """1 where a column injects, -1 where it draws."""
    at_still: FloatArray
    """Excess over its limits then."""
    present: BoolArray
    """Limits that have a row; it grows."""

    def p_kw(self, x: FloatArray) -> FloatArray:
        """Injections, in the map's order, shape (D,). [kW]"""
        moved = np.bincount(self.der, self.sign * x[self.column], self.still_kw.size)
        return np.asarray(self.still_kw + KW_PER_MW * moved)
