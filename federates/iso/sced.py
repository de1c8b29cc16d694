"""Security-constrained economic dispatch with a look-ahead, built once and kept warm for a study.

Least cost of the next intervals together (the first is binding, the others advisory): cost blocks of units,
net curves and offered blocks against a fixed demand, with ramps, stores, nested reserves, line ratings,
losses and, where the market sees feeders, their limits. The equations stand beside the products that build
them, in
``federates.iso.products``. Two runs: the dispatch, with ties broken by physical place, and the pricing run,
at the offers' own prices with a millionth more of demand and requirements, whose duals are the prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.iso.merging import Merged, merged, separate
from federates.iso.network import MarketNetwork
from federates.iso.offers import (
    NO_BLOCKS,
    CurveBlocks,
    OfferedBlocks,
    UnitWindow,
    curve_blocks,
    share_ties,
)
from federates.iso.penalties import Penalties
from federates.iso.pricing import NEXT_MW_SHARE, Prices, next_mw, split_prices
from federates.iso.products.energy import Energy
from federates.iso.products.feeder_rows import FeederLimits, FeederRows
from federates.iso.products.generation import Generation
from federates.iso.products.lazy import LazyRows, solve_with
from federates.iso.products.lines import LineLimits
from federates.iso.products.losses import WASTE_USD_PER_MWH, Losses, settle_waste
from federates.iso.products.net_curves import NetCurveRoom
from federates.iso.products.reserves import Reserves
from federates.iso.products.stores import StoreOutlook, Stores
from federates.iso.reserves import PRODUCTS, NetReserves, ReserveRoom, ReserveRules
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import Solution

BINDS_USD_PER_MWH = 1e-6
"""A line binds where one more MW of rating would save more than this."""
PENALTY_TOLERANCE_MW = 1e-5
TIE_BREAK_USD_PER_MWH = 1e-5
"""Spread of the price differences that decide which of two equal offers is taken.

They order the dispatch, never the prices: without them an award would hang on the solver's path."""
GOLDEN = 0.6180339887498949
TOLERANCE = 1e-9
"""Of the solver: finer than the differences between neighbouring tie breaks."""
LOSS_TOLERANCE_MW = 1e-4
"""How far solved losses may lie below those of the flows in the first interval. [MW]"""
FREE_USD_PER_MWH, FREE_LOSS_TOLERANCE_MW = 1.0, 0.05
"""Where energy costs less than the first, losses are found to the second only.

At a price of zero they are all that the dispatch can still save, in every direction: to the last kilowatt
that takes twenty times the passes, and saves nothing."""
ADVISORY_LOSS_SHARE = 1e-3
"""How far fixed losses of the intervals to come may be off those of their flows, as a share of demand."""
ADVISORY_PASSES = 10
"""Most solves in search of them; what is left then is an error of intervals that bind nobody."""
LAZY_ROWS_MOST = 150
"""Lazily added rows at which the program is built anew: most of them belong to hours long past."""
SLOT_RESERVE = 1.25
"""Slots per bus for merged offers, over what the first clearing needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemReserves:
    """Reserve awards and prices of one interval."""

    unit_mw: FloatArray
    """Award by product, shape (products, units). [MW]"""
    curve_mw: FloatArray
    """Award of net curves by product, shape (products, curves). [MW]"""
    price_usd_per_mw_h: FloatArray
    """Price of each product at each bus, shape (products, buses). [$/MW/h]"""
    required_mw: FloatArray
    """Requirements, shape (requirements,). [MW]"""
    short_mw: FloatArray
    """What is missing to them, shape (requirements,). [MW]"""
    requirement_usd_per_mw_h: FloatArray
    """Their own prices, shape (requirements,). [$/MW/h]"""


def no_reserves(units_count: int, curves_count: int, buses_count: int) -> SystemReserves:
    """Reserves of a market without requirements."""
    n = len(PRODUCTS)
    return SystemReserves(
        unit_mw=np.zeros((n, units_count)),
        curve_mw=np.zeros((n, curves_count)),
        price_usd_per_mw_h=np.zeros((n, buses_count)),
        required_mw=np.zeros(0),
        short_mw=np.zeros(0),
        requirement_usd_per_mw_h=np.zeros(0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What one interval's dispatch decides."""

    unit_mw: FloatArray
    """Output, negative = charging, shape (units,). [MW]"""
    curve_mw: FloatArray
    """Net import awarded to each curve, shape (curves,). [MW]"""
    block_mw: FloatArray
    """Part of each offered block that is taken, shape (slots,). [MW]"""
    block_usd_per_mwh: FloatArray
    """Price at each block's place: the LMP, less what feeder limits are worth there, shape (slots,).
    [$/MWh]"""
    prices: Prices
    """LMPs and their parts, shape (buses,)."""
    reserves: SystemReserves
    """Reserve awards and prices."""
    flow_mw: FloatArray
    """Branch flows, shape (branches,). [MW]"""
    line_price_usd_per_mwh: FloatArray
    """Signed price of each rating, zero where it does not bind, shape (branches,). [$/MWh]"""
    dc_mw: FloatArray
    """Flow of direct-current lines, shape (dc lines,). [MW]"""
    loss_mw: float
    """Losses, drawn at the buses by the network's loss weights. [MW]"""
    loss_held: bool
    """Whether prices made wasted energy worth while, so that losses were held at those of the flows."""
    loss_error_mw: float
    """Losses less those of the flows; within the tolerance unless held losses did not settle. [MW]"""
    shed_mw: FloatArray
    """Load not served, shape (buses,). [MW]"""
    surplus_mw: FloatArray
    """Energy without a taker, shape (buses,). [MW]"""
    overload_mw: float
    """Flow beyond ratings, all lines together. [MW]"""
    feeder_excess: FloatArray
    """Excess over each feeder limit, shape (rows,); empty where the market sees no feeders. [row unit]"""
    feeder_usd_per_h: FloatArray
    """Signed price of each feeder limit, zero where it does not bind, shape (rows,). [$/h/row unit]"""
    penalty_priced: bool
    """Whether a shortage, a surplus, an overload or an excess over a feeder limit sets prices."""
    objective_usd_per_h: float
    """Cost of the interval: no-load and blocks of units, offered blocks, reserve offers, minus the worth of
    net imports against none, plus penalties. [$/h]"""
    horizon_usd_per_h: float
    """The same for all intervals together, with the worth of what stores keep: what is minimised. [$/h]"""
    store_mwh: FloatArray
    """Energy in stores at the end of the interval, shape (units,); zero where there is none. [MWh]"""
    advisory_unit_mw: FloatArray
    """Output in every interval of the look-ahead, shape (times, units). [MW]"""
    advisory_lmp_usd_per_mwh: FloatArray
    """Raw price in every interval, shape (times, buses). [$/MWh]"""

    @property
    def binding(self) -> IntArray:
        """Places of the lines that bind."""
        return np.flatnonzero(np.abs(self.line_price_usd_per_mwh) > BINDS_USD_PER_MWH)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """One clearing's offers in the form in which the program takes them."""

    window: UnitWindow
    base_mw: FloatArray
    bids: CurveBlocks
    lower_mw: FloatArray
    """Bounds and prices of the block columns, shape (times, columns)."""
    upper_mw: FloatArray
    price: FloatArray
    demand_mw: FloatArray
    load_mw: FloatArray
    required_mw: FloatArray
    offered: OfferedBlocks
    merged: Merged
    slot: IntArray
    """Column slot of each merged group."""
    ranged: BoolArray
    """Curves whose import stays within a range because they offer reserve, shape (curves,)."""


class Sced:
    """The dispatch of one interval with a look-ahead; :meth:`clear` again and again.

    Parameters
    ----------
    network
        Flows and ratings.
    units
        The units, in case order.
    curve_bus
        Bus of each net curve, shape (curves,).
    curve_slots
        Most blocks of each net curve, shape (curves,).
    block_bus
        Bus of every offered block of resources (a fixed population), shape (slots,).
    penalties
        Price of breaking a rule.
    intervals
        Number of intervals, the binding one included.
    length_s
        Length of each. [s]
    rules
        Reserve requirements; None: no reserves.
    losses
        Whether losses follow from the flows; else the caller puts them into the demand. Those of the
        intervals to come are fixed, as the shares of demand that their flows had in the clearing before.
    stores
        Whether storage and CSP are dispatched; else they are held in their window.
    loss_tolerance_mw
        Of the binding interval. [MW]
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
        intervals: int = 1,
        length_s: int = 300,
        rules: ReserveRules | None = None,
        losses: bool = False,
        stores: bool = False,
        loss_tolerance_mw: float = LOSS_TOLERANCE_MW,
    ) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._network = network
        self._penalties = penalties or Penalties()
        self._units = units
        self._times = intervals
        self._hours = length_s / 3_600.0
        self._rules, self._has_losses, self._has_stores = rules, losses, stores
        self._curve_bus = none if curve_bus is None else curve_bus
        self._curve_slots = none if curve_slots is None else curve_slots
        self._block_bus = none if block_bus is None else block_bus
        self._loss_tolerance = np.full(intervals, np.inf)
        self._loss_tolerance[0] = self._fine_mw = loss_tolerance_mw
        self._free = False
        self._advisory_share = np.zeros(intervals - 1)
        self._slots = np.zeros(network.buses_count, dtype=np.int64)
        self._separate_slots = False
        self._last: tuple[FloatArray, FloatArray] | None = None
        self._program: Program | None = None

    def clear(
        self,
        demand_mw: FloatArray,
        window: UnitWindow,
        curves: list[NetCurve] | None = None,
        blocks: OfferedBlocks = NO_BLOCKS,
        *,
        outlook: StoreOutlook | None = None,
        required_mw: FloatArray | None = None,
        net_reserves: NetReserves | None = None,
        feeder: FeederRows | None = None,
    ) -> Clearing:
        """Dispatch and prices of the first of the intervals.

        Parameters
        ----------
        demand_mw
            Fixed withdrawal (floors of offered resources included; losses where they do not follow from the
            flows), shape (buses,) or (times, buses). [MW]
        window
            Outputs that units can take.
        curves
            One net curve per entry of ``curve_bus``, the same in every interval.
        blocks
            One block per entry of ``block_bus``, the same in every interval.
        outlook
            Energy of stores and what it is worth, where stores are dispatched.
        required_mw
            Reserve requirements, shape (requirements,) or (times, requirements). [MW]
        net_reserves
            Reserve that the curves offer.
        feeder
            Limits of feeders on ``blocks``.

        Raises
        ------
        InfeasibleError
            Only where a unit's window is empty.
        CodecError
            If a net curve has more blocks than its slots.
        """
        load = self._loaded(
            demand_mw, window, curves or [], blocks, required_mw, net_reserves, feeder is not None
        )
        program = self._ready()
        # a coarse look first where energy was free; where it no longer is, a fine one
        for tolerance_mw in (FREE_LOSS_TOLERANCE_MW, self._fine_mw) if self._free else (self._fine_mw,):
            self._loss_tolerance[0] = max(tolerance_mw, self._fine_mw)
            self._put(program, load, outlook, net_reserves, feeder)
            dispatch, held = self._dispatched(program, load)
            marginal = self._priced(program, load)
            self._free = self._is_free(marginal)
            if self._losses is not None:
                self._losses.release()
            if self._free:
                break
        # columns that the pricing run added are zero in the dispatch
        dispatch = replace(dispatch, x=np.pad(dispatch.x, (0, program.columns_count - dispatch.x.size)))
        self._last = (dispatch.x[self._energy.net], dispatch.x[self._energy.loss])
        return self._clearing(load, dispatch, marginal, held)

    def _is_free(self, marginal: Solution) -> bool:
        """Whether energy costs next to nothing in the first interval."""
        if self._losses is None:
            return False
        energy = self._energy.price_usd_per_mwh(marginal)[0] @ self._network.reference_weight
        return bool(abs(energy) < FREE_USD_PER_MWH)

    def forget(self) -> None:
        """Drop the warm start: the next clearing does not hang on those before, to the last bit."""
        self._program, self._last, self._free = None, None, False
        self._advisory_share = np.zeros_like(self._advisory_share)
        self._slots = np.zeros_like(self._slots)

    @property
    def feeder_rows_count(self) -> int:
        """Number of feeder rows in the program, those of limits before included."""
        return 0 if self._program is None else self._feeder.rows_count + self._feeder.retired_count

    # -- what is cleared

    def _loaded(
        self,
        demand_mw: FloatArray,
        window: UnitWindow,
        curves: list[NetCurve],
        blocks: OfferedBlocks,
        required_mw: FloatArray | None,
        net_reserves: NetReserves | None,
        apart: bool,
    ) -> _Loaded:
        times, n = self._times, self._network.buses_count
        bids = curve_blocks(curves, self._curve_slots)
        group = (separate if apart else merged)(self._block_bus, blocks.price_usd_per_mwh, blocks.width_mw)
        self._plan_slots(group, apart)
        window = window.over(times)
        generation = self._generation_now()
        base = generation.base_mw(window)
        low, high, price = generation.bounds(window, base)
        slot = self._slot_of(group)
        rest = np.zeros((2, int(self._slots.sum())))
        rest[0, slot], rest[1, slot] = group.width_mw, group.price_usd_per_mwh
        sold, sold_price = bids.width_mw.ravel(), bids.price_usd_per_mwh.ravel()
        other_upper = np.broadcast_to(np.concatenate((sold, rest[0])), (times, sold.size + rest.shape[1]))
        other_price = np.broadcast_to(np.concatenate((sold_price, rest[1])), other_upper.shape)
        fixed = np.broadcast_to(demand_mw, (times, n)).copy()
        load = np.maximum(fixed, 0.0)
        fixed += np.bincount(self._curve_bus, weights=bids.full_mw, minlength=n)
        load += np.bincount(self._curve_bus, weights=np.maximum(bids.fixed_mw, 0.0), minlength=n)
        for t in range(times):
            fixed[t] -= np.bincount(self._units.bus, weights=base[t], minlength=n)
            load[t] += np.bincount(self._units.bus, weights=np.maximum(-base[t], 0.0), minlength=n)
        requirements = 0 if self._rules is None else len(self._rules.requirements)
        required = np.zeros(requirements) if required_mw is None else required_mw
        return _Loaded(
            window=window,
            base_mw=base,
            bids=bids,
            lower_mw=np.hstack((low, np.zeros(other_upper.shape))),
            upper_mw=np.hstack((high, other_upper)),
            price=np.hstack((price, other_price)),
            demand_mw=fixed,
            load_mw=load,
            required_mw=np.broadcast_to(required, (times, requirements)),
            offered=blocks,
            merged=group,
            slot=slot,
            ranged=np.zeros(len(curves), dtype=np.bool_) if net_reserves is None else net_reserves.offers,
        )

    def _plan_slots(self, group: Merged, apart: bool) -> None:
        """Make sure that every bus has as many slots as it has merged offers."""
        needed = np.bincount(group.bus, minlength=self._slots.size)
        if (needed > self._slots).any() or apart != self._separate_slots:
            if apart:
                self._slots = needed
            else:
                population = np.bincount(self._block_bus, minlength=self._slots.size)
                roomy = np.ceil(SLOT_RESERVE * needed).astype(np.int64)
                self._slots = np.minimum(population, np.maximum(roomy, self._slots))
            self._separate_slots = apart
            self._program = None

    def _slot_of(self, group: Merged) -> IntArray:
        """Slot of each merged offer: those of a bus fill its slots from the first."""
        order = np.argsort(group.bus, kind="stable")  # merged offers are in this order already
        begin = np.concatenate(([0], np.cumsum(self._slots)[:-1]))
        counts = np.bincount(group.bus, minlength=self._slots.size)
        first = np.concatenate(([0], np.cumsum(counts)[:-1]))
        slot = np.empty(order.size, dtype=np.int64)
        slot[order] = begin[group.bus[order]] + np.arange(order.size) - first[group.bus[order]]
        return slot

    # -- the program

    def _generation_now(self) -> Generation:
        if self._program is None:
            self._start()
        return self._generation

    def _start(self) -> None:
        times, n_curves = self._times, self._curve_bus.size
        program = Program(
            "sced", look_at="unit windows: a least output above the greatest", tolerance=TOLERANCE
        )
        blueprint = Blueprint(program)
        self._energy = energy = Energy.add_to(blueprint, self._network, self._penalties, times)
        with_reserves = self._rules is not None
        self._generation = Generation(
            blueprint,
            energy,
            self._units,
            times,
            with_stores=self._has_stores,
            with_reserves=with_reserves,
        )
        per_curve = int(self._curve_slots.max(initial=0))
        curve_bus = np.repeat(self._curve_bus, per_curve)
        block_bus = np.repeat(np.arange(self._slots.size), self._slots)
        curve_columns = blueprint.columns((times, curve_bus.size), 0.0, 0.0, 0.0)
        block_columns = blueprint.columns((times, block_bus.size), 0.0, 0.0, 0.0)
        energy.inject(blueprint, curve_columns, curve_bus, 1.0)
        energy.inject(blueprint, block_columns, block_bus, 1.0)
        self._blocks = np.hstack((self._generation.block, curve_columns, block_columns))
        self._offered = block_columns
        self._bus = np.concatenate((self._generation.bus, curve_bus, block_bus))
        self._ends = np.cumsum([self._generation.bus.size, curve_bus.size])
        # another order in every interval: else two equal offers could swap what they give now and later
        turn = np.outer(np.arange(1, times + 1), self._ranked() + 1)
        self._tie_break = TIE_BREAK_USD_PER_MWH * np.modf(turn * GOLDEN)[0]
        self._stores = (
            Stores(blueprint, energy, self._units, times, hours=self._hours, with_reserves=with_reserves)
            if self._has_stores
            else None
        )
        self._curve_room = (
            NetCurveRoom(blueprint, self._curve_bus, curve_columns.reshape(times, n_curves, per_curve))
            if with_reserves and n_curves
            else None
        )
        self._reserves = self._draw_reserves(blueprint) if self._rules is not None else None
        blueprint.pour()
        self._lines = LineLimits(program, self._network, energy, self._penalties)
        self._losses = (
            Losses(program, self._network, energy, self._loss_tolerance) if self._has_losses else None
        )
        if self._losses is not None and self._last is not None:
            self._losses.add_at(*self._last)
        self._feeder = FeederLimits(program, block_columns)
        self._program = program

    def _draw_reserves(self, blueprint: Blueprint) -> Reserves:
        assert self._rules is not None
        rooms: list[ReserveRoom] = [self._generation.room]
        if self._stores is not None:
            rooms.append(self._stores.room)
        if self._curve_room is not None:
            rooms.append(self._curve_room.room)
        reserves = Reserves(blueprint, self._rules, rooms, self._penalties, self._network.bus_rank)
        if self._stores is not None:
            self._stores.sustain(blueprint, reserves.columns(1))
        return reserves

    def _ranked(self) -> IntArray:
        """Place of each block column in an order of buses and physical sizes: input order does not count."""
        kind = np.repeat([0, 1, 2], [self._ends[0], *np.diff([*self._ends, self._bus.size])])
        size, price = np.zeros(self._bus.size), np.zeros(self._bus.size)
        owner = self._generation.owner
        size[: owner.size], price[: owner.size] = self._units.p_max_mw[owner], self._generation.price
        at = self._network.bus_rank[self._bus]
        order = np.lexsort((np.arange(self._bus.size), price, size, kind, at))
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)
        return rank

    def _ready(self) -> Program:
        lazy = self._lines.rows_count + self._feeder.retired_count
        lazy += 0 if self._losses is None else self._losses.rows_count
        if self._program is None or lazy > LAZY_ROWS_MOST:
            self._start()
        assert self._program is not None
        return self._program

    def _put(
        self,
        program: Program,
        load: _Loaded,
        outlook: StoreOutlook | None,
        net_reserves: NetReserves | None,
        feeder: FeederRows | None,
    ) -> None:
        """Bounds, costs and right-hand sides of this clearing."""
        program.set_column_bounds(self._blocks.ravel(), load.lower_mw.ravel(), load.upper_mw.ravel())
        self._energy.set_demand(program, load.demand_mw, load.load_mw)
        self._generation.set_rows(program, load.window, load.base_mw)
        if self._stores is not None:
            assert outlook is not None
            self._stores.set_outlook(program, outlook)
        if feeder is not None:
            at_slots = feeder.at_slots(load.slot, self._offered.shape[1])
            self._feeder.set((at_slots,) * self._times)
        if self._reserves is not None:
            limits = self._reserves.limit_mw(0)
            self._reserves.set_room(program, 0, self._generation.reserve_limits_mw(load.window, limits))
            if self._curve_room is not None:
                full = np.broadcast_to(load.bids.full_mw, (self._times, self._curve_bus.size))
                offered = [] if net_reserves is None else [net_reserves] * self._times
                self._curve_room.set(program, self._reserves, full, offered)

    def _dispatched(self, program: Program, load: _Loaded) -> tuple[Solution, BoolArray]:
        """The dispatch run: ties broken, wasted energy at a price."""
        program.set_costs(self._blocks.ravel(), (load.price + self._tie_break).ravel())
        if self._stores is not None:
            self._stores.break_ties(program, on=True)
        if self._reserves is not None:
            self._reserves.break_ties(program, on=True)
            self._reserves.require(program, load.required_mw)
        if self._losses is not None:
            program.set_costs(self._energy.loss, WASTE_USD_PER_MWH)
        if program.solves_count == 0 and self._times == 1:
            self._start_in_merit_order(program, load)
        if self._losses is None:
            return self._solve(program), np.zeros(self._times, dtype=np.bool_)
        losses, demand = self._losses, load.load_mw[1:].sum(axis=1)
        fixed = self._advisory_share * demand
        for _ in range(ADVISORY_PASSES):
            program.set_column_bounds(self._energy.loss[1:], fixed, fixed)
            first = self._solve(program)
            solution, held = settle_waste(losses, self._energy, first, lambda: self._solve(program))
            lost = losses.actual_mw(solution.x)[1:]
            near = np.abs(lost - fixed) <= np.maximum(ADVISORY_LOSS_SHARE * demand, LOSS_TOLERANCE_MW)
            fixed = lost
            if near.all():
                break
        self._advisory_share = np.divide(fixed, demand, out=np.zeros_like(fixed), where=demand > 0.0)
        return solution, held

    def _priced(self, program: Program, load: _Loaded) -> Solution:
        """The pricing run: the offers' own prices, at a little more of everything that is asked for."""
        program.set_costs(self._blocks.ravel(), load.price.ravel())
        if self._stores is not None:
            self._stores.break_ties(program, on=False)
        if self._reserves is not None:
            self._reserves.break_ties(program, on=False)
            self._reserves.require(program, load.required_mw, NEXT_MW_SHARE)
        if self._losses is not None:
            program.set_costs(self._energy.loss, 0.0)
        self._energy.raise_demand(program, load.demand_mw, load.load_mw, next_mw(load.load_mw))
        return self._solve(program)

    def _solve(self, program: Program) -> Solution:
        rules: list[LazyRows] = [self._lines, self._feeder]
        if self._stores is not None:
            rules.append(self._stores)
        if self._losses is not None:
            rules.append(self._losses)
        return solve_with(program, rules)

    def _start_in_merit_order(self, program: Program, load: _Loaded) -> None:
        """Begin the first solve where the cheapest blocks serve the load and no line binds.

        From the solver's own start 100,000 blocks take ten to twenty times longer.
        """
        if not self._bus.size:
            return
        lower, upper = load.lower_mw[0], load.upper_mw[0]
        order = np.lexsort((self._bus, load.price[0] + self._tie_break[0]))
        filled = lower.sum() + np.cumsum((upper - lower)[order])
        marginal = min(int(np.searchsorted(filled, load.demand_mw.sum())), order.size - 1)
        basic = np.append(self._energy.net[0], self._blocks[0, order[marginal]])
        held = np.append(self._energy.nodal[0], self._energy.balance[0])
        slack = np.setdiff1d(np.arange(program.rows_count), held)
        program.start_at(basic, self._blocks[0, order[:marginal]], slack)

    # -- what comes out

    def _taken(self, load: _Loaded, x: FloatArray) -> FloatArray:
        """Award of every block column in the first interval, ties of a bus shared, shape (columns,). [MW]"""
        bound = np.zeros(self._bus.size, dtype=np.bool_)
        owner = self._generation.owner
        if self._reserves is not None:
            busy = np.zeros(len(self._units.ids), dtype=np.bool_)
            given = self._reserves.awarded_mw(0, x)[0].sum(axis=1)
            busy[self._generation.able] = given > PENALTY_TOLERANCE_MW
            bound[: owner.size] = busy[owner]
        if self._times > 1:
            # a unit whose next interval hangs on this one by its ramp keeps what the program gave it
            ramped = np.isfinite(load.window.rise_mw[1]) | np.isfinite(load.window.fall_mw[1])
            bound[: owner.size] |= ramped[owner]
        if load.ranged.size:
            per_curve = load.bids.width_mw.shape[1]
            bound[self._ends[0] : self._ends[1]] = np.repeat(load.ranged, per_curve)
        if self._separate_slots:
            bound[self._ends[1] :] = True
        return share_ties(
            x[self._blocks[0]], load.lower_mw[0], load.upper_mw[0], load.price[0], self._bus, bound
        )

    def _clearing(self, load: _Loaded, dispatch: Solution, marginal: Solution, held: BoolArray) -> Clearing:
        x = dispatch.x
        unit_end, curve_end = self._ends
        taken = self._taken(load, x)
        every = x[self._blocks[:, :unit_end]]
        unit_mw = self._generation.output_mw(np.vstack((taken[None, :unit_end], every[1:])), load.base_mw)
        store_mwh = np.zeros(unit_mw.shape[1])
        if self._stores is not None:
            unit_mw[:, self._stores.place] = self._stores.output_mw(x)
            store_mwh[self._stores.place] = x[self._stores.energy[0]]
        sold_back = taken[unit_end:curve_end].reshape(load.bids.width_mw.shape)
        raw = self._energy.price_usd_per_mwh(marginal)
        prices = split_prices(
            raw, self._lines.congestion_usd_per_mwh(marginal), self._network.reference_weight, self._penalties
        )
        shed = self._energy.shed_mw(x)[0]
        surplus = x[self._energy.surplus[0]]
        overload = float(self._lines.excess_mw(x)[0])
        lost = self._network.losses_mw(self._lines.flow_mw(x))
        reserves = self._reserves_of(load, dispatch, marginal)
        excess = self._feeder.excess(x)
        broken = (shed.sum(), surplus.sum(), overload, reserves.short_mw.sum(), excess.sum())
        return Clearing(
            unit_mw=unit_mw[0],
            curve_mw=load.bids.full_mw - sold_back.sum(axis=1),
            block_mw=load.merged.shared(load.offered.width_mw, taken[curve_end:][load.slot]),
            block_usd_per_mwh=self._block_prices(load, marginal, raw[0]),
            prices=prices.at(0),
            reserves=reserves,
            flow_mw=self._lines.flow_mw(x)[0],
            line_price_usd_per_mwh=self._lines.price_usd_per_mwh(marginal)[0],
            dc_mw=self._energy.direct_mw(x)[0],
            loss_mw=float(x[self._energy.loss[0]]),
            loss_held=bool(held[0]),
            loss_error_mw=0.0 if self._losses is None else float((x[self._energy.loss] - lost)[0]),
            shed_mw=shed,
            surplus_mw=surplus,
            overload_mw=overload,
            feeder_excess=excess,
            feeder_usd_per_h=self._feeder.limit_usd_per_h(marginal),
            penalty_priced=bool(max(broken) > PENALTY_TOLERANCE_MW),
            objective_usd_per_h=float(self._cost_usd_per_h(load, x)[0]),
            horizon_usd_per_h=self._horizon_usd_per_h(load, dispatch),
            store_mwh=store_mwh,
            advisory_unit_mw=unit_mw,
            advisory_lmp_usd_per_mwh=raw,
        )

    def _block_prices(self, load: _Loaded, marginal: Solution, raw_usd_per_mwh: FloatArray) -> FloatArray:
        at_bus = raw_usd_per_mwh[self._block_bus]
        part = self._feeder.block_part_usd_per_mwh(marginal)[0]
        price: FloatArray = at_bus + part[load.slot][load.merged.group]
        return price

    def _reserves_of(self, load: _Loaded, dispatch: Solution, marginal: Solution) -> SystemReserves:
        reserves, n = self._reserves, len(self._units.ids)
        nothing = no_reserves(n, self._curve_bus.size, self._network.buses_count)
        if reserves is None:
            return nothing
        unit, curve = nothing.unit_mw, nothing.curve_mw
        unit[:, self._generation.able] = reserves.awarded_mw(0, dispatch.x)[0].T
        if self._stores is not None:
            unit[:, self._stores.place[self._stores.sellers]] = reserves.awarded_mw(1, dispatch.x)[0].T
        if self._curve_room is not None:
            curve = reserves.awarded_mw(reserves.rooms_count - 1, dispatch.x)[0].T
        return SystemReserves(
            unit_mw=unit,
            curve_mw=curve,
            price_usd_per_mw_h=reserves.price_usd_per_mw_h(marginal)[0],
            required_mw=load.required_mw[0],
            short_mw=reserves.short_mw(dispatch.x)[0],
            requirement_usd_per_mw_h=reserves.requirement_usd_per_mw_h(marginal)[0],
        )

    def _constant_usd_per_h(self, load: _Loaded) -> FloatArray:
        """What the program does not hold: no-load costs less the worth of whole imports, shape (times,)."""
        on = self._generation.committed_fuelled(load.window)
        constant: FloatArray = on @ self._units.no_load_usd_per_h - load.bids.full_value_usd_per_h.sum()
        return constant

    def _cost_usd_per_h(self, load: _Loaded, x: FloatArray) -> FloatArray:
        """Cost of every interval, shape (times,). [$/h]"""
        cost: FloatArray = (load.price * x[self._blocks]).sum(axis=1) + self._constant_usd_per_h(load)
        cost = cost + self._energy.cost_usd_per_h(x) + self._lines.cost_usd_per_h(x)
        cost = cost + self._feeder.cost_usd_per_h(x)
        if self._reserves is not None:
            cost = cost + self._reserves.cost_usd_per_h(x) + self._reserves.short_cost_usd_per_h(x)
        return cost

    def _horizon_usd_per_h(self, load: _Loaded, dispatch: Solution) -> float:
        x = dispatch.x
        spent = float((self._tie_break * x[self._blocks]).sum())
        if self._reserves is not None:
            spent += self._reserves.tie_break_usd_per_h(x)
        if self._stores is not None:
            spent += self._stores.tie_break_usd_per_h(x)
        if self._losses is not None:
            spent += WASTE_USD_PER_MWH * float(x[self._energy.loss].sum())
        return dispatch.objective - spent + float(self._constant_usd_per_h(load).sum())
