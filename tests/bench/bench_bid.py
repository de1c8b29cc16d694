"""CPU time of the DSO's curves on the 123-node feeder with 100 DERs: ``python tests/bench/bench_bid.py``.

Three settings: quiet (DERs of half the load), busy (120 %), congested (350 %, ratings at 35 %). Each is swept
cold and then over eight intervals in which the offers move by 3 %. The solver's own share is printed beside
the whole, from the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.dso.bid import FeederBidder, FeederCurve, lda_curve, price_ladder
from federates.dso.case import FeederCase, FeederLimits
from federates.lp.program import Program
from federates.lp.solution import Solution
from tests.unit.dso.area import FORECAST_USD_PER_MWH, area, expected_kw, offers

SETTINGS = {"quiet": (0.5, 1.0, 1.0), "busy": (1.2, 1.0, 1.0), "congested": (3.5, 0.7, 0.35)}
"""DER share of load, load scale, share of the ratings."""
INTERVALS = 8
DERS = 100


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
    """One line of figures for a setting."""
    share, load, rating = SETTINGS[name]
    one = area("ieee123", DERS, share, load)
    columns = offers(one.size_kw)
    limits = FeederLimits(loading_pu=rating)
    ladder = price_ladder(FORECAST_USD_PER_MWH)
    point = one.point(0.6 * expected_kw(columns))
    rng = np.random.default_rng(1)
    bidder = FeederBidder(one.map, name)
    cold_ms, *_ = timed_sweep(
        bidder, lambda: bidder.refresh(point, columns, limits), ladder.price_usd_per_mwh
    )
    whole, solver, programs = [], [], []
    for _ in range(INTERVALS):
        moved = replace(columns, width_kw=columns.width_kw * rng.uniform(0.97, 1.03, columns.width_kw.size))
        with SolverClock() as clock:
            ms, count, curve = timed_sweep(
                bidder, lambda moved=moved: bidder.refresh(point, moved, limits), ladder.price_usd_per_mwh
            )
        whole.append(ms)
        solver.append(1e3 * clock.spent_s)
        programs.append(count)
    begin = time.process_time()
    blocks = lda_curve([curve], window_usd_per_mwh=ladder.window_usd_per_mwh).net_curve.import_mw.size - 1
    thin_ms = 1e3 * (time.process_time() - begin)
    return (
        f"{name:10} cold {cold_ms:5.1f} ms, warm {statistics.median(whole):5.1f} ms "
        f"(solver {statistics.median(solver):4.1f} ms, {statistics.median(programs):.0f} programs, "
        f"{bidder.program().lazy_rows_count} lazy rows), sum and thin {thin_ms:.2f} ms, {blocks} blocks"
    )


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
