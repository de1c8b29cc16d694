"""CPU time of the DSO's curves on the 123-node feeder with 100 DERs: ``python -m tests.bench.bench_bid``.

Settings: quiet (DERs of half the load), busy (120 %), congested (350 %, ratings at 35 %), reactive power held
or, with Q, free, where ratings are polygons and |Q| has a small price in the reduced program only. Each is
swept cold and then over eight intervals in which the offers move by 3 %; the same prices and ends are asked
of the full-space program around the same map, kept warm by the same engine in the same run, and costs
compared.
The exact curve with all its breakpoints stands beside. Then a day of 40 such feeders is extrapolated from
twelve intervals of two of them: demand moves, OpenDSS solves, the map keeps its coefficients for the hour.
Times are the processor's; on a shared machine only their ratios are safe.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.distribution.linear import Coefficients
from federates.dso.bid import FeederBidder, FeederCurve, lda_curve, price_ladder
from federates.dso.case import FeederCase, FeederLimits
from federates.dso.columns import DerColumns
from federates.dso.exact import exact_curve
from federates.lp.program import Program
from federates.lp.solution import Solution
from tests.unit.dso.area import FORECAST_USD_PER_MWH, Area, area, expected_kw, offers
from tests.unit.dso.full_space import FullSpace

SETTINGS = {
    "quiet": (0.5, 1.0, 1.0, 0.0),
    "busy": (1.2, 1.0, 1.0, 0.0),
    "congested": (3.5, 0.7, 0.35, 0.0),
    "quiet, Q": (0.5, 1.0, 1.0, 0.44),
    "congested, Q": (3.5, 0.7, 0.35, 0.44),
}
"""DER share of load, load scale, share of the ratings, and reactive range as a share of a DER's size."""
INTERVALS = 8
DERS = 100
FEEDERS, DAY = 40, 288
SAME_USD_PER_H = 1e-4
"""Both programs are solved to 1e-7 of row units."""
REACTIVE_USD_PER_H = 2.0
"""The reduced program pays 0.5 $/Mvarh for reactive power, some Mvar, to keep it from jumping."""


class WarmFullSpace:
    """The full-space program in one engine, kept warm from price to price and from interval to interval."""

    def __init__(self, space: FullSpace) -> None:
        drawn = space.program(0.0)
        self._space = space
        self._program = Program("full space", simplex_scale=True)
        self._columns = self._program.add_columns(drawn.low, drawn.high, drawn.cost)
        rows = drawn.equal_rows.tocsr()
        self._program.add_rows(drawn.equal, drawn.equal, rows.indptr[:-1], rows.indices, rows.data)
        if drawn.upper_rows is not None and drawn.upper is not None:
            rows = drawn.upper_rows.tocsr()
            self._program.add_rows(-np.inf, drawn.upper, rows.indptr[:-1], rows.indices, rows.data)

    def sweep(self, width_kw: FloatArray, prices: FloatArray) -> tuple[float, FloatArray]:
        """CPU time [ms], and cost of DERs and import at each price and at both ends. [$/h]"""
        begin = time.process_time()
        blocks, head = self._columns[: self._space.blocks], self._columns[-1:]
        self._program.set_column_bounds(blocks, 0.0, width_kw / 1e3)
        costs = []
        for price in prices:
            self._program.set_costs(head, float(price))
            costs.append(self._program.solve().objective)
        # The physical ends: the import alone counts, then the cheapest of the states there.
        prices_of_blocks = self._space.case.columns.price_usd_per_mwh
        for sign in (1.0, -1.0):
            self._program.set_costs(blocks, 0.0)
            self._program.set_costs(head, sign)
            end = sign * self._program.solve().objective
            self._program.set_costs(blocks, prices_of_blocks)
            self._program.set_costs(head, 0.0)
            self._program.set_column_bounds(head, end - 1e-6, end + 1e-6)
            self._program.solve()
            case = self._space.case
            self._program.set_column_bounds(head, case.least_import_mw, case.greatest_import_mw)
        return 1e3 * (time.process_time() - begin), np.array(costs)


class SolverClock:
    """Counts the CPU time spent inside the solver."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._solve = Program.solve

    def __enter__(self) -> SolverClock:
        def timed(program: Program) -> Solution:
            begin = time.process_time()
            solution = self._solve(program)
            self.spent_s += time.process_time() - begin
            return solution

        Program.solve = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Program.solve = self._solve  # type: ignore[method-assign]


def measure(name: str) -> str:
    """Figures for a setting."""
    one, columns, limits = setting_of(name)
    ladder = price_ladder(FORECAST_USD_PER_MWH)
    prices = ladder.price_usd_per_mwh
    point = one.point(0.6 * expected_kw(columns))
    rng = np.random.default_rng(1)
    bidder = FeederBidder(one.map, name)
    cold_ms, *_ = timed_sweep(bidder, lambda: bidder.refresh(point, columns, limits), prices)
    case = bidder.refresh(point, columns, limits)
    full = WarmFullSpace(FullSpace(one, case))
    full_cold_ms, _ = full.sweep(case.columns.width_kw, prices)
    whole, solver, programs, theirs = [], [], [], []
    for _ in range(INTERVALS):
        moved = replace(columns, width_kw=columns.width_kw * rng.uniform(0.97, 1.03, columns.width_kw.size))
        with SolverClock() as clock:
            ms, count, curve = timed_sweep(
                bidder, lambda moved=moved: bidder.refresh(point, moved, limits), prices
            )
        whole.append(ms)
        solver.append(1e3 * clock.spent_s)
        programs.append(count)
        full_ms, costs = full.sweep(moved.ordered(one.map.order).width_kw, prices)
        theirs.append(full_ms)
        mine = curve.cost_usd_per_h[1:-1] + prices * curve.import_mw[1:-1]
        if not np.array_equal(case.bound, bidder.refresh(point, moved, limits).bound):
            raise AssertionError("the limits moved: the two programs are not the same")
        worst = float(np.abs(mine - costs).max())
        if worst > (REACTIVE_USD_PER_H if case.q_free else SAME_USD_PER_H):
            raise AssertionError(f"{name}: reduced and full program differ by {worst} $/h")
    begin = time.process_time()
    blocks = lda_curve([curve], window_usd_per_mwh=ladder.window_usd_per_mwh).net_curve.import_mw.size - 1
    thin_ms = 1e3 * (time.process_time() - begin)
    begin = time.process_time()
    exact = exact_curve(case, name)
    exact_ms = 1e3 * (time.process_time() - begin)
    ms, full_ms = statistics.median(whole), statistics.median(theirs)
    return (
        f"{name:12} cold {cold_ms:5.1f} ms, warm {ms:5.1f} ms "
        f"(solver {statistics.median(solver):4.1f} ms, {statistics.median(programs):.0f} programs, "
        f"{bidder.program().lazy_rows_count} lazy rows), sum and thin {thin_ms:.2f} ms, {blocks} blocks\n"
        f"             full space: cold {full_cold_ms:.1f} ms, warm {full_ms:.1f} ms = "
        f"{full_ms / ms:.1f} times the reduced one; costs agree\n"
        f"             exact: {exact.import_mw.size} breakpoints, {exact.programs_count} programs, "
        f"{exact_ms:.0f} ms"
    )


def setting_of(name: str) -> tuple[Area, DerColumns, FeederLimits]:
    """Feeder, offers and limits of a setting."""
    share, load, rating, q_share = SETTINGS[name]
    one = area("ieee123", DERS, share, load)
    columns = replace(offers(one.size_kw), q_limit_kvar=q_share * one.size_kw)
    return one, columns, FeederLimits(loading_pu=rating)


def day_of(name: str) -> float:
    """CPU time of one interval of one feeder, OpenDSS and the map included, mean of twelve. [ms]"""
    one, columns, limits = setting_of(name)
    prices = price_ladder(FORECAST_USD_PER_MWH).price_usd_per_mwh
    bidder, rng = FeederBidder(one.map, name), np.random.default_rng(3)
    kept: Coefficients | None = None
    expected = 0.6 * expected_kw(columns)
    asked = one.circuit.loads_kva()
    begin = time.process_time()
    for _ in range(12):
        loads = asked * rng.uniform(0.97, 1.03, asked.size)
        one.circuit.set_loads(loads.real, loads.imag)
        point = one.point(expected)
        if kept is not None:
            point = replace(point, coefficients=kept)
        kept = point.coefficients
        bidder.refresh(point, columns, limits)
        curve = bidder.sweep(prices)
        expected = curve.p_kw[curve.price_usd_per_mwh.size // 2]
        lda_curve([curve])
    return 1e3 * (time.process_time() - begin) / 12


def timed_sweep(
    bidder: FeederBidder, refresh: Callable[[], FeederCase], prices: FloatArray
) -> tuple[float, int, FeederCurve]:
    """CPU time of refresh and sweep [ms], programs solved, curve."""
    begin = time.process_time()
    refresh()
    curve = bidder.sweep(prices)
    return 1e3 * (time.process_time() - begin), curve.programs_count, curve


if __name__ == "__main__":
    for setting in SETTINGS:
        print(measure(setting))
    quiet, congested = (day_of(name) for name in ("quiet", "congested"))
    print(f"an interval with OpenDSS and the map: quiet {quiet:.1f} ms, congested {congested:.1f} ms")
    for share in (0.0, 0.3, 1.0):
        total_s = 1e-3 * ((1.0 - share) * quiet + share * congested) * FEEDERS * DAY
        print(f"  extrapolated: {FEEDERS} feeders, {DAY} intervals, {share:.0%} congested: {total_s:.0f} s")
