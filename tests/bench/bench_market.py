"""Speed of the market in ratios of one run: ``python -m tests.bench.bench_market``.

CPU time on one thread. Ratios are what to read; milliseconds belong to the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.rts_gmlc import read_rts_gmlc
from federates.cases.rts_series import read_rts_series
from federates.core.time import Clock
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.network import market_network
from federates.iso.offers import OfferedBlocks, UnitWindow, ramp_window
from federates.iso.sced import Sced
from federates.iso.scuc import Scuc
from federates.lp.solution import SearchBudget
from tests.reference.direct_current_opf import oracle_net, solve

DATES = ("2020-03-27", "2020-07-25", "2020-09-14")
DAY_S = 86_400


def milliseconds(task: Callable[[], object]) -> float:
    """CPU time of one call. [ms]"""
    begin = time.process_time()
    task()
    return 1e3 * (time.process_time() - begin)


def day_bids(case: TransmissionCase, date: str) -> DayBids:
    """A day's forecast without LDAs."""
    clock = Clock(start=datetime.fromisoformat(date), duration_s=DAY_S)
    series = read_rts_series(case, clock, "day_ahead", 0, DAY_S)
    return DayBids(
        demand_mw=series.load_mw,
        available_mw=series.available_mw,
        must_take=series.must_take,
        inflow_mw=series.inflow_mw,
    )


def commitment(case: TransmissionCase, date: str, gap: float) -> DayAhead:
    """Print gap and time of one day-ahead."""
    market, bids = Scuc(market_network(case), case.units), day_bids(case, date)
    before = market.start_state(bids)
    begin = time.process_time()
    found = market.commit(bids, before, SearchBudget(gap=gap))
    cpu_s = time.process_time() - begin
    given = milliseconds(lambda: market.clear(bids, before, found.commitment))
    search = found.search
    print(
        f"scuc {date} gap asked {gap:.1%}: {cpu_s:.1f} CPU s, "
        f"gap {search.gap:.3%}, {search.nodes_count} nodes, {search.iterations_count} iterations; "
        f"commitment given: {given:.0f} ms"
    )
    return found


def real_time(case: TransmissionCase, date: str, day: DayAhead) -> None:
    """Print the dispatch of a whole day: warm, cold, and the solver's own share."""
    clock = Clock(start=datetime.fromisoformat(date), duration_s=DAY_S)
    series = read_rts_series(case, clock, "real_time", 0, DAY_S)
    market, previous = Sced(market_network(case), case.units), day.unit_mw[0]
    times, prices, shed, bound = [], [], 0.0, 0
    for k in range(288):
        window = ramp_window(
            case.units,
            previous_mw=previous,
            committed=day.commitment[k // 12],
            available_mw=series.available_mw[k],
            must_take=series.must_take,
            schedule_mw=day.unit_mw[k // 12],
            length_s=300,
        )
        begin = time.process_time()
        clearing = market.clear(series.load_mw[k], window)
        times.append(1e3 * (time.process_time() - begin))
        previous, shed = clearing.unit_mw, shed + clearing.shed_mw.sum() / 12.0
        prices.append(clearing.prices.lmp_usd_per_mwh)
        bound += clearing.binding.size > 0
    low, mean, high = np.min(prices), np.mean(prices), np.max(prices)
    median, late = np.percentile(times, (50, 95))
    print(
        f"sced {date}: median {median:.2f} ms, p95 {late:.2f}, max {max(times):.2f};"
        f" LMP {low:.1f} / {mean:.2f} / {high:.1f}, {bound} of 288 intervals congested, {shed:.1f} MWh shed"
    )


def against_others(case: TransmissionCase, repeats: int = 20) -> None:
    """Print warm dispatch against a cold one, the bare solver, and pandapower on the same problem."""
    rng = np.random.default_rng(0)
    market = Sced(market_network(case), case.units)
    n = len(case.units.ids)
    window = UnitWindow(
        lower_mw=np.zeros(n), upper_mw=case.units.p_max_mw, committed=np.ones(n, dtype=np.bool_)
    )
    warm, bare, cold = [], [], []
    for _ in range(repeats):
        load = case.buses.load_mw * rng.uniform(0.78, 0.82)
        warm.append(milliseconds(lambda load=load: market.clear(load, window)))
        bare.append(milliseconds(market._program._highs.run))
        fresh = Sced(market_network(case), case.units)
        cold.append(milliseconds(lambda load=load, fresh=fresh: fresh.clear(load, window)))
    net = oracle_net(case)
    net.load["scaling"] = 0.8
    oracle = [milliseconds(lambda: solve(net)) for _ in range(3)]
    base = float(np.median(warm))
    print(
        f"73 buses, two solves a clearing: warm {base:.2f} ms; solver run with nothing to do"
        f" x{np.median(bare) / base:.2f}; cold x{np.median(cold) / base:.1f};"
        f" pandapower.rundcopp x{np.median(oracle) / base:.0f}"
    )


def many_offers(case: TransmissionCase) -> None:
    """Print warm dispatch with growing populations of offered blocks, all prices redrawn each time."""
    rng = np.random.default_rng(1)
    n = len(case.units.ids)
    window = UnitWindow(
        lower_mw=np.zeros(n), upper_mw=case.units.p_max_mw, committed=np.ones(n, dtype=np.bool_)
    )
    for slots in (0, 1_000, 10_000, 100_000):
        bus = rng.choice(np.flatnonzero(case.buses.load_mw > 0.0), slots)
        market = Sced(market_network(case), case.units, block_bus=bus)
        times = []
        for _ in range(6):
            blocks = OfferedBlocks(
                width_mw=np.full(slots, 500.0 / max(slots, 1)),
                price_usd_per_mwh=np.round(rng.uniform(10.0, 60.0, slots), 2),
            )
            load = 0.8 * case.buses.load_mw
            times.append(milliseconds(lambda b=blocks, load=load, m=market: m.clear(load, window, blocks=b)))
        print(f"{slots} offered blocks: first {times[0]:.0f} ms, then {np.median(times[1:]):.1f} ms")


def main() -> None:
    """Print everything."""
    case = read_rts_gmlc()
    against_others(case)
    many_offers(case)
    for date in DATES:
        real_time(case, date, commitment(case, date, 0.005))


if __name__ == "__main__":
    main()
