"""Reserves: what resources keep free, by product, against nested requirements.

Per interval, resource ``i`` with energy ``x`` and reserves ``ru, rd, sp, ns >= 0``; requirement ``k`` with
shortage ``z_k`` by priced steps::

    x_i + ru_i + sp_i + ns_i <= capacity_i ;  x_i - rd_i >= least_i ;  ru_i <= 5 min of ramp
    ru_i + sp_i <= 10 min of ramp
    sum over products and resources that serve k + z_k >= R_k                              price rho_k >= 0

Price of a product at a bus = the sum of ``rho_k`` over every requirement that it serves there (nested prices
are therefore ordered: regulation up >= spin >= supplemental). Formulation of nested requirements: T. Zheng
and E. Litvinov, "Ex post pricing in the co-optimized energy and reserve market", IEEE Trans. Power Systems
21(4), 2006.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.offers import CONTINGENCY_MIN
from federates.iso.penalties import Penalties
from federates.iso.reserves import (
    PRODUCTS,
    REG_DOWN,
    REGULATION_MIN,
    SUPPLEMENTAL,
    ReserveRoom,
    ReserveRules,
)
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import Solution

TIE_BREAK_USD_PER_MW_H = 1e-6
"""Spread of price differences that decide which of two resources without a price of their own is taken."""
FASTER = {"reg_up": 2.0, "reg_down": 0.0, "spin": 1.0, "supplemental": 0.0}
"""More of the tie break for faster products: none is awarded where a slower one serves."""


class Reserves:
    """Columns and rows of reserves over ``times`` intervals.

    Parameters
    ----------
    blueprint
        The program while it is drawn.
    rules
        Requirements.
    rooms
        Groups of resources, in a fixed order.
    penalties
        Price of shortage.
    bus_rank
        Place of each bus in an order that the order of the input does not change, shape (buses,).
    """

    def __init__(
        self,
        blueprint: Blueprint,
        rules: ReserveRules,
        rooms: Sequence[ReserveRoom],
        penalties: Penalties,
        bus_rank: IntArray,
    ) -> None:
        self._rules, self._penalties = rules, penalties
        times = rooms[0].head.shape[0]
        self._serves = rules.serves()
        self._rows = blueprint.rows((times, len(rules.requirements)), -np.inf, np.inf)
        steps = [np.array(penalties.reserve[r.steps]) for r in rules.requirements]
        self._steps = np.array(steps)
        self._short = blueprint.columns(
            (times, len(steps), self._steps.shape[1]), 0.0, 0.0, self._steps[None, :, :, 1]
        )
        blueprint.entries(self._rows[..., None], self._short, 1.0)
        self._rooms = tuple(rooms)
        self._limit_mw = [_limits_mw(room) for room in rooms]
        self._price: list[FloatArray | float] = [0.0 for _ in rooms]
        self._columns: list[IntArray] = []
        for room, limit in zip(rooms, self._limit_mw, strict=True):
            self._columns.append(self._draw(blueprint, room, limit))
        faster = np.array([FASTER[name] for name in PRODUCTS])[:, None]
        self._tie_break = [
            TIE_BREAK_USD_PER_MW_H * (rank[:, None, None] * (1.0 + faster) + 3.0 * faster)
            for rank in _ranks(rooms, bus_rank)
        ]

    def break_ties(self, program: Program, *, on: bool) -> None:
        """Whether resources without a price of their own get their tie break as one."""
        for columns, more, price in zip(self._columns, self._tie_break, self._price, strict=True):
            program.set_costs(columns.ravel(), np.broadcast_to(price + on * more, columns.shape).ravel())

    def _draw(self, blueprint: Blueprint, room: ReserveRoom, limit_mw: FloatArray) -> IntArray:
        """Columns of one room, shape (times, k, products, slots)."""
        times, k = room.head.shape
        shape = (times, k, len(PRODUCTS), room.slots)
        upper = np.where(room.offers_reserve, limit_mw, 0.0)[..., None]
        columns = blueprint.columns(shape, 0.0, upper, 0.0)
        for product in range(len(PRODUCTS)):
            mine = columns[:, :, product]
            if product == REG_DOWN:
                blueprint.entries(room.foot[..., None], mine, -1.0)
            elif product == SUPPLEMENTAL:
                blueprint.entries(room.standstill[..., None], mine, 1.0)
            else:
                blueprint.entries(room.head[..., None], mine, 1.0)
                blueprint.entries(room.joint[..., None], mine, 1.0)
            for requirement in range(self._serves.shape[0]):
                counts = self._serves[requirement, product, room.bus]
                blueprint.entries(self._rows[:, requirement, None, None], mine, counts[:, None])
        return columns

    def require(self, program: Program, required_mw: FloatArray, more: float = 0.0) -> None:
        """Ask for ``required_mw``, shape (times, requirements), and the share ``more`` of it."""
        lower = np.where(required_mw > 0.0, required_mw * (1.0 + more), -np.inf)
        program.set_row_bounds(self._rows.ravel(), lower.ravel(), np.inf)
        last = ~np.isfinite(self._steps[..., 0])
        share = np.where(last, 0.0, self._steps[..., 0])
        width = np.where(last, np.inf, share * required_mw[..., None])
        program.set_column_bounds(self._short.ravel(), 0.0, width.ravel())

    def scale_penalties(self, program: Program, factor: float) -> None:
        """Make shortage ``factor`` times as dear as it is."""
        dear = np.broadcast_to(factor * self._steps[None, :, :, 1], self._short.shape)
        program.set_costs(self._short.ravel(), dear.ravel())

    def set_room(
        self,
        program: Program,
        room: int,
        upper_mw: FloatArray,
        price_usd_per_mw_h: FloatArray | float = 0.0,
    ) -> None:
        """Give one room's columns their bounds and prices, shapes (times, k, products, slots).

        The prices reach the program with :meth:`break_ties`.
        """
        columns = self._columns[room]
        self._price[room] = price_usd_per_mw_h
        program.set_column_bounds(columns.ravel(), 0.0, np.broadcast_to(upper_mw, columns.shape).ravel())

    def limit_mw(self, room: int) -> FloatArray:
        """What the ramps of one room allow, shape (k, products). [MW]"""
        return self._limit_mw[room]

    def awarded_mw(self, room: int, x: FloatArray) -> FloatArray:
        """Reserve of one room, shape (times, k, products). [MW]"""
        awarded: FloatArray = x[self._columns[room]].sum(axis=3)
        return awarded

    @property
    def rooms_count(self) -> int:
        """Number of rooms."""
        return len(self._rooms)

    def columns(self, room: int) -> IntArray:
        """Columns of one room, shape (times, k, products, slots)."""
        return self._columns[room]

    def tie_break_usd_per_h(self, x: FloatArray) -> float:
        """What the tie break adds to the objective. [$/h]"""
        pairs = zip(self._columns, self._tie_break, strict=True)
        return float(sum((x[columns] * more).sum() for columns, more in pairs))

    def cost_usd_per_h(self, x: FloatArray) -> FloatArray:
        """Cost of reserve offers, shape (times,). [$/h]"""
        cost = np.zeros(self._rows.shape[0])
        for columns, price in zip(self._columns, self._price, strict=True):
            cost += (x[columns] * price).sum(axis=(1, 2, 3))
        return cost

    def short_cost_usd_per_h(self, x: FloatArray) -> FloatArray:
        """Cost of shortage, shape (times,). [$/h]"""
        cost: FloatArray = (x[self._short] * self._steps[..., 1]).sum(axis=(1, 2))
        return cost

    def short_mw(self, x: FloatArray) -> FloatArray:
        """Shortage of each requirement, shape (times, requirements). [MW]"""
        short: FloatArray = x[self._short].sum(axis=2)
        return short

    def requirement_usd_per_mw_h(self, solution: Solution) -> FloatArray:
        """Price of each requirement, shape (times, requirements). [$/MW/h]"""
        return solution.row_dual[self._rows]

    def price_usd_per_mw_h(self, solution: Solution) -> FloatArray:
        """Price of each product at each bus, shape (times, products, buses). [$/MW/h]"""
        price: FloatArray = np.einsum("tk,kpn->tpn", solution.row_dual[self._rows], self._serves)
        return price


def _limits_mw(room: ReserveRoom) -> FloatArray:
    """Greatest award of each product by ramp, shape (k, products). [MW]"""
    regulation, contingency = REGULATION_MIN * room.ramp_mw_per_min, CONTINGENCY_MIN * room.ramp_mw_per_min
    quick = np.where(room.quick, contingency, 0.0)
    return np.stack((regulation, regulation, contingency, quick), axis=1)


def _ranks(rooms: Sequence[ReserveRoom], bus_rank: IntArray) -> list[FloatArray]:
    """Place of each resource among all, in (0, 1], ordered by room, bus and ramp: never by a unit's name."""
    total = sum(room.bus.size for room in rooms)
    ranks, first = [], 1
    for room in rooms:
        order = np.lexsort((room.ramp_mw_per_min, bus_rank[room.bus]))
        rank = np.empty(room.bus.size)
        rank[order] = np.arange(first, first + room.bus.size)
        ranks.append(rank / max(total, 1))
        first += room.bus.size
    return ranks
