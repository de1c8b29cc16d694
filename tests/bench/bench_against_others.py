"""Speed of the dispatch against other programs in one run: ``python -m tests.bench.bench_against_others``.

Needs the extra ``reference``. CPU time on one thread; ratios are what to read. Others rebuild their model at
every call, which is what their public calls do: ``cold`` here does so too, ``warm`` keeps it. One clearing is
two solves here (dispatch, pricing run); files are read before the clock starts.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

import highspy
import numpy as np

from federates.cases.case import TransmissionCase
from federates.iso.network import market_network
from federates.iso.offers import OfferedBlocks
from federates.iso.sced import Clearing, Sced
from tests.bench.bench_market import milliseconds
from tests.reference.direct_current_opf import oracle_net, solve
from tests.reference.egret_oracle import direct_current, direct_current_model
from tests.reference.jittered import jittered, pglib_opf
from tests.unit.iso.market_cases import all_on

CASES = ("case118_ieee", "case1354_pegase", "case2869_pegase")
SEED = 7
POPULATIONS = (1_000, 10_000, 100_000)
DER_SHARE = 0.15
"""Power of all DER bids as a share of load; half of them sell, half buy."""


def cold(case: TransmissionCase) -> Clearing:
    """Network and program built, cleared once."""
    return Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))


def redrawn(case: TransmissionCase, rng: np.random.Generator) -> np.ndarray:
    """Loads up to a per cent away from the case's."""
    return case.buses.load_mw * rng.uniform(0.99, 1.01, case.buses.load_mw.size)


def several(task: Callable[[], object], repeats: int) -> list[float]:
    """CPU time of each call. [ms]"""
    return [milliseconds(task) for _ in range(repeats)]


def dispatch(name: str) -> None:
    """Print one case: cold and warm, and the ratios of the others to both."""
    rng, path = np.random.default_rng(SEED), pglib_opf(name)
    case = jittered(path, SEED)
    market, window = Sced(market_network(case), case.units), all_on(case)
    found = market.clear(case.buses.load_mw, window)
    loads = [redrawn(case, rng) for _ in range(40)]
    warm = [milliseconds(lambda load=load: market.clear(load, window)) for load in loads]
    fresh = float(np.median(several(lambda: cold(case), 5)))
    kept = float(np.median(warm))
    net, model = oracle_net(case), direct_current_model(path, case.units.block_usd_per_mwh[:, 0])
    others: dict[str, Callable[[], tuple[float, np.ndarray]]] = {
        "pandapower.rundcopp": lambda: solve(net),
        "Egret shift factors": lambda: direct_current(model, shift_factors=True),
        "Egret angles": lambda: direct_current(model, shift_factors=False),
    }
    print(f"{name}: cold {fresh:.1f} ms; warm {kept:.2f} ms (greatest {max(warm):.2f})")
    for other, task in others.items():
        with redirect_stdout(StringIO()):
            difference = abs(task()[0] / found.objective_usd_per_h - 1.0)
            ms = float(np.median(several(task, 3)))
        ratios = f"{ms / fresh:5.1f}x cold, {ms / kept:6.0f}x warm"
        print(f"    {other:<20} {ms:6.0f} ms = {ratios}; cost differs by {difference:.0e}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bids:
    """Bids of DERs at load buses; a bid to buy is demand that sells itself back."""

    case: TransmissionCase
    rng: np.random.Generator
    bus: np.ndarray
    width_mw: np.ndarray
    demand_mw: np.ndarray

    @classmethod
    def of(cls, case: TransmissionCase, count: int) -> Bids:
        """So many bids, spread evenly over the buses with load."""
        rng, load = np.random.default_rng(SEED), case.buses.load_mw
        bus = rng.choice(np.flatnonzero(load > 0.0), count)
        width = rng.uniform(0.5, 1.5, count)
        width *= DER_SHARE * np.maximum(load, 0.0).sum() / width.sum()
        buys = np.arange(count) % 2 == 0
        bought = np.bincount(bus[buys], weights=width[buys], minlength=load.size)
        return cls(case=case, rng=rng, bus=bus, width_mw=width, demand_mw=load + bought)

    def redrawn(self) -> OfferedBlocks:
        """The same bids, every price drawn anew."""
        price = self.rng.uniform(10.0, 60.0, self.width_mw.size)
        return OfferedBlocks(width_mw=self.width_mw, price_usd_per_mwh=price)


def bids_of_ders(case: TransmissionCase, count: int) -> None:
    """Print one population: crash basis against HiGHS as it comes, then warm with all prices redrawn."""
    bids, window = Bids.of(case, count), all_on(case)
    market, first = Sced(market_network(case), case.units, block_bus=bids.bus), bids.redrawn()
    crash = milliseconds(lambda: market.clear(bids.demand_mw, window, blocks=first))
    own = milliseconds(lambda: as_it_comes(market))
    draws = [bids.redrawn() for _ in range(10)]
    warm = [milliseconds(lambda b=b: market.clear(bids.demand_mw, window, blocks=b)) for b in draws]
    print(
        f"    {count:>7,} bids: cold {crash:6.0f} ms from the crash basis, one solve by HiGHS as it comes"
        f" {own:6.0f} ms ({own / crash:.1f}x); warm, all prices redrawn {np.median(warm):6.1f} ms"
        f" (greatest {max(warm):.1f})"
    )


def as_it_comes(market: Sced) -> None:
    """Solve a market's present linear program with HiGHS' own settings, line rows found already included."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.passModel(market._program._highs.getLp())
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal


def main(names: list[str]) -> None:
    """Print everything, or the cases named."""
    logging.disable(logging.WARNING)  # Egret tells of its rounds
    for name in names or CASES:
        dispatch(name)
    for name in names or (CASES[0], CASES[-1]):
        case = jittered(pglib_opf(name), SEED)
        print(f"{name} with bids of DERs")
        for count in POPULATIONS:
            bids_of_ders(case, count)


if __name__ == "__main__":
    main(sys.argv[1:])
