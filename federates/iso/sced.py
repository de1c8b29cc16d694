"""Security-constrained economic dispatch of one interval, built once and kept warm for a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.iso.network import MarketNetwork
from federates.iso.offers import (
    FUELLED,
    NO_BLOCKS,
    CurveBlocks,
    OfferedBlocks,
    UnitWindow,
    curve_blocks,
    share_ties,
    uncommitted_price_usd_per_mwh,
    unit_blocks,
)
from federates.iso.penalties import Penalties
from federates.iso.pricing import Prices, next_mw, split_prices
from federates.iso.products.energy import Energy
from federates.iso.products.lines import LineLimits
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import Solution

BINDS_USD_PER_MWH = 1e-6
"""A line binds where one more MW of rating would save more than this."""
PENALTY_TOLERANCE_MW = 1e-5
TIE_BREAK_USD_PER_MWH = 1e-6
"""Spread of the bus-wise price differences that decide which of two equal offers at different buses is taken.

They order the dispatch, never the prices: without them an award would hang on the solver's path."""
GOLDEN = 0.6180339887498949
TOLERANCE = 1e-9
"""Of the solver: finer than the differences between neighbouring tie breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What one interval's dispatch decides."""

    unit_mw: FloatArray
    """Output, negative = charging, shape (units,). [MW]"""
    curve_mw: FloatArray
    """Net import awarded to each curve, shape (curves,). [MW]"""
    block_mw: FloatArray
    """Part of each offered block that is taken, shape (slots,). [MW]"""
    prices: Prices
    """LMPs and their parts, shape (buses,)."""
    flow_mw: FloatArray
    """Branch flows, shape (branches,). [MW]"""
    line_price_usd_per_mwh: FloatArray
    """Signed price of each rating, zero where it does not bind, shape (branches,). [$/MWh]"""
    dc_mw: FloatArray
    """Flow of direct-current lines, shape (dc lines,). [MW]"""
    shed_mw: FloatArray
    """Load not served, shape (buses,). [MW]"""
    surplus_mw: FloatArray
    """Energy without a taker, shape (buses,). [MW]"""
    overload_mw: float
    """Flow beyond ratings, all lines together. [MW]"""
    penalty_priced: bool
    """Whether a shortage, a surplus or an overload sets prices."""
    objective_usd_per_h: float
    """Cost of the dispatch: no-load and blocks of units, offered blocks, minus the worth of net imports
    against none, plus penalties. [$/h]"""

    @property
    def binding(self) -> IntArray:
        """Places of the lines that bind."""
        return np.flatnonzero(np.abs(self.line_price_usd_per_mwh) > BINDS_USD_PER_MWH)


class Sced:
    """The dispatch of one interval; :meth:`clear` again and again.

    Parameters
    ----------
    network
        Shift factors and ratings.
    units
        The units, in case order.
    curve_bus
        Bus of each net curve, shape (curves,).
    curve_slots
        Most blocks of each net curve, shape (curves,).
    block_bus
        Bus of every slot for offered blocks of resources (a fixed population), shape (slots,).
    penalties
        Price of breaking a rule.
    """

    def __init__(
        self,
        network: MarketNetwork,
        units: Units,
        *,
        curve_bus: IntArray | None = None,
        curve_slots: IntArray | None = None,
        block_bus: IntArray | None = None,
        penalties: Penalties | None = None,
    ) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._network = network
        self._penalties = penalties or Penalties()
        self._units = units
        self._fuelled = units.of_kind(*FUELLED)
        self._unit_blocks = unit_blocks(units)
        self._uncommitted_price = uncommitted_price_usd_per_mwh(units)
        self._curve_bus = none if curve_bus is None else curve_bus
        self._curve_slots = none if curve_slots is None else curve_slots
        block_bus = none if block_bus is None else block_bus
        per_unit = self._unit_blocks.width_mw.shape[1]
        per_curve = int(self._curve_slots.max(initial=0))
        self._bus = np.concatenate(
            (np.repeat(units.bus, per_unit), np.repeat(self._curve_bus, per_curve), block_bus)
        )
        self._tie_break = TIE_BREAK_USD_PER_MWH * np.modf((self._bus + 1) * GOLDEN)[0]
        sizes = (units.bus.size * per_unit, self._curve_bus.size * per_curve)
        self._ends = np.cumsum(sizes)
        self._start()

    def _start(self) -> None:
        self._program = Program(
            "sced", look_at="unit windows: a least output above the greatest", tolerance=TOLERANCE
        )
        blueprint = Blueprint(self._program)
        self._energy = Energy.add_to(blueprint, self._network, self._penalties, 1)
        self._blocks = blueprint.columns((1, self._bus.size), 0.0, 0.0, 0.0)
        self._energy.inject(blueprint, self._blocks, self._bus, 1.0)
        blueprint.pour()
        self._lines = LineLimits(self._program, self._network, self._energy, self._penalties)

    def clear(
        self,
        demand_mw: FloatArray,
        window: UnitWindow,
        curves: list[NetCurve] | None = None,
        blocks: OfferedBlocks = NO_BLOCKS,
    ) -> Clearing:
        """Dispatch and prices of one interval.

        Parameters
        ----------
        demand_mw
            Fixed withdrawal (losses and floors of offered resources included), shape (buses,). [MW]
        window
            Outputs that units can take.
        curves
            One net curve per entry of ``curve_bus``.
        blocks
            One block per entry of ``block_bus``.

        Raises
        ------
        InfeasibleError
            Only where a unit's window is empty.
        CodecError
            If a net curve has more blocks than its slots.
        """
        base_mw = self._base_mw(window)
        bids = curve_blocks(curves or [], self._curve_slots)
        lower, upper, price = self._offers(window, base_mw, bids, blocks)
        fixed_mw = self._at_bus(demand_mw, self._curve_bus, bids.full_mw)
        fixed_mw = self._at_bus(fixed_mw, self._units.bus, -base_mw)
        load_mw = self._at_bus(np.maximum(demand_mw, 0.0), self._curve_bus, np.maximum(bids.fixed_mw, 0.0))
        load_mw = self._at_bus(load_mw, self._units.bus, np.maximum(-base_mw, 0.0))
        self._program.set_column_bounds(self._blocks[0], lower, upper)
        self._energy.set_demand(self._program, fixed_mw[None], load_mw[None])
        self._program.set_costs(self._blocks[0], price + self._tie_break)
        if self._program.solves_count == 0:
            self._start_in_merit_order(lower, upper, price, float(fixed_mw.sum()))
        dispatch = self._lines.solve()
        self._program.set_costs(self._blocks[0], price)
        self._energy.raise_demand(self._program, fixed_mw[None], next_mw(load_mw)[None])
        marginal = self._lines.solve()
        taken = share_ties(dispatch.x[self._blocks[0]], lower, upper, price, self._bus)
        constant = float(self._units.no_load_usd_per_h @ (self._fuelled & window.committed))
        constant -= float(bids.full_value_usd_per_h.sum() + self._tie_break @ dispatch.x[self._blocks[0]])
        return self._clearing(dispatch, marginal, taken, base_mw, bids, constant)

    def forget(self) -> None:
        """Drop the warm start: the next clearing does not hang on those before, to the last bit."""
        self._start()

    def _start_in_merit_order(
        self, lower: FloatArray, upper: FloatArray, price: FloatArray, demand_mw: float
    ) -> None:
        """Begin the first solve where the cheapest blocks serve the load and no line binds.

        From the solver's own start 100,000 blocks take a thousand times longer.
        """
        if not self._bus.size:
            return
        order = np.lexsort((self._bus, price + self._tie_break))
        filled = lower.sum() + np.cumsum((upper - lower)[order])
        marginal = min(int(np.searchsorted(filled, demand_mw)), order.size - 1)
        basic = np.append(self._energy.net[0], self._blocks[0, order[marginal]])
        self._program.start_at(basic, self._blocks[0, order[:marginal]])

    def _base_mw(self, window: UnitWindow) -> FloatArray:
        """Output below the first block: least output of fuelled units that are on, else the window's foot."""
        on = np.minimum(self._units.p_min_mw, window.upper_mw)
        return np.where(self._fuelled, np.where(window.committed, on, 0.0), window.lower_mw)

    def _offers(
        self, window: UnitWindow, base_mw: FloatArray, bids: CurveBlocks, blocks: OfferedBlocks
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        offered = self._unit_blocks
        in_blocks = self._fuelled & window.committed
        relaxed = self._fuelled & ~window.committed
        start = np.where(in_blocks[:, None], offered.start_mw, 0.0)
        width = np.where(in_blocks[:, None], offered.width_mw, 0.0)
        width[~in_blocks, 0] = np.inf
        unit_price = offered.price_usd_per_mwh.copy()
        unit_price[relaxed, 0] = self._uncommitted_price[relaxed]
        low = np.clip((window.lower_mw - base_mw)[:, None] - start, 0.0, width)
        high = np.clip((window.upper_mw - base_mw)[:, None] - start, 0.0, width)
        rest = bids.width_mw.size + blocks.width_mw.size
        lower = np.concatenate((low.ravel(), np.zeros(rest)))
        upper = np.concatenate((high.ravel(), bids.width_mw.ravel(), blocks.width_mw))
        price = np.concatenate((unit_price.ravel(), bids.price_usd_per_mwh.ravel(), blocks.price_usd_per_mwh))
        return lower, upper, price

    def _at_bus(self, values: FloatArray, bus: IntArray, more: FloatArray) -> FloatArray:
        """``values`` per bus with ``more`` added at ``bus``."""
        return values + np.bincount(bus, weights=more, minlength=self._network.buses_count)

    def _clearing(
        self,
        dispatch: Solution,
        marginal: Solution,
        taken_mw: FloatArray,
        base_mw: FloatArray,
        bids: CurveBlocks,
        constant_usd_per_h: float,
    ) -> Clearing:
        unit_end, curve_end = self._ends
        of_unit = taken_mw[:unit_end].reshape(base_mw.size, -1)
        sold_back = taken_mw[unit_end:curve_end].reshape(bids.width_mw.shape)
        shed = self._energy.shed_mw(dispatch.x)[0]
        surplus = dispatch.x[self._energy.surplus[0]]
        overload = float(self._lines.excess_mw(dispatch.x).sum())
        raw = self._energy.price_usd_per_mwh(marginal)[0]
        broken = (shed.sum(), surplus.sum(), overload)
        return Clearing(
            unit_mw=base_mw + of_unit.sum(axis=1),
            curve_mw=bids.full_mw - sold_back.sum(axis=1),
            block_mw=taken_mw[curve_end:],
            prices=split_prices(raw, self._network.reference_weight, self._penalties),
            flow_mw=self._lines.flow_mw(dispatch.x)[0],
            line_price_usd_per_mwh=self._lines.price_usd_per_mwh(marginal)[0],
            dc_mw=self._energy.direct_mw(dispatch.x)[0],
            shed_mw=shed,
            surplus_mw=surplus,
            overload_mw=overload,
            penalty_priced=bool(max(broken) > PENALTY_TOLERANCE_MW),
            objective_usd_per_h=dispatch.objective + constant_usd_per_h,
        )
