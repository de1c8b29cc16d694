"""Security-constrained unit commitment of a day, and the pricing run with the commitment fixed.

The search: relax the commitment and add line rows until none is broken; fix what came out whole and search
the rest (a relaxation-enforced neighbourhood, with two hours of slack around every fractional cell); fix
that commitment, price the lines it breaks; then search the whole problem from that point within the budget,
again as long as new lines turn up (columns added with them begin at zero: no flow beyond the rating).
An incumbent is only ever replaced by a better one, and the gap is certified by the search's own bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.iso.day_ahead import DayAhead, DayBids, Search
from federates.iso.network import MarketNetwork
from federates.iso.offers import FUELLED, IDLE, SCHEDULED, CurveBlocks, curve_blocks, share_ties
from federates.iso.penalties import Penalties
from federates.iso.pricing import next_mw, split_prices
from federates.iso.products.commitment import Commitment
from federates.iso.products.energy import Energy
from federates.iso.products.headroom import Headroom
from federates.iso.products.lines import LineLimits
from federates.iso.products.stores import Stores
from federates.iso.unit_state import UnitState
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import IntegerSolution, SearchBudget, Solution

WHOLE = 1e-6
DILATION_H = 2


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
    ) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._network, self._units, self._hours = network, units, hours
        self._penalties = penalties or Penalties()
        self._curve_bus = none if curve_bus is None else curve_bus
        self._curve_slots = none if curve_slots is None else curve_slots
        block_bus = none if block_bus is None else block_bus
        self._free = np.flatnonzero(~units.of_kind(*FUELLED, *SCHEDULED, *IDLE))
        per_curve = int(self._curve_slots.max(initial=0))
        self._curve_shape = (self._curve_bus.size, per_curve)
        self._curve_end = self._curve_bus.size * per_curve
        self._bus = np.concatenate((np.repeat(self._curve_bus, per_curve), block_bus))
        self._start()

    def _start(self) -> None:
        units, hours = self._units, self._hours
        self._program = Program(
            "scuc", look_at="the commitment against minimum times, ramps and the state before the day"
        )
        blueprint = Blueprint(self._program)
        self._energy = Energy.add_to(blueprint, self._network, self._penalties, hours)
        self._commitment = Commitment(blueprint, self._energy, units, hours)
        self._stores = Stores(blueprint, self._energy, units, hours)
        self._renewable = blueprint.columns((hours, self._free.size), 0.0, 0.0, 0.0)
        self._energy.inject(blueprint, self._renewable, units.bus[self._free], 1.0)
        self._headroom = Headroom(blueprint, self._commitment, self._renewable, self._penalties)
        self._offers = blueprint.columns((hours, self._bus.size), 0.0, 0.0, 0.0)
        self._energy.inject(blueprint, self._offers, self._bus, 1.0)
        blueprint.pour()
        self._lines = LineLimits(self._program, self._network, self._energy, self._penalties)

    def commit(self, bids: DayBids, state: UnitState, budget: SearchBudget | None = None) -> DayAhead:
        """Cheapest commitment found within ``budget``, and the day cleared with it.

        Raises
        ------
        InfeasibleError
            If no commitment meets the state before the day.
        """
        budget = budget or SearchBudget()
        day = self._load(bids, state)
        low, high = self._commitment.allowed(bids.available_mw, state)
        self._commitment.free(self._program, low, high)
        spent = self._program.iterations_count
        relaxed = self._lines.solve()
        near_low, near_high = _neighbourhood(relaxed.x[self._commitment.on], low, high)
        self._commitment.free(self._program, near_low, near_high)
        near = self._program.solve_integer(replace(budget, gap=0.5 * budget.gap))
        best, best_on = self._priced(near, state)
        searches, bound, rows = [near], relaxed.objective, -1
        while best.objective - bound > budget.gap * abs(best.objective) and rows != self._lines.rows_count:
            rows = self._lines.rows_count
            self._commitment.free(self._program, low, high)
            begin = np.pad(best.x, (0, self._program.columns_count - best.x.size))
            full = self._program.solve_integer(budget, start=begin)
            searches.append(full)
            bound = max(bound, full.bound)
            found, found_on = self._priced(full, state)
            if found.objective < best.objective:
                best, best_on = found, found_on
        search = Search(
            bound_usd=bound,
            gap=(best.objective - bound) / max(abs(best.objective), 1e-9),
            nodes_count=sum(search.nodes_count for search in searches),
            iterations_count=self._program.iterations_count - spent,
            time_limited=any(search.time_limited for search in searches),
        )
        return self._day_ahead(day, best_on, search)

    def clear(self, bids: DayBids, state: UnitState, commitment: BoolArray) -> DayAhead:
        """The day cleared as a linear program with a given commitment, shape (hours, units).

        Raises
        ------
        InfeasibleError
            If the commitment breaks a minimum time or a ramp from the state before the day.
        """
        day = self._load(bids, state)
        on = commitment[:, self._commitment.traits.place]
        self._commitment.fix(self._program, on, state)
        given = Search(bound_usd=np.nan, gap=np.nan, nodes_count=0, iterations_count=0, time_limited=False)
        return self._day_ahead(day, on, given)

    def start_state(self, bids: DayBids) -> UnitState:
        """State before the first day where the case states none.

        The day is solved with its commitment relaxed and no history; units at least half on in the first
        hour are on, at their output of that hour within their limits, all free to change; stores are half
        full. It hangs on ``bids`` alone: use one forecast for every coordination model.
        """
        self._load(bids, None)
        low, high = self._commitment.allowed(bids.available_mw, None)
        self._commitment.free(self._program, low, high)
        x = self._lines.solve().x
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
        self._start()
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
        room = np.where(bids.must_take, 0.0, bids.available_mw)[:, self._free]
        program = self._program
        program.set_column_bounds(self._renewable.ravel(), 0.0, room.ravel())
        if bids.headroom_mw.size:
            self._headroom.require(program, bids.headroom_mw, room.sum(axis=1))
        if self._bus.size:
            width = np.hstack((curves.width_mw.reshape(hours, -1), bids.block_mw.reshape(hours, -1)))
            price = np.hstack(
                (curves.price_usd_per_mwh.reshape(hours, -1), bids.block_usd_per_mwh.reshape(hours, -1))
            )
            program.set_column_bounds(self._offers.ravel(), 0.0, width.ravel())
            program.set_costs(self._offers.ravel(), price.ravel())
        self._energy.set_demand(program, demand, load)
        self._commitment.set_state(program, state)
        self._stores.set_day(program, bids.inflow_mw, state)
        return _Day(bids=bids, state=state, curves=curves, base_mw=base, demand_mw=demand, load_mw=load)

    def _priced(self, found: IntegerSolution, state: UnitState) -> tuple[Solution, BoolArray]:
        """Cheapest dispatch of a commitment found, with every line in view."""
        on: BoolArray = found.x[self._commitment.on] > 0.5
        self._commitment.fix(self._program, on, state)
        return self._lines.solve(), on

    def _day_ahead(self, day: _Day, on: BoolArray, search: Search) -> DayAhead:
        """Dispatch and pricing runs with the commitment held."""
        assert day.state is not None
        self._commitment.fix(self._program, on, day.state)
        self._headroom.lift(self._program)
        dispatch = self._lines.solve()
        self._energy.raise_demand(self._program, day.demand_mw, next_mw(day.load_mw))
        marginal = self._lines.solve()
        x, places = dispatch.x, self._commitment.traits.place
        commitment = np.ones((self._hours, len(self._units.ids)), dtype=np.bool_)
        commitment[:, places] = on
        unit_mw, energy_mwh = day.base_mw.copy(), np.zeros_like(day.base_mw)
        unit_mw[:, self._free] += x[self._renewable]
        unit_mw[:, places] = self._commitment.output_mw(x)
        unit_mw[:, self._stores.place] = self._stores.output_mw(x)
        energy_mwh[:, self._stores.place] = x[self._stores.energy]
        taken = self._taken(day, x)
        sold_back = taken[:, : self._curve_end].reshape(self._hours, *self._curve_shape)
        raw = self._energy.price_usd_per_mwh(marginal)
        return DayAhead(
            commitment=commitment,
            unit_mw=unit_mw,
            energy_mwh=energy_mwh,
            prices=split_prices(raw, self._network.reference_weight, self._penalties),
            curve_mw=day.curves.full_mw.reshape(self._hours, -1) - sold_back.sum(axis=2),
            block_mw=taken[:, self._curve_end :],
            flow_mw=self._lines.flow_mw(x),
            line_price_usd_per_mwh=self._lines.price_usd_per_mwh(marginal),
            dc_mw=self._energy.direct_mw(x),
            shed_mw=self._energy.shed_mw(x),
            surplus_mw=x[self._energy.surplus],
            overload_mwh=float(self._lines.excess_mw(x).sum()),
            objective_usd=dispatch.objective - float(day.curves.full_value_usd_per_h.sum()),
            search=search,
            state=day.state.after(commitment, unit_mw, energy_mwh),
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
        return np.array(
            [share_ties(taken[t], none, width[t], price[t], self._bus) for t in range(self._hours)]
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
