"""Security-constrained unit commitment of a day, and the pricing runs with the commitment fixed and relaxed.

The search: relax the commitment, adding line rows and tangents of the losses until none is broken; fix what
came out whole and search the rest (a relaxation-enforced neighbourhood, with two hours of slack around every
fractional cell); fix that commitment and dispatch it with every line and loss in view; then search the whole
problem from that point within the budget, again as long as new rows turn up (columns added with them begin at
zero: no flow beyond the rating), and once more, with steeper penalties, where the commitment found pays some:
a better one may avoid them. Rows only ever tighten, so that the search's bound stays one; an incumbent is
only ever replaced by a better one, and the gap is certified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import InfeasibleError
from federates.iso.cut_rounds import CutOptimum
from federates.iso.day_ahead import DayAhead, DayBids, DayReserves, Search
from federates.iso.lda_cuts import ImportRange, LdaCut
from federates.iso.lda_stores import LdaStores, no_stores
from federates.iso.network import MarketNetwork
from federates.iso.offers import CurveBlocks, curve_blocks, share_ties
from federates.iso.penalties import Penalties
from federates.iso.pricing import NEXT_MW_SHARE, Prices, next_mw, split_prices
from federates.iso.products.commitment import Commitment
from federates.iso.products.energy import Energy
from federates.iso.products.feeder_rows import FeederLimits
from federates.iso.products.lazy import LazyRows, solve_with
from federates.iso.products.lda_cuts import LdaCosts
from federates.iso.products.lda_stores import LdaStorage
from federates.iso.products.lines import LineLimits
from federates.iso.products.losses import WASTE_USD_PER_MWH, Losses, settle_waste
from federates.iso.products.net_curves import NetCurveRoom
from federates.iso.products.renewables import Renewables
from federates.iso.products.reserves import Reserves
from federates.iso.products.stores import Stores
from federates.iso.reserves import PRODUCTS, ReserveRoom, ReserveRules
from federates.iso.unit_state import UnitState
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import IntegerSolution, SearchBudget, Solution

WHOLE = 1e-6
DILATION_H = 2
SEARCH_LOSS_MW = 0.25
"""How far losses may lie below those of the flows while a commitment is searched. [MW]"""
SEARCH_SHARE = 0.9
"""Gap at which a search stops, over the gap asked for."""
STEEP = 40.0
"""How much dearer penalties are in the search that follows a commitment that pays some: does a better one
avoid them? What it finds is dispatched at the true penalties, and kept if it is cheaper."""
CLEANING_GAP, CLEANING_NODES = 2e-4, 100
CLEAN_USD_PER_H = 1.0
"""Penalties that count as none. [$/h]"""
SEARCHES_MOST = 4
"""Most integer searches of a day, the neighbourhood's included."""
NEAR_LOSS_MW = 20.0
"""A search holds the tangents of the losses that lie at most this far below them at some optimum. [MW]"""
LOSS_MW = 1e-2
"""The same in the dispatch and pricing runs. [MW]"""
PENALTY_TOLERANCE_MW = 1e-4
GIVEN = Search(bound_usd=np.nan, gap=np.nan, nodes_count=0, iterations_count=0, time_limited=False)
"""A commitment that nobody searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """One day's inputs in the form in which the program takes them."""

    bids: DayBids
    state: UnitState | None
    curves: CurveBlocks
    """Rows are (hour, curve), hour-major."""
    base_mw: FloatArray
    """Must-take output, shape (hours, units). [MW]"""
    demand_mw: FloatArray
    """Right-hand sides of the nodal rows, shape (hours, buses). [MW]"""
    load_mw: FloatArray
    """What can be left unserved, shape (hours, buses). [MW]"""


class Scuc:
    """The day-ahead market of one system: :meth:`commit` or :meth:`clear` day by day.

    Every call builds its program anew, which takes a tenth of its solve: no day hangs on those before.

    Parameters
    ----------
    network
        Shift factors and ratings.
    units
        The units, in case order.
    hours
        Length of the horizon. [h]
    curve_bus, curve_slots
        Bus and most blocks of each net curve, shape (curves,).
    block_bus
        Bus of every slot for offered blocks, shape (slots,).
    penalties
        Price of breaking a rule.
    rules
        Reserve requirements; None: no reserves.
    losses
        Whether losses follow from the flows; else the caller puts them into the demand.
    loss_tolerance_mw
        How far losses may lie below those of the flows in the dispatch and pricing runs. [MW]
    """

    def __init__(
        self,
        network: MarketNetwork,
        units: Units,
        *,
        hours: int = 24,
        curve_bus: IntArray | None = None,
        curve_slots: IntArray | None = None,
        block_bus: IntArray | None = None,
        penalties: Penalties | None = None,
        rules: ReserveRules | None = None,
        losses: bool = False,
        loss_tolerance_mw: float = LOSS_MW,
    ) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._network, self._units, self._hours = network, units, hours
        self._rules, self._has_losses, self._loss_tolerance_mw = rules, losses, loss_tolerance_mw
        self._penalties = penalties or Penalties()
        self._curve_bus = none if curve_bus is None else curve_bus
        self._curve_slots = none if curve_slots is None else curve_slots
        block_bus = none if block_bus is None else block_bus
        per_curve = int(self._curve_slots.max(initial=0))
        self._curve_shape = (self._curve_bus.size, per_curve)
        self._curve_end = self._curve_bus.size * per_curve
        self._bus = np.concatenate((np.repeat(self._curve_bus, per_curve), block_bus))
        self._start(no_stores(0, 0), None)

    def _start(self, lda_stores: LdaStores, cut_range: ImportRange | None) -> None:
        units, hours = self._units, self._hours
        self._program = Program(
            "scuc", look_at="the commitment against minimum times, ramps and the state before the day"
        )
        blueprint = Blueprint(self._program)
        with_reserves = self._rules is not None
        self._energy = Energy.add_to(blueprint, self._network, self._penalties, hours)
        self._commitment = Commitment(blueprint, self._energy, units, hours, with_reserves=with_reserves)
        self._stores = Stores(blueprint, self._energy, units, hours, with_reserves=with_reserves)
        self._renewables = Renewables(blueprint, self._energy, units, hours, with_reserves=with_reserves)
        self._offers = blueprint.columns((hours, self._bus.size), 0.0, 0.0, 0.0)
        self._energy.inject(blueprint, self._offers, self._bus, 1.0)
        self._reserves = self._draw_reserves(blueprint) if with_reserves else None
        self._lda_storage = None
        if lda_stores.count:
            sold_back = self._offers[:, : self._curve_end].reshape(hours, *self._curve_shape)
            self._lda_storage = LdaStorage(blueprint, self._energy, self._curve_bus, sold_back, lda_stores)
        self._lda_costs = (
            None if cut_range is None else LdaCosts(blueprint, self._energy, self._curve_bus, cut_range)
        )
        blueprint.pour()
        self._lines = LineLimits(self._program, self._network, self._energy, self._penalties)
        self._feeder = FeederLimits(self._program, self._offers[:, self._curve_end :])
        self._rows: list[LazyRows] = [self._lines, self._feeder]
        self._losses = None
        if self._has_losses:
            tolerance = np.full(hours, SEARCH_LOSS_MW)
            self._losses = Losses(self._program, self._network, self._energy, tolerance)
            self._rows.append(self._losses)

    def _draw_reserves(self, blueprint: Blueprint) -> Reserves:
        assert self._rules is not None
        rooms: list[ReserveRoom] = [self._commitment.room, self._stores.room, self._renewables.room]
        self._curve_room = None
        if self._curve_bus.size:
            sold_back = self._offers[:, : self._curve_end].reshape(self._hours, *self._curve_shape)
            self._curve_room = NetCurveRoom(blueprint, self._curve_bus, sold_back)
            rooms.append(self._curve_room.room)
        reserves = Reserves(blueprint, self._rules, rooms, self._penalties, self._network.bus_rank)
        self._stores.sustain(blueprint, reserves.columns(1))
        return reserves

    def _solve(self) -> Solution:
        return solve_with(self._program, self._rows)

    @property
    def _lazy_count(self) -> int:
        return self._lines.rows_count + (0 if self._losses is None else self._losses.rows_count)

    def commit(
        self,
        bids: DayBids,
        state: UnitState,
        budget: SearchBudget | None = None,
        *,
        held: BoolArray | None = None,
        which: BoolArray | None = None,
    ) -> DayAhead:
        """Cheapest commitment found within ``budget``, and the day cleared with it.

        Parameters
        ----------
        bids, state
            What is cleared, and where the units stand before.
        budget
            When the search ends.
        held, which
            Commitment that the units of the mask ``which`` keep, shapes (hours, units) and (units,).

        Raises
        ------
        InfeasibleError
            If no commitment meets the state before the day.
        """
        budget = budget or SearchBudget()
        day = self._load(bids, state)
        low, high = self._commitment.allowed(bids.available_mw, state)
        if held is not None and which is not None:
            places = self._commitment.traits.place
            fixed = held[:, places].astype(np.float64)
            low, high = np.where(which[places], fixed, low), np.where(which[places], fixed, high)
        self._commitment.free(self._program, low, high)
        spent = self._program.iterations_count
        relaxed = self._solve()
        whole = (low, high)
        near = _neighbourhood(relaxed.x[self._commitment.on], low, high)
        try:
            searches = [self._search(near, replace(budget, gap=0.5 * budget.gap), [relaxed])]
        except InfeasibleError:  # a neighbourhood may hold no commitment at all
            searches = [self._search(whole, budget, [relaxed])]
        best, best_on = self._priced(searches[0], state)
        bound, optima = relaxed.objective, [relaxed, best]
        while best.objective - bound > budget.gap * abs(best.objective) and len(searches) < SEARCHES_MOST:
            rows = self._lazy_count
            found = self._improve(whole, budget, optima, best.x)
            if found is None:
                break
            searches.append(found)
            bound = max(bound, found.bound)
            dispatch, on = self._priced(found, state)
            optima.append(dispatch)
            if dispatch.objective < best.objective:
                best, best_on = dispatch, on
            elif rows == self._lazy_count:
                break
        if not self._is_clean(best.x):
            self._scale_penalties(STEEP)
            steep = replace(budget, gap=CLEANING_GAP, nodes_count=CLEANING_NODES)
            found = self._improve(whole, steep, optima, best.x)
            self._scale_penalties(1.0)
            if found is not None:
                searches.append(found)
                dispatch, on = self._priced(found, state)
                if dispatch.objective < best.objective:
                    best, best_on = dispatch, on
        search = Search(
            bound_usd=bound,
            gap=(best.objective - bound) / max(abs(best.objective), 1e-9),
            nodes_count=sum(search.nodes_count for search in searches),
            iterations_count=self._program.iterations_count - spent,
            time_limited=any(search.time_limited for search in searches),
        )
        return self._day_ahead(day, best_on, search)

    def _improve(
        self,
        on: tuple[FloatArray, FloatArray],
        budget: SearchBudget,
        optima: list[Solution],
        start: FloatArray,
    ) -> IntegerSolution | None:
        """As :meth:`_search`; None where it comes back empty: the commitment before stands, with its gap."""
        try:
            return self._search(on, budget, optima, start)
        except InfeasibleError:
            return None

    def _scale_penalties(self, factor: float) -> None:
        """Make every shortage, surplus and overload ``factor`` times as dear as it is."""
        self._energy.scale_penalties(self._program, factor)
        self._lines.scale_penalties(factor)
        if self._reserves is not None:
            self._reserves.scale_penalties(self._program, factor)

    def _is_clean(self, x: FloatArray) -> bool:
        """Whether nothing is shed, spilled, overloaded or short of reserve."""
        x = np.pad(x, (0, self._program.columns_count - x.size))
        spent = self._energy.cost_usd_per_h(x) + self._lines.cost_usd_per_h(x)
        if self._reserves is not None:
            spent = spent + self._reserves.short_cost_usd_per_h(x)
        return bool(spent.max() < CLEAN_USD_PER_H)

    def _search(
        self,
        on: tuple[FloatArray, FloatArray],
        budget: SearchBudget,
        optima: list[Solution],
        start: FloatArray | None = None,
    ) -> IntegerSolution:
        """Best commitment within bounds of *on*, with the tangents of the losses that are near some optima.

        Fewer rows make a relaxation: its bound is one for the whole problem. The target is a little below the
        budget's, since the rows that are missing here make the found point dearer.
        """
        self._commitment.free(self._program, *on)
        if self._losses is not None:
            self._losses.keep_near(optima, NEAR_LOSS_MW)
        begin = None if start is None else np.pad(start, (0, self._program.columns_count - start.size))
        try:
            return self._program.solve_integer(replace(budget, gap=SEARCH_SHARE * budget.gap), start=begin)
        finally:
            if self._losses is not None:
                self._losses.restore()

    def clear(self, bids: DayBids, state: UnitState, commitment: BoolArray) -> DayAhead:
        """The day cleared as a linear program with a given commitment, shape (hours, units).

        Raises
        ------
        InfeasibleError
            If the commitment breaks a minimum time or a ramp from the state before the day.
        """
        day, on = self._committed(bids, state, commitment)
        return self._day_ahead(day, on, GIVEN)

    def open(self, bids: DayBids, state: UnitState, commitment: BoolArray) -> None:
        """Begin a day with a given commitment whose areas state their costs: :meth:`add_cuts`, :meth:`relax`
        as often as wanted, then :meth:`close`.

        Raises
        ------
        InfeasibleError
            As :meth:`clear`.
        """
        self._opened = self._committed(bids, state, commitment)
        if self._losses is not None:
            self._losses.set_tolerance(self._loss_tolerance_mw)

    def add_cuts(self, cuts: Sequence[LdaCut]) -> None:
        """Take up one more cut of every area, in their order."""
        assert self._lda_costs is not None
        for area, cut in enumerate(cuts):
            self._lda_costs.add(area, cut)

    def relax(self) -> CutOptimum:
        """Optimum on the cuts known: nothing costs less."""
        assert self._lda_costs is not None
        found = self._solve()
        return CutOptimum(
            objective_usd=found.objective,
            import_mw=self._lda_costs.import_mw(found.x),
            area_usd=self._lda_costs.cost_usd(found.x),
        )

    def close(self, import_mw: FloatArray) -> DayAhead:
        """The day cleared at the areas' imports, shape (hours, areas); prices are those of the cuts. [MW]

        Between two blocks of theirs the areas' imports would not move with the price of the bulk system
        alone; the price is that of the optimum on the cuts, at a little more of everything.
        """
        assert self._lda_costs is not None
        self._lda_costs.hold(import_mw)
        return self._day_ahead(*self._opened, GIVEN)

    def _committed(self, bids: DayBids, state: UnitState, commitment: BoolArray) -> tuple[_Day, BoolArray]:
        """The program with a day and a commitment, shape (hours, units)."""
        day = self._load(bids, state)
        on = commitment[:, self._commitment.traits.place]
        low, high = self._commitment.allowed(bids.available_mw, state)
        if ((on < low) | (on > high)).any():
            raise InfeasibleError(
                "scuc: no optimum with this commitment: it breaks must-run, availability, or minimum times "
                "and ramps from the state before the day; look at its first hours"
            )
        self._commitment.fix(self._program, on, state)
        return day, on

    def start_state(self, bids: DayBids) -> UnitState:
        """State before the first day where the case states none.

        The day is solved with its commitment relaxed and no history; units at least half on in the first
        hour are on, at their output of that hour within their limits, all free to change; stores are half
        full. It hangs on ``bids`` alone: use one forecast for every coordination model.
        """
        self._load(bids, None)
        low, high = self._commitment.allowed(bids.available_mw, None)
        self._commitment.free(self._program, low, high)
        x = self._solve().x
        traits, n = self._commitment.traits, len(self._units.ids)
        on, output = np.ones(n, dtype=np.bool_), np.zeros(n)
        on[traits.place] = x[self._commitment.on[0]] >= 0.5
        relaxed_mw = self._commitment.output_mw(x)[0]
        held = np.clip(relaxed_mw, traits.p_min_mw, traits.p_max_mw)
        output[traits.place] = np.where(on[traits.place], held, 0.0)
        return UnitState(
            on=on,
            in_state_h=np.full(n, 48.0),
            output_mw=output,
            energy_mwh=0.5 * self._units.energy_mwh,
        )

    def _load(self, bids: DayBids, state: UnitState | None) -> _Day:
        """Give the program a day's bounds, costs and right-hand sides."""
        self._start(bids.lda_stores, bids.cut_range)
        hours, n = self._hours, self._network.buses_count
        flat = [curve[t] for t in range(hours) for curve in bids.curves]
        curves = curve_blocks(flat, np.tile(self._curve_slots, hours))
        base = np.where(bids.must_take, bids.available_mw, 0.0)
        full, fixed = (v.reshape(hours, -1) for v in (curves.full_mw, curves.fixed_mw))
        demand, load = bids.demand_mw.copy(), np.maximum(bids.demand_mw, 0.0)
        for t in range(hours):
            demand[t] += np.bincount(self._curve_bus, weights=full[t], minlength=n)
            demand[t] -= np.bincount(self._units.bus, weights=base[t], minlength=n)
            load[t] += np.bincount(self._curve_bus, weights=np.maximum(fixed[t], 0.0), minlength=n)
        room = np.where(bids.must_take, 0.0, bids.available_mw)[:, self._renewables.place]
        program = self._program
        self._renewables.set(program, room, with_reserves=self._reserves is not None)
        if self._bus.size:
            width = np.hstack((curves.width_mw.reshape(hours, -1), bids.block_mw.reshape(hours, -1)))
            price = np.hstack(
                (curves.price_usd_per_mwh.reshape(hours, -1), bids.block_usd_per_mwh.reshape(hours, -1))
            )
            program.set_column_bounds(self._offers.ravel(), 0.0, width.ravel())
            program.set_costs(self._offers.ravel(), price.ravel())
        if bids.feeder:
            self._feeder.set(bids.feeder)
        self._energy.set_demand(program, demand, load)
        self._commitment.set_state(program, state)
        self._commitment.set_available(program, bids.available_mw, state)
        self._stores.set_day(program, bids.inflow_mw, None if state is None else state.energy_mwh)
        self._set_reserves(bids, curves)
        if self._lda_storage is not None:
            self._lda_storage.set_range(program, full)
        if self._losses is not None:
            program.set_costs(self._energy.loss, WASTE_USD_PER_MWH)
        return _Day(bids=bids, state=state, curves=curves, base_mw=base, demand_mw=demand, load_mw=load)

    def _set_reserves(self, bids: DayBids, curves: CurveBlocks) -> None:
        if self._reserves is None:
            return
        if self._curve_room is not None:
            full = curves.full_mw.reshape(self._hours, -1)
            self._curve_room.set(self._program, self._reserves, full, bids.net_reserves)
        self._reserves.break_ties(self._program, on=True)
        self._reserves.require(self._program, self._required_mw(bids))

    def _required_mw(self, bids: DayBids) -> FloatArray:
        assert self._rules is not None
        return bids.required_mw if bids.required_mw.size else np.zeros((self._hours, len(self._rules.names)))

    def _priced(self, found: IntegerSolution, state: UnitState) -> tuple[Solution, BoolArray]:
        """Cheapest dispatch of a commitment found, with every line and loss in view."""
        on: BoolArray = found.x[self._commitment.on] > 0.5
        self._commitment.fix(self._program, on, state)
        return self._solve(), on

    def _day_ahead(self, day: _Day, on: BoolArray, search: Search) -> DayAhead:
        """Dispatch run and pricing runs with the commitment held, and relaxed."""
        assert day.state is not None
        self._commitment.fix(self._program, on, day.state)
        self._rows.append(self._stores)
        if self._lda_storage is not None:
            self._rows.append(self._lda_storage)
        if self._losses is not None:
            self._losses.set_tolerance(self._loss_tolerance_mw)
        dispatch = self._solve()
        held = np.zeros(self._hours, dtype=np.bool_)
        if self._losses is not None:
            dispatch, held = settle_waste(self._losses, self._energy, dispatch, self._solve)
        spent = self._tie_break_usd(dispatch)
        if self._lda_costs is not None:
            self._lda_costs.free()
        marginal = self._marginal(day)
        x = np.pad(dispatch.x, (0, self._program.columns_count - dispatch.x.size))
        fixed, line_price = self._prices(marginal), self._lines.price_usd_per_mwh(marginal)
        reserves = self._reserves_of(day, x, marginal)
        shed, surplus, excess = self._energy.shed_mw(x), x[self._energy.surplus], self._lines.excess_mw(x)
        places = self._commitment.traits.place
        commitment = np.ones((self._hours, len(self._units.ids)), dtype=np.bool_)
        commitment[:, places] = on
        unit_mw, energy_mwh = day.base_mw.copy(), np.zeros_like(day.base_mw)
        unit_mw[:, self._renewables.place] += x[self._renewables.output]
        unit_mw[:, places] = self._commitment.output_mw(x)
        unit_mw[:, self._stores.place] = self._stores.output_mw(x)
        energy_mwh[:, self._stores.place] = x[self._stores.energy]
        taken = self._taken(day, x)
        sold_back = taken[:, : self._curve_end].reshape(self._hours, *self._curve_shape)
        drawn, drawn_by_curve = np.zeros((self._hours, 0)), np.zeros(sold_back.shape[:2])
        if self._lda_storage is not None:
            drawn, drawn_by_curve = self._lda_storage.drawn_mw(x), self._lda_storage.drawn_by_curve_mw(x)
        if self._lda_costs is not None:
            drawn_by_curve = drawn_by_curve + x[self._lda_costs.more]
        broken = shed.sum(axis=1) + surplus.sum(axis=1) + excess + reserves.short_mw.sum(axis=1)
        broken += [self._feeder.excess(x, t).sum() for t in range(self._hours)]
        return DayAhead(
            commitment=commitment,
            unit_mw=unit_mw,
            energy_mwh=energy_mwh,
            prices=fixed,
            relaxed_prices=self._relaxed_prices(day),
            reserves=reserves,
            loss_mw=x[self._energy.loss],
            loss_held=held,
            loss_error_mw=np.zeros(self._hours)
            if self._losses is None
            else x[self._energy.loss] - self._losses.actual_mw(x),
            curve_mw=day.curves.full_mw.reshape(self._hours, -1) - sold_back.sum(axis=2) + drawn_by_curve,
            lda_store_mw=drawn,
            block_mw=taken[:, self._curve_end :],
            flow_mw=self._lines.flow_mw(x),
            line_price_usd_per_mwh=line_price,
            dc_mw=self._energy.direct_mw(x),
            shed_mw=shed,
            surplus_mw=surplus,
            penalty_priced=broken > PENALTY_TOLERANCE_MW,
            overload_mwh=float(excess.sum()),
            objective_usd=dispatch.objective - spent - float(day.curves.full_value_usd_per_h.sum()),
            search=search,
            state=day.state.after(commitment, unit_mw, energy_mwh),
        )

    def _relaxed_prices(self, day: _Day) -> Prices:
        """Prices with the commitment free between 0 and 1, at the same little more of everything."""
        assert day.state is not None
        low, high = self._commitment.allowed(day.bids.available_mw, day.state)
        self._commitment.free(self._program, low, high)
        return self._prices(self._solve())

    def _marginal(self, day: _Day) -> Solution:
        """The pricing run: no tie breaks, and a little more of everything that is asked for."""
        if self._reserves is not None:
            self._reserves.break_ties(self._program, on=False)
            self._reserves.require(self._program, self._required_mw(day.bids), NEXT_MW_SHARE)
        if self._losses is not None:
            self._program.set_costs(self._energy.loss, 0.0)
        self._energy.raise_demand(self._program, day.demand_mw, day.load_mw, next_mw(day.load_mw))
        return self._solve()

    def _tie_break_usd(self, dispatch: Solution) -> float:
        spent = 0.0 if self._reserves is None else self._reserves.tie_break_usd_per_h(dispatch.x)
        if self._losses is not None:
            spent += WASTE_USD_PER_MWH * float(dispatch.x[self._energy.loss].sum())
        return spent

    def _prices(self, solution: Solution) -> Prices:
        return split_prices(
            self._energy.price_usd_per_mwh(solution),
            self._lines.congestion_usd_per_mwh(solution),
            self._network.reference_weight,
            self._penalties,
        )

    def _reserves_of(self, day: _Day, x: FloatArray, marginal: Solution) -> DayReserves:
        hours, products = self._hours, len(PRODUCTS)
        unit = np.zeros((hours, products, len(self._units.ids)))
        curve = np.zeros((hours, products, self._curve_bus.size))
        reserves = self._reserves
        if reserves is None:
            return DayReserves(
                unit_mw=unit,
                curve_mw=curve,
                price_usd_per_mw_h=np.zeros((hours, products, self._network.buses_count)),
                required_mw=np.zeros((hours, 0)),
                short_mw=np.zeros((hours, 0)),
                requirement_usd_per_mw_h=np.zeros((hours, 0)),
            )
        sellers = (
            self._commitment.traits.place,
            self._stores.place[self._stores.sellers],
            self._renewables.place[self._renewables.sellers],
        )
        for room, places in enumerate(sellers):
            unit[:, :, places] = reserves.awarded_mw(room, x).transpose(0, 2, 1)
        if self._curve_room is not None:
            curve = reserves.awarded_mw(reserves.rooms_count - 1, x).transpose(0, 2, 1)
        return DayReserves(
            unit_mw=unit,
            curve_mw=curve,
            price_usd_per_mw_h=reserves.price_usd_per_mw_h(marginal),
            required_mw=self._required_mw(day.bids),
            short_mw=reserves.short_mw(x),
            requirement_usd_per_mw_h=reserves.requirement_usd_per_mw_h(marginal),
        )

    def _taken(self, day: _Day, x: FloatArray) -> FloatArray:
        """Offered blocks taken, ties shared, shape (hours, offers). [MW]"""
        taken = x[self._offers]
        if not self._bus.size:
            return taken
        width = np.hstack(
            (day.curves.width_mw.reshape(self._hours, -1), day.bids.block_mw.reshape(self._hours, -1))
        )
        price = np.hstack(
            (
                day.curves.price_usd_per_mwh.reshape(self._hours, -1),
                day.bids.block_usd_per_mwh.reshape(self._hours, -1),
            )
        )
        none = np.zeros(self._bus.size)
        bound = np.zeros(taken.shape, dtype=np.bool_)
        for t, offer in enumerate(day.bids.net_reserves):
            # a curve that offers reserve keeps its import within a range
            bound[t, : self._curve_end] = np.repeat(offer.offers, self._curve_shape[1])
        bound[:, self._curve_end :] = bool(day.bids.feeder)
        return np.array(
            [share_ties(taken[t], none, width[t], price[t], self._bus, bound[t]) for t in range(self._hours)]
        )


def _neighbourhood(on: FloatArray, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds that hold what the relaxation left whole and free what lies near a fractional cell."""
    fractional = np.minimum(on, 1.0 - on) > WHOLE
    free = fractional.copy()
    for lag in range(1, DILATION_H + 1):
        free[lag:] |= fractional[:-lag]
        free[:-lag] |= fractional[lag:]
    held = np.round(on)
    return np.where(free, low, held), np.where(free, high, held)
