"""What coordination costs the ISO as DERs multiply: ``python -m tests.bench.bench_scaling``.

RTS-GMLC with four LDAs of 123-node feeders, 25 DERs of twice the load each, wires at 60 % of their ratings;
one interval or, with ``--intervals``, several are looked at; losses follow the flows. The LDAs stay as
large, so that the market's problem only gets finer. Printed for M1, M4 and M5: CPU time of the ISO's first
and of its later clearings (prices drawn anew within 3 %, limits within 0.1 %), of all DSOs' own work for one
of them (M4: the rows; M5: the curves; M1's DSOs do neither), the size of its program, and what a clearing
takes in from below. Ratios are what to read; the last line is study H15's verdict on them. Numbers of DERs
may be given; 100,000 take a minute and a half and some 2 GB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.rts_gmlc import read_rts_gmlc
from federates.core.codec import encode
from federates.core.curve import NetCurve, bid_of
from federates.core.messages import DerOffers, FeederModel
from federates.dso.bid import FeederBidder, lda_curve, price_ladder
from federates.dso.case import FeederLimits
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.feeder_model import SeenFeeder, area_rows, feeder_model, reach_columns
from federates.iso.feeder_models import feeder_rows
from federates.iso.market import CURVE_SLOTS, der_book
from federates.iso.network import market_network
from federates.iso.offers import UnitWindow
from federates.iso.penalties import Penalties
from federates.iso.sced import Clearing, Sced
from tests.unit.dso.area import FORECAST_USD_PER_MWH, expected_kw, offers, standing_area

COUNTS = (100, 1_000, 10_000, 100_000)
DERS, LDAS, CLEARINGS = 25, 4, 4
LDA_LOAD_MW = 120.0
LIMITS = FeederLimits(loading_pu=0.6)
SUN_AND_WIND = 0.2
GROWS = 2.0
"""Times by which ISO time must rise from the fewest DERs to the most, a hundred times as many, to grow."""
LOADING = 0.72
"""Load of the bulk grid over its peak: between the coldest and the dearest units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU times of one model at one number of DERs."""

    first_ms: float
    later_ms: float
    dso_ms: float
    rows: int
    columns: int
    taken_in_bytes: int
    found: Clearing


class Layers:
    """The grid and its LDAs at one number of DERs."""

    def __init__(self, case: TransmissionCase, ders: int, intervals: int) -> None:
        self.case, self.network = case, market_network(case)
        self.feeders = ders // (LDAS * DERS)
        self.bus = np.argsort(-case.buses.load_mw, kind="stable")[:LDAS]
        self.area = standing_area("ieee123", DERS, 2.0, 1.0)
        self.columns = [offers(self.area.size_kw, seed) for seed in range(LDAS * self.feeders)]
        self.point = self.area.point(0.5 * expected_kw(self.columns[0]))
        idle_mw = self.point.head_power_kw(np.zeros(DERS), np.zeros(DERS)) / KW_PER_MW
        self.factor = LDA_LOAD_MW / (idle_mw * self.feeders)
        self.load = LOADING * case.buses.load_mw
        self.load[self.bus] -= LDA_LOAD_MW
        self.intervals = intervals

    def drawn(self, k: int) -> list[DerColumns]:
        """Offers of clearing ``k``, each DER's prices moved together."""
        rng = np.random.default_rng(k)
        return [
            replace(c, price_usd_per_mwh=c.price_usd_per_mwh * rng.uniform(0.97, 1.03, DERS)[c.der])
            for c in self.columns
        ]

    def offers(self, k: int) -> list[DerOffers]:
        """One message per feeder."""
        return [
            DerOffers(
                interval_s=0,
                length_s=300,
                intervals=1,
                floor_mw=c.floor_kw * self.factor / KW_PER_MW,
                interval=np.zeros(c.der.size, dtype=np.int64),
                der=c.der,
                width_mw=c.width_kw * self.factor / KW_PER_MW,
                price_usd_per_mwh=c.price_usd_per_mwh,
            )
            for c in self.drawn(k)
        ]

    def models(self) -> list[FeederModel]:
        """One message per LDA."""
        return [self._model(place) for place in range(LDAS)]

    def _model(self, place: int) -> FeederModel:
        own = self.columns[place * self.feeders : (place + 1) * self.feeders]
        seen = [
            SeenFeeder(
                point=self.point,
                reach=reach_columns(c.floor_kw, c.top_kw, c.base_kw, c.q_kvar),
                directed=np.ones(DERS, dtype=np.bool_),
                limits=LIMITS,
                column=DERS * number + np.arange(DERS),
            )
            for number, c in enumerate(own)
        ]
        rows = area_rows(seen, DERS * self.feeders, constant_mw=0.0, substation_mw=np.inf)
        model = feeder_model([rows], interval_s=0, length_s=300, multiplicity=1)
        return replace(model, upper_mw=self.factor * model.upper_mw)

    def curves(self) -> list[NetCurve]:
        """One bid per LDA."""
        ladder, drawn = price_ladder(FORECAST_USD_PER_MWH), self.drawn(0)
        bidder, bids = FeederBidder(self.area.map, "feeder"), []
        for place in range(LDAS):
            swept = []
            for columns in drawn[place * self.feeders : (place + 1) * self.feeders]:
                bidder.refresh(self.point, columns, LIMITS)
                swept.append(bidder.sweep(ladder.price_usd_per_mwh))
            curve = lda_curve(swept, window_usd_per_mwh=ladder.window_usd_per_mwh).net_curve
            bids.append(curve.scaled(self.factor).rounded())
        return bids


def moved_model(model: FeederModel, k: int) -> FeederModel:
    """The limits of clearing ``k``."""
    moved = np.random.default_rng(k).uniform(0.999, 1.001, model.upper_mw.size)
    return replace(model, upper_mw=model.upper_mw * moved)


def moved_curve(curve: NetCurve, k: int) -> NetCurve:
    """The bid of clearing ``k``."""
    moved = np.random.default_rng(k).uniform(0.97, 1.03)
    return NetCurve(import_mw=curve.import_mw, price_usd_per_mwh=moved * curve.price_usd_per_mwh)


def milliseconds(task: Callable[[], object]) -> float:
    """CPU time of one call. [ms]"""
    begin = time.process_time()
    task()
    return 1e3 * (time.process_time() - begin)


def window_of(case: TransmissionCase) -> UnitWindow:
    """All units on, from nothing to all they have; sun and wind at a fifth, so that energy has a price."""
    n = len(case.units.ids)
    free = case.units.of_kind("wind", "pv", "rtpv")
    upper = np.where(free, SUN_AND_WIND * case.units.p_max_mw, case.units.p_max_mw)
    return UnitWindow(lower_mw=np.zeros(n), upper_mw=upper, committed=np.ones(n, dtype=np.bool_))


def grand_central(layers: Layers, *, full: bool) -> Cost:
    """M1, or M4 with the feeders' limits."""
    lda = np.repeat(np.arange(LDAS), layers.feeders).tolist()
    bus = layers.bus[lda].tolist()
    sced = Sced(
        layers.network,
        layers.case.units,
        block_bus=der_book(layers.offers(0), bus, 0).bus,
        intervals=layers.intervals,
        losses=True,
    )
    window, price = window_of(layers.case), Penalties().feeder_usd_per_mwh
    begin = time.process_time()
    stated = layers.models() if full else []
    dso_ms = 1e3 * (time.process_time() - begin)
    times, taken_in, last = [], 0, {}
    for k in range(CLEARINGS):
        sent, models = layers.offers(k), [moved_model(model, k) for model in stated]
        taken_in = sum(len(encode(message, 0)) for message in (*sent, *models))

        def clear(sent: list[DerOffers] = sent, models: list[FeederModel] = models) -> None:
            book = der_book(sent, bus, 0)
            demand = layers.load.copy()
            np.add.at(demand, layers.bus, LDA_LOAD_MW)
            np.add.at(demand, book.floor_bus, -book.floor_mw)
            rows = feeder_rows(models, sent, lda, 0, excess_usd_per_mwh=price) if full else None
            last["found"] = sced.clear(demand, window, blocks=book.blocks, feeder=rows)

        times.append(milliseconds(clear))
    return _cost(times, dso_ms, sced, taken_in, last["found"])


def layered(layers: Layers) -> Cost:
    """M5."""
    sced = Sced(
        layers.network,
        layers.case.units,
        curve_bus=layers.bus,
        curve_slots=np.full(LDAS, CURVE_SLOTS),
        intervals=layers.intervals,
        losses=True,
    )
    begin = time.process_time()
    bids = layers.curves()
    dso_ms = 1e3 * (time.process_time() - begin)
    window, times, taken_in, last = window_of(layers.case), [], 0, {}
    for k in range(CLEARINGS):
        curves = [moved_curve(curve, k) for curve in bids]
        taken_in = sum(len(encode(bid_of([curve], 0, 300), 0)) for curve in curves)

        def clear(curves: list[NetCurve] = curves) -> None:
            last["found"] = sced.clear(layers.load, window, curves)

        times.append(milliseconds(clear))
    return _cost(times, dso_ms, sced, taken_in, last["found"])


def _cost(times: list[float], dso_ms: float, sced: Sced, taken_in: int, found: Clearing) -> Cost:
    program = sced._program
    assert program is not None
    return Cost(
        first_ms=times[0],
        later_ms=float(np.median(times[1:])),
        dso_ms=dso_ms,
        rows=program.rows_count,
        columns=program.columns_count,
        taken_in_bytes=taken_in,
        found=found,
    )


def print_costs(ders: int, layers: Layers, done: dict[str, Cost]) -> None:
    """Every model at one number of DERs, beside M5."""
    base = done["M5"]
    print(f"{ders:,} DERs on {LDAS * layers.feeders:,} feeders")
    for code, cost in done.items():
        price = cost.found.prices.lmp_usd_per_mwh[layers.bus].mean()
        apart = np.ptp(cost.found.block_usd_per_mwh) if cost.found.block_usd_per_mwh.size else 0.0
        total = cost.later_ms + cost.dso_ms
        print(
            f"  {code}: ISO first {cost.first_ms:,.0f} ms, later {cost.later_ms:,.1f} ms"
            f" (x{cost.later_ms / base.later_ms:.1f} of M5); DSOs {cost.dso_ms:,.0f} ms; together"
            f" {total:,.0f} ms (x{total / (base.later_ms + base.dso_ms):.2f});"
            f" {cost.rows:,} rows x {cost.columns:,} columns; {cost.taken_in_bytes:,} bytes in;"
            f" LMP {price:.2f}, DERs' places apart {apart:.1f} $/MWh",
            flush=True,
        )


def verdict(found: dict[int, dict[str, Cost]]) -> str:
    """Study H15: ISO time grows with the DERs under M1 and M4 and not under M5, whose total is no smaller."""
    few, many = min(found), max(found)
    if many < 100 * few:
        return "H15: not tested; look at a hundred times as many DERs"
    rise = {code: found[many][code].later_ms / found[few][code].later_ms for code in ("M1", "M4", "M5")}
    total = {code: found[many][code].later_ms + found[many][code].dso_ms for code in rise}
    holds = min(rise["M1"], rise["M4"]) > GROWS >= rise["M5"] and total["M5"] > min(total.values())
    times = ", ".join(f"{code} x{times:.1f}" for code, times in rise.items())
    computing = ", ".join(f"{code} {ms / 1e3:,.1f} s" for code, ms in total.items())
    return (
        f"H15: {'supported' if holds else 'not supported'}; ISO time from {few:,} to {many:,} DERs: {times};"
        f" ISO and DSOs together at {many:,}: {computing}"
    )


def main() -> None:
    """Print every model at every number of DERs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ders", nargs="*", type=int, default=COUNTS, help="numbers of DERs")
    parser.add_argument("--intervals", type=int, default=1, help="intervals that the market looks at")
    asked = parser.parse_args()
    case, found = read_rts_gmlc(), {}
    for ders in asked.ders:
        layers = Layers(case, ders, asked.intervals)
        found[ders] = {
            "M1": grand_central(layers, full=False),
            "M4": grand_central(layers, full=True),
            "M5": layered(layers),
        }
        print_costs(ders, layers, found[ders])
    print(verdict(found))


if __name__ == "__main__":
    main()
